"""Filters over date columns: 'went quiet in Q2', 'no activity for 90 days', 'due before 1 June'."""

from __future__ import annotations

import re
from datetime import date, timedelta

from aicp.brain import dates
from aicp.brain.brief import Condition
from aicp.brain.filters import _file
from aicp.brain.lexicon import Mention
from aicp.brain.reading import Range, Reading
from aicp.brain.text import name_words
from aicp.brain.vocabulary import data, one_of

PHRASE = re.compile(
    rf"\b(?:since|for)\s+(?:the\s+)?(?:more\s+than|over|at\s+least|last|past)?\s*(?P<for>{dates.DURATION})\b"
    rf"|\b(?:in|within|during|over)\s+the\s+(?:last|past)\s+(?P<last>{dates.DURATION})\b"
    rf"|\b(?:in|within|during)\s+the\s+next\s+(?P<next>{dates.DURATION})\b"
    rf"|\b(?:more\s+than|over|at\s+least)\s+(?P<ago>{dates.DURATION})\s+ago\b"
    rf"|\b(?P<age>older|newer|younger)\s+than\s+(?P<than>{dates.DURATION})\b"
    rf"|\bbetween\s+(?P<a>{dates.WHEN})\s+and\s+(?P<b>{dates.WHEN})"
    rf"|\b(?P<prep>in|during|on|before|after|since|from|until|till|prior\s+to)\s+(?:the\s+)?(?P<when>{dates.WHEN})"
    r"|\b(?P<rel>(?:last|this|next|previous)\s+(?:week|month|quarter|year)|today|yesterday)\b"
)
OVERDUE = re.compile(r"\b(?:overdue|past\s+due)\b(?:\s+(?:by|for)\s+(?:more\s+than|over|at\s+least)?\s*"
                     rf"(?P<by>{dates.DURATION}))?")  # fmt: skip
AGO = re.compile(rf"\b(?P<by>{dates.DURATION})\s+overdue\b")
FUTURE = ("due", "ends")


def read_times(r: Reading) -> None:
    """Every time phrase with the date column it is about; unclear ones become questions."""
    _overdue(r)
    for m in r.find(PHRASE):
        about = _about(r, m.span())
        if about is None:
            continue
        column, rule, at, concept, word = about
        idle = word in data()["events"].get(concept, {}).get("idle", ())
        _one(r, m, column, (rule,), at, concept=concept, idle=idle)
    _idle_without_time(r)


def _one(
    r: Reading, m: re.Match[str], column: str, rules: tuple[str, ...], at: Range | None,
    *, concept: str, idle: bool,
) -> None:  # fmt: skip
    ranges = [m.span(), *([at] if at else [])]
    start = min(a for a, _ in ranges)
    mark = r.negation_before(start)
    negative = bool(mark) or idle
    made = _condition(r, m, column, negative=negative, idle=idle, ahead=concept in FUTURE)
    if made is None:
        return
    condition, out, extra = made
    if mark:
        ranges.append(mark)
        absorbed = m["for"] or m["last"] or m["prep"] in ("since", "from")
        out = out or not absorbed
    if idle and extra == "quiet_in" and not _turned(r, start):
        out, extra = True, "idle_in"
    _file(r, condition, (*rules, *([extra] if extra else [])), ranges, out=out)


def _condition(
    r: Reading, m: re.Match[str], column: str, *, negative: bool, idle: bool, ahead: bool
) -> tuple[Condition, bool, str] | None:
    """(condition, excluded?, extra rule). `negative`: the words say the event did not happen."""
    kind = r.column(column).kind
    today = r.now.date()
    if length := m["for"] or m["ago"]:
        limit = dates.back(length, r.now)
        op = "le" if negative or m["ago"] else "ge"
        return limit and (Condition(column=column, op=op, value=_end(limit, kind, op)), False, "")
    if m["last"]:
        limit = dates.back(m["last"], r.now)
        return limit and (Condition(column=column, op="ge", value=limit.isoformat()), negative, "")
    if m["next"]:
        limit = dates.forward(m["next"], r.now)
        return limit and (_between(column, kind, today, limit), False, "")
    if m["than"]:
        limit = dates.back(m["than"], r.now)
        op = "lt" if m["age"] == "older" else "gt"
        return limit and (Condition(column=column, op=op, value=limit.isoformat()), False, "")
    if m["a"]:
        a, b = (dates.read(m[k], r.now, ahead=ahead) for k in ("a", "b"))
        return (_between(column, kind, a.low, b.high), False, "") if a and b else None
    return _at(r, m, column, kind, negative=negative, idle=idle, ahead=ahead)


def _at(
    r: Reading, m: re.Match[str], column: str, kind: str, *, negative: bool, idle: bool, ahead: bool
) -> tuple[Condition, bool, str] | None:
    said = m["when"] or m["rel"]
    span = dates.read(said, r.now, ahead=ahead)
    if span is None:
        r.ask(f"'{said}' is no clear date. Which day is meant? (write it as 2026-01-31)", m.span())
        return None
    rule = "" if span.sure else "period"
    prep = re.sub(r"\s+", " ", m["prep"] or "in")
    if prep in ("before", "prior to"):
        return Condition(column=column, op="lt", value=span.low.isoformat()), False, rule
    if prep == "after":
        return Condition(column=column, op="gt", value=_end(span.high, kind, "gt")), False, rule
    if prep in ("since", "from"):
        op = "lt" if negative else "ge"
        return Condition(column=column, op=op, value=span.low.isoformat()), False, rule
    if prep in ("until", "till"):
        return Condition(column=column, op="le", value=_end(span.high, kind, "le")), False, rule
    return _between(column, kind, span.low, span.high), False, "quiet_in" if idle else rule


def _between(column: str, kind: str, low: date, high: date) -> Condition:
    return Condition(column=column, op="between", value=[low.isoformat(), _end(high, kind, "le")])


def _end(day: date, kind: str, op: str) -> str:
    """The last moment of a day where the column has times; the day itself elsewhere."""
    return (
        f"{day.isoformat()}T23:59:59"
        if kind == "datetime" and op in ("le", "gt")
        else day.isoformat()
    )


def _turned(r: Reading, at: int) -> bool:
    """'went quiet in Q2' says when it turned; 'inactive in Q2' how it was."""
    lead = r.low[max(0, at - 14) : at]
    return re.search(r"\b(?:went|gone|going|became|fell|turned|grew|lapsed)\s*$", lead) is not None


def _about(r: Reading, at: Range) -> tuple[str, str, Range | None, str, str] | None:
    """(column, rule, where it is said, event, event word) a time phrase is about."""
    start, end = r.clause(at[0])
    named = _nearest_column(r, at, start, end)
    event = _nearest_event(r, at, start, end)
    if named and (event is None or _gap(named[1], at) <= _gap(event[2], at)):
        column, where, rule = named
        return column, rule, where, _concept_of(column), ""
    dated = [c.name for c in r.columns if c.kind in ("date", "datetime")]
    if event:
        concept, word, where = event
        columns = event_columns(r, concept)
        if len(columns) == 1:
            return columns[0], "event", where, concept, word
        if len(columns) > 1:
            _which(r, (min(where[0], at[0]), max(where[1], at[1])), columns)
            return None
    elif len(dated) == 1:
        return dated[0], "only_date", None, "", ""
    if dated and not r.low[at[0] : at[1]].startswith(("today", "this")):
        _which(r, at, dated)
    return None


def _which(r: Reading, at: Range, columns: list[str]) -> None:
    said = r.said(*at)
    r.ask(f"Which date does '{said}' mean?", at, [f"{name} {said}" for name in columns])


def _nearest_column(r: Reading, at: Range, start: int, end: int) -> tuple[str, Range, str] | None:
    near: list[tuple[int, Mention]] = []
    for m in r.free_mentions():
        dated = [c for c in m.columns if r.column(c).kind in ("date", "datetime")]
        if not m.is_value and len(dated) == 1 and start <= m.start and m.end <= end:
            near.append((_gap((m.start, m.end), at), m))
    if not near or min(near, key=lambda p: p[0])[0] > 40:
        return None
    best = min(near, key=lambda p: p[0])[1]
    column = next(c for c in best.columns if r.column(c).kind in ("date", "datetime"))
    return column, (best.start, best.end), best.entries[0].rule


def _nearest_event(r: Reading, at: Range, start: int, end: int) -> tuple[str, str, Range] | None:
    found: list[tuple[int, str, str, Range]] = []
    for concept, spec in data()["events"].items():
        for m in re.finditer(rf"\b(?:{one_of(spec['words'])})\b", r.low[start:end]):
            place = (start + m.start(), start + m.end())
            if r.free(*place) or (at[0] <= place[0] and place[1] <= at[1]):
                found.append((_gap(place, at), concept, m.group(), place))
    near = [f for f in found if f[0] <= 60]
    if not near:
        return None
    _, concept, word, place = min(near)
    return concept, re.sub(r"[\s-]+", " ", word), place


def _gap(a: Range, b: Range) -> int:
    return max(0, b[0] - a[1], a[0] - b[1])


def event_columns(r: Reading, concept: str) -> list[str]:
    """Date columns whose name says what the event records, by the order of the concept's words."""
    dated = [c for c in r.columns if c.kind in ("date", "datetime")]
    for word in data()["events"][concept]["columns"]:
        same = [c.name for c in dated if word in name_words(c.name)]
        if same:
            return same
    return []


def _concept_of(column: str) -> str:
    words = set(name_words(column))
    return next((k for k, s in data()["events"].items() if words & set(s["columns"])), "")


def _overdue(r: Reading) -> None:
    for pattern in (AGO, OVERDUE):
        for m in r.find(pattern):
            columns = event_columns(r, "due")
            if len(columns) != 1:
                continue
            limit = dates.back(m["by"], r.now) if m["by"] else r.now.date()
            if limit is None:
                continue
            op = "le" if m["by"] else "lt"
            condition = Condition(column=columns[0], op=op, value=limit.isoformat())
            _file(r, condition, ("event",), (m.span(),))


def _idle_without_time(r: Reading) -> None:
    """'dormant accounts' without a time says nothing a date column could be compared with."""
    idle = one_of(data()["events"]["activity"]["idle"])
    for m in r.find(re.compile(rf"\b(?:{idle})\b")):
        if event_columns(r, "activity") and m.group() not in _values(r):
            start = r.now.date() - timedelta(days=90)
            r.ask(
                f"'{m.group()}' since when? Say for example 'for 90 days' (before {start}).",
                m.span(),
                ("no activity for 30 days", "no activity for 90 days", "no activity for 180 days"),
            )


def _values(r: Reading) -> set[str]:
    return {str(v).lower() for found in r.lexicon.bound.values() for v in found.values()}
