"""Send windows in plain words: 'only Tue–Thu 9–17 recipient time', 'weekdays before noon UTC'."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from aicp.brain.dates import DAY_NAMES
from aicp.brain.reading import NEGATION, Part, Range, Reading
from aicp.brain.vocabulary import data

ABBREVIATIONS = ("mon", "tues?", "weds?", "thu(?:rs?)?", "fri", "sat", "sun")
DAY = (
    rf"\b(?:{'|'.join(f'{d}s?' for d in DAY_NAMES)}|{'|'.join(f'{a}' for a in ABBREVIATIONS)})\b\.?"
)
DASH = r"\s*(?:-|–|—|\bto\b|\bthrough\b|\bthru\b|\buntil\b)\s*"
DAYS = (
    rf"(?P<first>{DAY}){DASH}(?P<last>{DAY})|(?P<each>{DAY}(?:\s*(?:,\s*and|,|\band\b|\bor\b|&|/)\s*{DAY})*)"
    r"|(?P<group>\b(?:weekdays?|workdays?|working\s+days?|business\s+days?|weekends?)\b)"
)
TIME = r"(?:\b[0-9]{1,2}(?:[:.][0-9]{2})?\s*(?:am|pm|a\.m\.|p\.m\.|h|o'clock)?(?![\w%])|\bnoon\b|\bmidday\b)"
MARKED = r"(?:\b[0-9]{1,2}:[0-9]{2}\b|\b[0-9]{1,2}(?::[0-9]{2})?\s*(?:am|pm|h|o'clock)\b|\bnoon\b|\bmidday\b)"
ZONE = (
    r"(?P<theirs>(?:in\s+)?(?:the\s+)?(?:recipients?'?s?'?|their(?:\s+own)?|local|customers?'?s?'?)\s+"
    r"(?:own\s+)?(?:local\s+)?time(?:\s*zones?)?|\blocal\s+time\b)"
    r"|(?P<iana>\b[a-z]+/[a-z_]+(?:/[a-z_]+)?\b)(?:\s+time)?"
    r"|(?P<named>\b[a-z]+(?:[ _][a-z]+)?)\s+time\b|(?P<short>\b(?:utc|gmt|cet)\b)"
)
SPAN = re.compile(rf"(?:from\s+|between\s+|at\s+)?(?P<a>{TIME})(?:{DASH}|\s+and\s+)(?P<b>{TIME})")
SIDE = re.compile(rf"\b(?P<side>before|until|till|after|from)\s+(?P<t>{MARKED})")
HOURS = re.compile(r"\b(?:during\s+)?(?:business|office|working|work)\s+hours\b")
DAYS_RE, ZONE_RE = re.compile(DAYS), re.compile(ZONE)
LEAD = re.compile(
    r"(?:\b(?:send|sent|sending|mail|deliver|write|contact|call)\s+(?:(?:them|it|mails?|e-?mails?|out)\s+)*)?"
    r"\b(?:only|just)(?:\s+(?:on|between|from|during|send|sent|at))*\s*$|\b(?:send|deliver)(?:\s+(?:on|between))?\s*$"
)
DEADLINE = re.compile(
    r"\b(?:by|due|deadline|starting|start|beginning|until|till|before|next|this|last)\s+(?:on\s+)?$"
)


@dataclass(slots=True)
class Found:
    """What the intent says about sending times, piece by piece."""

    days: list[tuple[frozenset[int], Range]] = field(default_factory=list)
    never: list[tuple[frozenset[int], Range]] = field(default_factory=list)
    times: list[tuple[str, str, Range]] = field(default_factory=list)
    zone: str = ""
    ranges: list[Range] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)


def read_window(r: Reading) -> Part | None:
    """The one window the words ask for. Contradictions become questions."""
    found = Found()
    _days(r, found)
    _times(r, found)
    if not (found.days or found.never or found.times):
        return None
    _zone(r, found)
    r.take(*found.ranges)
    if _contradicts(r, found):
        return None
    return _part(r, found)


def _days(r: Reading, found: Found) -> None:
    for m in r.find(DAYS_RE):
        before = r.low[max(0, m.start() - 24) : m.start()]
        if m["each"] and DEADLINE.search(before):
            continue  # "by Friday" is a date, not a window
        days = _weekdays(m)
        negation = _never(r, m.start())
        where = (negation[0] if negation else _lead(r, m.start()), m.end())
        (found.never if negation else found.days).append((days, where))
        found.ranges.append(where)
        found.rules.append("window")


def _weekdays(m: re.Match[str]) -> frozenset[int]:
    if m["group"]:
        return frozenset({6, 7} if m["group"].startswith("weekend") else range(1, 6))
    if m["first"]:
        first, last = _number(m["first"]), _number(m["last"])
        return frozenset((first - 1 + i) % 7 + 1 for i in range((last - first) % 7 + 1))
    return frozenset(_number(d) for d in re.findall(DAY, m["each"]))


def _number(day: str) -> int:
    return next(i for i, name in enumerate(DAY_NAMES, 1) if name.startswith(day[:3]))


def _never(r: Reading, at: int) -> Range | None:
    """A negation right before the days, with nothing but sending words between."""
    start = max(r.clause(at)[0], at - 40)
    for mark in reversed(list(NEGATION.finditer(r.low, start, at))):
        gap = r.low[mark.end() : at]
        small = r"\s*(?:(?:send|mails?|e-?mails?|anything|contact|mail|write|them|on|during|the|at)\s+)*"
        if r.free(*mark.span()) and re.fullmatch(small, gap):
            return mark.span()
    return None


def _lead(r: Reading, at: int) -> int:
    start = r.clause(at)[0]
    lead = LEAD.search(r.low[start:at])
    return start + lead.start() if lead and r.free(start + lead.start(), at) else at


def _times(r: Reading, found: Found) -> None:
    for m in r.find(SPAN):
        if not _belongs(r, found, m):
            continue
        a, b = _clock(m["a"], m["b"]), _clock(m["b"], "")
        if a is None or b is None:
            continue
        if b <= a:
            if re.search(r"[ap]\.?m|:", m["b"]) or b[:2] > "11":
                continue  # an overnight window is no send window
            b = f"{int(b[:2]) + 12:02}{b[2:]}"
            found.rules.append("window_pm")
        _add_time(r, found, (a, b), m.span())
    for m in r.find(SIDE):
        clock = _clock(m["t"], "")
        if clock and not any(s <= m.start() < e for _, _, (s, e) in found.times):
            pair = (
                ("00:00", clock) if m["side"] in ("before", "until", "till") else (clock, "23:59")
            )
            _add_time(r, found, pair, m.span())
    for m in r.find(HOURS):
        found.rules.append("window_hours")
        if not found.days:
            found.days.append((frozenset(range(1, 6)), m.span()))
        _add_time(r, found, ("09:00", "17:00"), m.span())


def _add_time(r: Reading, found: Found, pair: tuple[str, str], at: Range) -> None:
    where = (_lead(r, at[0]), at[1])
    found.times.append((*pair, where))
    found.ranges.append(where)
    found.rules.append("window")


def _belongs(r: Reading, found: Found, m: re.Match[str]) -> bool:
    """Bare numbers are times only beside days, a zone, or a clock sign."""
    if re.search(MARKED, m.group()):
        return True
    behind = any(re.fullmatch(r"[\s,]*(?:from|between|at)?\s*", r.low[e : m.start()])
                 for _, (_, e) in [*found.days, *found.never] if e <= m.start())  # fmt: skip
    zone = ZONE_RE.match(r.low, m.end() + len(r.low[m.end() :]) - len(r.low[m.end() :].lstrip()))
    return behind or bool(zone and (zone["theirs"] or _zone_name(zone)))


def _clock(text: str, partner: str) -> str | None:
    """HH:MM of a time; 'am/pm' of the partner serves both ('2–5 pm')."""
    if re.match(r"noon|midday", text):
        return "12:00"
    numbers = re.findall(r"[0-9]+", text)
    hour, minute = int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 0
    half = re.search(r"([ap])\.?m", text) or re.search(r"([ap])\.?m", partner)
    own = re.search(r"([ap])\.?m", text)
    if half and hour <= 12:
        late = half[1] == "p" and (own is not None or hour < int(re.findall(r"[0-9]+", partner)[0]))
        hour = hour % 12 + (12 if late else 0)
    if hour == 24 and minute == 0:
        return "23:59"
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else None


def _zone(r: Reading, found: Found) -> None:
    for m in r.find(ZONE_RE):
        name = "recipient" if m["theirs"] else _zone_name(m)
        if not name:
            continue
        start, end = m.span()
        if m["named"]:  # "noon Berlin time": only the last word names the zone
            start = m.start("named") + (len(m["named"]) - len(_city(m["named"])))
        if not any(r.clause(start)[0] <= e and s <= r.clause(start)[1] + 2
                   for s, e in found.ranges):  # fmt: skip
            continue
        found.zone = name
        found.ranges.append((start, end))
        return


def _city(words: str) -> str:
    """The words that name a zone: two ('new york') or the last one ('berlin')."""
    if words.replace(" ", "_") in zones() or words in data()["zones"]:
        return words
    return re.split(r"[ _]", words)[-1]


def _zone_name(m: re.Match[str]) -> str:
    said = m["iana"] or m["short"] or (_city(m["named"]) if m["named"] else "")
    said = said.replace(" ", "_")
    return data()["zones"].get(said) or zones().get(said, "")


@cache
def zones() -> dict[str, str]:
    """IANA names by their folded full name and last part: 'berlin' -> 'Europe/Berlin'."""
    names = sorted(
        n for n in available_timezones() if "/" in n and not n.startswith(("Etc", "posix", "right"))
    )
    return {n.lower().split("/")[-1]: n for n in names} | {n.lower(): n for n in names}


def _contradicts(r: Reading, found: Found) -> bool:
    for (wanted, at), (unwanted, off) in ((a, b) for a in found.days for b in found.never):
        if wanted & unwanted and not wanted - unwanted:
            _ask_both(r, at, off)
            return True
    sets = {days for days, _ in found.days}
    spans = {(a, b) for a, b, _ in found.times}
    if len(sets) > 1:
        _ask_both(r, found.days[0][1], found.days[-1][1])
    elif len(spans) > 1:
        _ask_both(r, found.times[0][2], found.times[-1][2])
    return len(sets) > 1 or len(spans) > 1


def _ask_both(r: Reading, a: Range, b: Range) -> None:
    first, second = sorted((a, b))
    r.ask(
        f"'{r.said(*first)}' and '{r.said(*second)}' do not go together. Which one holds?",
        (first[0], max(first[1], second[1])),
        (r.said(*first), r.said(*second)),
    )


def _part(r: Reading, found: Found) -> Part:
    days = frozenset(range(1, 8)).intersection(*(d for d, _ in found.days))
    days -= {day for never, _ in found.never for day in never}
    start, until, _ = found.times[0] if found.times else ("00:00", "23:59", (0, 0))
    zone_column = next((c.name for c in r.columns if c.kind == "timezone"), "")
    zone, rule = found.zone, "window"
    if not zone:
        zone = "recipient" if zone_column else "UTC"
        rule = "window_zone_default" if zone_column else "window_zone_missing"
    elif zone == "recipient" and not zone_column:
        r.ask(
            "The table has no time zone column, so the recipients' time is unknown. "
            "In which zone should the send window be read?",
            found.ranges[-1],
            ("in UTC time", "in Berlin time", "in New York time"),
        )
    params: dict[str, Any] = {
        "weekdays": sorted(days), "from": start, "until": until, "zone": zone,
        "zone_column": zone_column if zone == "recipient" else "",
    }  # fmt: skip
    return Part(window_text(params), tuple(found.ranges), (*found.rules, rule), params)


def window_text(params: dict[str, Any]) -> str:
    """'Send only Tue, Wed, Thu 09:00-17:00 in the recipient's time zone.'"""
    names = [DAY_NAMES[d - 1][:3].title() for d in params["weekdays"]]
    whole = params["from"] == "00:00" and params["until"] == "23:59"
    hours = "at any time of day" if whole else f"{params['from']}–{params['until']}"
    zone = "the recipient's time zone" if params["zone"] == "recipient" else params["zone"]
    return f"Send only {', '.join(names)} {hours}, in {zone}."
