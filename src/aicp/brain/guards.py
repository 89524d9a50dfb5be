"""Safeguards but for windows: tone, rates, caps, and rules kept always; also measures and dates."""

from __future__ import annotations

import re
from typing import Any

from aicp.brain import dates
from aicp.brain.amounts import AMOUNT, COUNT, amount, count
from aicp.brain.reading import NEGATION, Part, Range, Reading
from aicp.brain.vocabulary import data, one_of

MAIL = r"(?:e-?mails?|mails?|messages?|letters?|drafts?)"
CALLS = r"(?:(?:tool\s+)?calls?|actions?|writes?|changes)"
PEOPLE = r"(?:recipients?|people|persons|addressees)"
PER = r"(?:\s*(?:per|an|a|every|each|/)\s*(?P<per>minute|min|hour|day))"
CAP = (
    r"\b(?:at\s+most|no\s+more\s+than|not\s+more\s+than|never\s+more\s+than|maximum(?:\s+of)?|max\.?|up\s+to"
    r"|limit(?:ed)?\s+(?:of|to)|cap(?:ped)?\s+(?:of|at)|budget(?:\s+of)?:?)\s+"
)
RATE = re.compile(rf"(?:{CAP})?(?P<n>{COUNT})\s*(?P<what>{MAIL}|{CALLS}|{PEOPLE})?{PER}\b")
BUDGET = re.compile(rf"{CAP}(?P<n>{COUNT})\s+(?P<what>{MAIL}|{CALLS}|{PEOPLE})\b")
SECONDS = {"minute": 60, "min": 60, "hour": 3600, "day": 86400}
OPS = {">=": "ge", "≥": "ge", "=>": "ge", "at least": "ge", "above": "gt", "over": "gt",
       "more than": "gt", ">": "gt", "at most": "le", "<=": "le", "≤": "le", "under": "lt",
       "below": "lt", "less than": "lt", "<": "lt", "of": "ge", "": "ge"}  # fmt: skip
OP = r"(?:at least|at most|more than|less than|above|over|under|below|of|>=|<=|=>|≥|≤|>|<)"
METRIC = one_of(p for phrases in data()["kpi"].values() for p in phrases)
KPI = re.compile(
    rf"(?:\b(?:kpi|goal|target|aim(?:ing)?|measure[d]?|success)\b(?:\s+(?:is|for|by))?\s*:?\s+)?"
    rf"(?:(?:a|an|the)\s+)?(?:(?P<m1>{METRIC})\s*(?:is\s+)?(?P<op1>{OP})?\s*(?P<v1>{AMOUNT})"
    rf"|(?P<op2>{OP})?\s*(?:a\s+)?(?P<v2>{AMOUNT})\s*(?P<m2>{METRIC}))"
)
PROMISES = {
    "privacy": (re.compile(r"\b(?:protect|keep)\s+(?:the\s+|our\s+|all\s+)?(?:customer|personal|private|member|client)?\s*"
                           r"data(?:\s+(?:private|safe|confidential|protected))?\b|\bprivacy\b|\bgdpr\b"),
                "Personal data never leaves the approved recipients."),
    "rollback": (re.compile(r"\b(?:everything\s+)?(?:must\s+be\s+|be\s+|is\s+|keep\s+(?:it|everything)\s+)?"
                            r"(?:reversible|undoable)\b|\b(?:confirm|check)\s+(?:the\s+)?rollback(?:\s+(?:before\s+\w+))?\b"),
                 "Every change can be taken back: nothing runs that has no undo."),
    "records": (re.compile(r"\b(?:document|record|log)\s+(?:all\s+|the\s+|every\s+)?(?:decisions?|blockers?|everything)"
                           r"(?:\s+and\s+(?:decisions?|blockers?))?\b|\b(?:ask|check\s+with)\s+me\s+(?:first|before\s+\w+)\b"
                           r"|\b(?:get|with|after|wait\s+for)\s+(?:my\s+|our\s+)?approval(?:\s+(?:before\s+\w+|first))?\b"),
                "Decisions and blockers are documented; nothing runs before a person approves it."),
}  # fmt: skip
DEFAULTS = (
    ("records", "Decisions and blockers are documented."),
    ("privacy", "Customer data is protected: it never leaves the approved recipients."),
    ("rollback", "Rollback is confirmed before anything runs: every change has an undo."),
)


def read_caps(r: Reading) -> list[tuple[str, Part]]:
    """('rate' | 'budget', part) for every cap with a number and a unit."""
    found: list[tuple[str, Part]] = []
    for m in r.find(RATE):
        seconds, n = SECONDS[m["per"]], count(m["n"])
        params: dict[str, Any] = {
            "toolkit": _toolkit(m["what"] or "mail"),
            "per_minute": max(1, n * 60 // seconds),
            "count": n, "seconds": seconds,
        }  # fmt: skip
        text = f"At most {n} {m['what'] or 'calls'} per {m['per']}."
        found.append(("rate", _taken(r, text, m.span(), params)))
    for m in r.find(BUDGET):
        calls = re.fullmatch(CALLS, m["what"]) is not None
        params = {"max_calls" if calls else "max_recipients": count(m["n"])}
        found.append(("budget", _taken(r, f"At most {m['n']} {m['what']}.", m.span(), params)))
    _ask_when_two_differ(r, found)
    return found


def _ask_when_two_differ(r: Reading, found: list[tuple[str, Part]]) -> None:
    for kind in ("rate", "budget"):
        parts = [part for k, part in found if k == kind]
        for a in parts[1:]:
            if set(a.value) == set(parts[0].value) and a.value != parts[0].value:
                said = (r.said(*parts[0].ranges[0]), r.said(*a.ranges[0]))
                r.ask(f"'{said[0]}' and '{said[1]}' differ. Which one holds?",
                      (parts[0].ranges[0][0], a.ranges[0][1]), said)  # fmt: skip


def _toolkit(what: str) -> str:
    return "mail" if re.fullmatch(rf"{MAIL}|{PEOPLE}", what) else "table"


def _taken(r: Reading, text: str, at: Range, value: Any, rule: str = "cap") -> Part:
    r.take(at)
    return Part(text, (at,), (rule,), value)


def read_kpis(r: Reading) -> list[Part]:
    """Measures of success with their numbers: {metric, op, value, unit}."""
    found = []
    for m in r.find(KPI):
        said, number = m["m1"] or m["m2"], amount(m["v1"] or m["v2"])
        if number is None:
            continue
        metric = next(k for k, names in data()["kpi"].items() if re.sub(r"[\s-]+", " ", said)
                      in [re.sub("-", " ", n) for n in names])  # fmt: skip
        op = OPS[m["op1"] or m["op2"] or ""]
        percent = bool(re.search(r"%|percent", m["v1"] or m["v2"]))
        unit = "percent" if percent else ""
        sign = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}[op]
        text = f"{metric.capitalize()} {sign} {number}{' %' if percent else ''}"
        value = {"metric": metric, "op": op, "value": number, "unit": unit}
        found.append(_taken(r, text, m.span(), value, "kpi"))
    return found


DUE = re.compile(
    rf"\b(?P<lead>by|due(?:\s+by)?|deadline:?|no\s+later\s+than|finish(?:ed)?\s+by|done\s+by|before|until)\s+(?:the\s+)?"
    rf"(?P<when>end\s+of\s+(?:the\s+|this\s+)?(?:day|week|month|quarter|year)|eod|eow|{dates.DAY}"
    rf"|(?:next\s+|this\s+)?(?:{'|'.join(dates.DAY_NAMES)})\b)"
)
START = re.compile(
    rf"\b(?:start(?:ing)?|begin(?:ning)?)(?:\s+on|\s+from)?\s+(?P<when>{dates.DAY}"
    rf"|(?:next\s+|this\s+)?(?:{'|'.join(dates.DAY_NAMES)})\b)"
)
WITHIN = re.compile(
    rf"\b(?:finish(?:ed)?\s+|done\s+)?within\s+(?:the\s+next\s+)?(?P<length>{dates.DURATION})"
)
SURE_LEADS = ("by", "due", "deadline", "no later", "finish", "done")


def read_timeline(r: Reading) -> list[Part]:
    """Start and due dates; 'before 2026-05-01' beside a date column is a filter, not a deadline."""
    found: list[Part] = []
    for m in r.find(DUE):
        bare = not m["lead"].startswith(SURE_LEADS)
        weekday = m["when"].split()[-1] in dates.DAY_NAMES
        if bare and not weekday:
            continue
        day = _due(m["when"], r)
        if day:
            found.append(_taken(r, f"Due {day}", m.span(), {"due": day}, "due"))
    for m in r.find(START):
        day = _due(m["when"], r)
        if day:
            found.append(_taken(r, f"Starts {day}", m.span(), {"start": day}, "due"))
    for m in r.find(WITHIN):
        end = dates.forward(m["length"], r.now)
        if end:
            found.append(_taken(r, f"Due {end}", m.span(), {"due": end.isoformat()}, "due"))
    return found


def _due(text: str, r: Reading) -> str | None:
    if text in ("eod", "eow") or text.startswith("end of"):
        unit = {"eod": "day", "eow": "week"}.get(text, text.rsplit(maxsplit=1)[-1])
        if unit == "day":
            return r.now.date().isoformat()
        span = dates.read(f"this {unit}", r.now)
    elif text.rsplit(maxsplit=1)[-1] in dates.DAY_NAMES:
        day = dates.coming(text.rsplit(maxsplit=1)[-1], r.now)
        return day.isoformat() if day else None
    else:
        span = dates.read(text, r.now, ahead=True)
    return span.high.isoformat() if span else None


FORBID = re.compile(
    rf"(?P<names>\b(?:{one_of(n for names in data()['tone']['names'].values() for n in names)})\b)"
)
WANT = re.compile(rf"\b(?:{one_of(data()['tone']['want']['words'])})(?:\s+tone)?\b")
FREE = re.compile(r"-free\b")


def read_tone(r: Reading) -> Part | None:
    """Wished words and forbidden lists; a list is forbidden only by a negation before it."""
    ranges: list[Range] = []
    forbid: list[str] = []
    topics: list[str] = []
    for m in r.find(FORBID):
        topic = next(k for k, names in data()["tone"]["names"].items()
                     if re.sub(r"[\s-]+", " ", m.group()) in names)  # fmt: skip
        mark = _negated(r, m.start(), ranges)
        free = FREE.match(r.low, m.end())
        if not (mark or free):
            continue  # asking for promotion is no rule of ours: it stays listed
        ranges += [mark] if mark else []
        ranges.append((m.start(), free.end() if free else m.end()))
        topics.append(m.group())
        forbid += [w for w in data()["tone"]["forbid"][topic] if w not in forbid]
    want = [(m.group(), m.span()) for m in r.find(WANT) if not _negated(r, m.start(), [])]
    if not (want or forbid):
        return None
    ranges += [span for _, span in want]
    r.take(*ranges)
    words = list(dict.fromkeys(word.removesuffix(" tone") for word, _ in want))
    text = "; ".join(
        filter(None, (", ".join(words), f"no {', no '.join(topics)}" if topics else ""))
    )
    return Part(f"Tone: {text}.", tuple(ranges), ("tone",), {"forbid": forbid, "want": words})


def _negated(r: Reading, at: int, used: list[Range]) -> Range | None:
    """'no', 'without', 'not too' just before, or one already used for the word before 'or'/'and'."""
    start = max(r.clause(at)[0], at - 40)
    for mark in reversed(list(NEGATION.finditer(r.low, start, at))):
        gap = r.low[mark.end() : at]
        direct = re.fullmatch(
            r"[\s\-]*(?:(?:any|be|too|sound|use|a|of|the|contain|with|include)\s+)*", gap
        )
        listed = mark.span() in used and re.fullmatch(r"[\w\s\-]+\b(?:or|and)\s+(?:any\s+)?", gap)
        if (direct and r.free(*mark.span())) or listed:
            return mark.span()
    return None


def read_promises(r: Reading) -> list[tuple[str, Part]]:
    """Rules the system keeps anyway, when the words name them."""
    found = []
    for kind, (pattern, text) in PROMISES.items():
        for m in r.find(pattern):
            found.append((kind, _taken(r, text, m.span(), {}, "policy")))
            break
    return found
