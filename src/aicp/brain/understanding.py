"""Plain words plus described resources in, a typed brief out (agents.md D2): no model, no guesses.

Readers run one after another, each taking the letters it understood. What is left over is listed;
a left-over negation, number, exclusion or verb becomes a question that blocks the lock.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aicp.brain import guards
from aicp.brain.amounts import WORDS
from aicp.brain.brief import Brief, Chip, ChipKind, Condition, Goal, Question, Span
from aicp.brain.confidence import RULES, weakest
from aicp.brain.filters import (
    check_consistent,
    condition_text,
    read_addresses,
    read_comparisons,
    read_values,
)
from aicp.brain.goals import read_goal, read_message
from aicp.brain.lexicon import lexicon
from aicp.brain.ranking import plain_limit, read_limit, settle_order
from aicp.brain.reading import NEGATION, Part, Reading, entity_words, title_words
from aicp.brain.text import Token, tokens
from aicp.brain.times import read_times
from aicp.brain.vocabulary import word_set
from aicp.brain.windows import read_window
from aicp.errors import BadInput
from aicp.toolkits.model import Resource
from aicp.trust.plan import Safeguard

LONGEST = 20_000  # characters
LEAVE_OUT = "Leave it out"
EMAIL = re.compile(r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+")
SEVERITY = {"exclusion": "critical", "window": "high", "budget": "high", "privacy": "high"}


@dataclass(slots=True)
class _Found:
    """Parts by kind, in the order they were read; guards with their kind."""

    guards: list[tuple[str, Part]] = field(default_factory=list)
    kpis: list[Part] = field(default_factory=list)
    timeline: list[Part] = field(default_factory=list)


def understand(intent: str, resources: Sequence[Resource], *, now: datetime) -> Brief:
    """The typed brief of an intent.

    Args:
        intent: what a person wrote, at most 20,000 characters.
        resources: what is connected, as described by read-only inspection.
        now: an aware time; every relative date is read from it.

    Raises:
        BadInput: the intent is empty or too long.
    """
    check_length(intent)
    r = Reading(intent, now, *_table(intent, resources))
    _ask_which_table(r, resources)
    message = read_message(r)
    found = _Found()
    found.guards += guards.read_caps(r)
    found.kpis += guards.read_kpis(r)
    found.guards += guards.read_promises(r)
    window = read_window(r)
    found.guards += [("window", window)] if window else []
    found.timeline += guards.read_timeline(r)
    tone = guards.read_tone(r)
    found.guards += [("tone", tone)] if tone else []
    goal = read_goal(r, message)
    _audience(r)
    found.guards += _exclusions(r)
    chips = [*_objective(r, goal), *_rows(r), *_numbered(r, found)]
    left = _left_over(r, chips)
    chips = [_doubted(chip, left, r.questions) for chip in chips]
    return Brief(
        intent=intent, brain="rules", chips=tuple(chips), not_understood=left, questions=tuple(r.questions)
    )  # fmt: skip


def check_length(intent: str) -> None:
    """Refuse an empty or endless text in a sentence."""
    if not intent.strip():
        raise BadInput("The intent is empty.", hint="Say in a sentence what should be done.")
    if len(intent) > LONGEST:
        raise BadInput(
            f"The intent has {len(intent):,} characters; at most {LONGEST:,} are read.",
            hint="Say what should be done in a few sentences; connect data instead of pasting it.",
        )


def _table(intent: str, resources: Sequence[Resource]):  # noqa: ANN202 (splatted into Reading)
    """The table the words are about, with its lexicon: the one most words belong to."""
    tables = [t for t in resources if t.toolkit == "table"]
    scored = [(_score(intent, t), -i, t) for i, t in enumerate(tables)]
    table = max(scored)[2] if scored else None
    return table, lexicon(table)


def _score(intent: str, table: Resource) -> int:
    names = title_words(table)
    named = sum(1 for t in tokens(intent) if t.low in names)
    return 2 * named + len(lexicon(table).mentions(intent))


def _ask_which_table(r: Reading, resources: Sequence[Resource]) -> None:
    tables = [t for t in resources if t.toolkit == "table"]
    if not tables:
        r.ask("No table is connected, so there are no rows to work on. Connect one first.", None)
        return
    scores = [_score(r.intent, t) for t in tables]
    best = [t.account for t, s in zip(tables, scores, strict=True) if s == max(scores)]
    if len(best) > 1:
        r.ask(f"Which table is meant: {' or '.join(best)}?", None, best)


def _audience(r: Reading) -> None:
    if r.table is None:
        return
    tops = read_limit(r)
    read_times(r)
    read_addresses(r, EMAIL)
    read_comparisons(r)
    read_values(r)
    settle_order(r, tops)
    plain_limit(r)
    check_consistent(r)


def _objective(r: Reading, goal: tuple[Goal, Part] | None) -> list[Chip]:
    if goal is None:
        return []
    value, part = goal
    rule = weakest(part.rules)
    return [
        Chip(id="objective", kind="objective", text=part.text, confidence=rule.confidence,
             rule=rule.why, spans=r.spans(part.ranges), goal=value)
    ]  # fmt: skip


def _rows(r: Reading) -> list[Chip]:
    if r.table is None:
        return []
    f = r.filters
    ranges = [span for part in f.parts for span in part.ranges]
    rules = [name for part in f.parts for name in part.rules] or ["whole_table"]
    rule = weakest(rules)
    return [
        Chip(id="audience", kind="audience", text=_audience_text(r), confidence=rule.confidence,
             rule=rule.why, spans=r.spans(ranges), source="generated" if ranges else "default",
             audience=f.audience(r.table.account))
    ]  # fmt: skip


def _audience_text(r: Reading) -> str:
    f = r.filters
    first = f"the first {f.limit}" if f.limit else "all"
    order = (
        f", by {f.order_by} {'from the top' if f.descending else 'from the bottom'}"
        if f.order_by
        else ""
    )
    where = "; ".join(condition_text(c) for c in f.where)
    out = "; ".join(condition_text(c) for c in f.exclude)
    account = r.table.account if r.table else ""
    return (
        f"{first.capitalize()} rows of {account}{' where ' + where if where else ''}"
        f"{', never where ' + out if out else ''}{order}."
    )


def _exclusions(r: Reading) -> list[tuple[str, Part]]:
    """Each exclusion is a filter and a safeguard: the gate checks it again at every call."""
    emails = {c.name for c in r.columns if c.kind == "email"}
    return [
        ("exclusion", Part(f"Never touch rows where {condition_text(condition)}.", part.ranges,
                           part.rules, _exclusion_params(condition, emails)))
        for condition, part in r.filters.excluded
    ]  # fmt: skip


def _exclusion_params(condition: Condition, emails: set[str]) -> dict[str, Any]:
    single = [condition.value] if condition.op == "eq" else []
    return {
        "column": condition.column,
        "values": condition.value if condition.op == "in" else single,
        "keys": [],
        "addresses": single if condition.column in emails else [],
    }


def _numbered(r: Reading, found: _Found) -> list[Chip]:
    chips = [_chip(r, f"kpi-{n}", "kpi", part) for n, part in enumerate(found.kpis, 1)]
    chips += [
        _chip(r, f"timeline-{n}", "timeline", part) for n, part in enumerate(found.timeline, 1)
    ]
    chips += [_guarded(r, f"safeguard-{n}", *one) for n, one in enumerate(found.guards, 1)]
    return chips + _defaults(chips)


def _chip(r: Reading, chip_id: str, kind: ChipKind, part: Part) -> Chip:
    rule = weakest(part.rules)
    return Chip(id=chip_id, kind=kind, text=part.text, confidence=rule.confidence, rule=rule.why,
                spans=r.spans(part.ranges), data=part.value)  # fmt: skip


def _guarded(r: Reading, chip_id: str, kind: str, part: Part) -> Chip:
    guard = Safeguard.model_validate({
        "id": chip_id, "kind": kind, "text": part.text, "params": part.value,
        "severity": SEVERITY.get(kind, "medium"), "source": "user",
    })  # fmt: skip
    plain = _chip(r, chip_id, "safeguard", part)
    return plain.model_copy(update={"safeguard": guard, "data": {}})


def _defaults(chips: list[Chip]) -> list[Chip]:
    """domain.md 2: what every mission keeps when its words name none of the kind."""
    named = {c.safeguard.kind for c in chips if c.safeguard}
    start = 1 + sum(c.kind == "safeguard" for c in chips)
    missing = [(kind, text) for kind, text in guards.DEFAULTS if kind not in named]
    rule = RULES["default"]
    return [
        Chip(id=f"safeguard-{n}", kind="safeguard", text=text, confidence=rule.confidence, rule=rule.why,
             source="default", safeguard=Safeguard.model_validate(
                 {"id": f"safeguard-{n}", "kind": kind, "text": text, "source": "default"}))
        for n, (kind, text) in enumerate(missing, start)
    ]  # fmt: skip


def _left_over(r: Reading, chips: list[Chip]) -> tuple[Span, ...]:
    """Words nobody took. Listed all; asked about when they could turn or widen the mission."""
    left: list[Span] = [r.span(*at) for at in r.asked]
    marks = [m.span() for m in NEGATION.finditer(r.low)]
    quiet = word_set("filler") | entity_words(r.table)
    for token in tokens(r.intent):
        if not r.free(token.start, token.end):
            continue
        mark = next(((s, e) for s, e in marks if s <= token.start < e), None)
        why = _weight(r, token, negation=mark is not None)
        if mark and token.start != mark[0] and r.free(*mark):
            continue  # the marker's first word already asked
        if why:
            at = mark if mark and r.free(*mark) else (token.start, token.end)
            left.append(r.span(*at))
            _ask_about(r, at, why)
        elif token.low not in quiet and token.stem not in quiet and len(token.low) > 1:
            left.append(r.span(token.start, token.end))
    return _digits_listed(r, chips, left)


def _doubted(chip: Chip, left: Sequence[Span], questions: Sequence[Question]) -> Chip:
    """An audience beside words nobody took and no question asks about needs a person's review.

    'in Berlin' over a table that holds no Berlin must not silently mean every row.
    """
    asked = [q.span for q in questions if q.span]
    unread = [s for s in left if not any(q.start < s.end and s.start < q.end for q in asked)]
    if chip.kind != "audience" or not unread:
        return chip
    rule = RULES["unread_words"]
    doubt = {"confidence": min(chip.confidence, rule.confidence), "rule": rule.why}
    return chip.model_copy(
        update=doubt | {"source": "generated", "spans": chip.spans or tuple(unread)}
    )


def _weight(r: Reading, token: Token, *, negation: bool) -> str:
    """Why a left-over word must be asked about; '' when listing it is enough."""
    if negation:
        return "negation"
    if any(c.isdigit() for c in token.text) or token.low in WORDS:
        return "number"
    start = r.clause(token.start)[0]
    lead = r.low[start : token.start]
    opens = re.fullmatch(r"\W*(?:(?:and|then|please|also)\s+)*", lead) is not None
    nouns = entity_words(r.table)  # 'invoice' is a verb only where a clause opens with it
    if {token.low, token.stem} & word_set("verbs") and (opens or token.low not in nouns):
        return "verb"
    known = word_set("filler") | nouns
    return "verb" if opens and token.low not in known and token.low.isalpha() and start == 0 else ""


def _ask_about(r: Reading, at: tuple[int, int], why: str) -> None:
    end = min(r.clause(at[0])[1], at[0] + 60)
    said = r.said(at[0], max(end, at[1])).strip()
    texts = {
        "negation": f"'{said}' was not understood. What should be left out or not done?",
        "number": f"What does '{r.said(*at)}' count or limit?",
        "verb": f"No connected play does '{r.said(*at)}'. What should happen, or can it be left out?",
    }
    number = len(r.questions) + 1
    r.questions.append(
        Question(id=f"question-{number}", text=texts[why], span=r.span(*at), options=(LEAVE_OUT,))
    )


def _digits_listed(r: Reading, chips: list[Chip], left: list[Span]) -> tuple[Span, ...]:
    """The last net: a number that no chip shows is listed and asked about, whoever took it."""
    seen = bytearray(len(r.intent))
    for span in (*left, *(s for chip in chips for s in chip.spans)):
        seen[span.start : span.end] = b"\x01" * (span.end - span.start)
    for m in re.finditer(r"\d+", r.intent):
        if not all(seen[m.start() : m.end()]):
            left.append(r.span(*m.span()))
            _ask_about(r, m.span(), "number")
    return tuple(
        sorted({(s.start, s.end): s for s in left}.values(), key=lambda s: (s.start, s.end))
    )
