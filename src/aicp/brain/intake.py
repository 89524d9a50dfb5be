"""Plain words plus described resources in, a typed brief out (agents.md D2): no model, no guesses.

Readers run one after another, each taking the letters it understood. What is left over is listed;
a left-over negation, number, exclusion or verb becomes a question that blocks the lock.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from aicp.brain import guards
from aicp.brain.amounts import WORDS
from aicp.brain.brief import Brief, Chip, ChipKind, Question, Span
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


def understand(intent: str, resources: Sequence[Resource], *, now: datetime) -> Brief:
    """The typed brief of an intent.

    Args:
        intent: what a person wrote, at most 20,000 characters.
        resources: what is connected, as described by read-only inspection.
        now: an aware time; every relative date is read from it.

    Raises:
        BadInput: the intent is empty or too long.
    """
    _check(intent)
    r = Reading(intent, now, *_table(intent, resources))
    _ask_which_table(r, resources)
    message = read_message(r)
    parts: list[tuple[ChipKind, str, Part]] = []
    parts += [("safeguard", kind, part) for kind, part in guards.read_caps(r)]
    parts += [("kpi", "", part) for part in guards.read_kpis(r)]
    parts += [("safeguard", kind, part) for kind, part in guards.read_promises(r)]
    window = read_window(r)
    parts += [("safeguard", "window", window)] if window else []
    parts += [("timeline", "", part) for part in guards.read_timeline(r)]
    tone = guards.read_tone(r)
    parts += [("safeguard", "tone", tone)] if tone else []
    goal = read_goal(r, message)
    _audience(r)
    chips = [*_objective(r, goal), *_rows(r), *_numbered(r, [*parts, *_exclusions(r)])]
    left = _left_over(r, chips)
    return Brief(
        intent=intent, brain="rules", chips=tuple(chips), not_understood=left, questions=tuple(r.questions)
    )  # fmt: skip


def accept(brief: Brief, chip_id: str) -> Brief:
    """A person takes a chip as it is: certain from now on, its words unchanged.

    Raises:
        BadInput: the brief has no such chip.
    """
    rule = RULES["accepted"]
    taken = _chip(brief, chip_id).model_copy(
        update={"confidence": rule.confidence, "rule": rule.why, "source": "user"}
    )
    return _with_chip(brief, taken)


def revise(
    brief: Brief, chip_id: str, text: str, resources: Sequence[Resource], now: datetime
) -> Brief:
    """A chip read again from a person's own words; every other chip stays as it is.

    The chip keeps pointing at the words of the intent it replaces. Questions about those words,
    and the question for a missing objective, are answered by it.

    Raises:
        BadInput: no such chip, or the words say nothing of its kind, or say it unclearly.
    """
    old = next((c for c in brief.chips if c.id == chip_id), None)
    kind = old.kind if old else _kind_of(chip_id)
    fresh = understand(_for_kind(kind, text, brief), resources, now=now)
    said = [c for c in fresh.chips_of(kind) if c.source != "default"]
    if kind == "safeguard" and old and old.safeguard:
        said = [c for c in said if c.safeguard and c.safeguard.kind == old.safeguard.kind] or said
    open_questions = [q for q in fresh.questions if q.span is not None or kind == "objective"]
    if not said or open_questions:
        why = (
            open_questions[0].text if open_questions else f"'{text}' says nothing about the {kind}."
        )
        raise BadInput(f"The change was not understood: {why}", hint="Say it in other words.")
    rule = RULES["person"]
    update = {"id": chip_id, "spans": old.spans if old else (), "source": "user",
              "confidence": rule.confidence, "rule": rule.why, "text": said[0].text}  # fmt: skip
    if said[0].safeguard:
        update["safeguard"] = said[0].safeguard.model_copy(update={"id": chip_id})
    revised = _settled(_with_chip(brief, said[0].model_copy(update=update)), old, kind)
    return _exclusions_kept(brief, revised, old, fresh)


def answer(
    brief: Brief, question_id: str, text: str, resources: Sequence[Resource], now: datetime
) -> Brief:
    """A person answers a question: 'Leave it out', or words that add to the brief.

    Raises:
        BadInput: no such question, or the words are not understood either.
    """
    question = next((q for q in brief.questions if q.id == question_id), None)
    if question is None:
        raise BadInput(f"There is no open question {question_id}.", hint="Read the brief again.")
    rest = brief.model_copy(
        update={"questions": tuple(q for q in brief.questions if q is not question)}
    )
    if text.strip() == LEAVE_OUT:
        return rest
    fresh = understand(text, resources, now=now)
    said = [c for c in fresh.chips if c.source != "default" and not _bare(c)]
    doubts = [q for q in fresh.questions if q.span is not None]
    if not said or doubts:
        why = doubts[0].text if doubts else f"'{text}' adds nothing to the brief."
        raise BadInput(f"The answer was not understood: {why}", hint=f"Or answer '{LEAVE_OUT}'.")
    for chip in said:
        rest = _joined(rest, chip, question)
    return rest


def _check(intent: str) -> None:
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


def _objective(r: Reading, goal) -> list[Chip]:  # noqa: ANN001 (the pair of read_goal)
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


def _exclusions(r: Reading) -> list[tuple[ChipKind, str, Part]]:
    """Each exclusion is a filter and a safeguard: the gate checks it again at every call."""
    found: list[tuple[ChipKind, str, Part]] = []
    emails = {c.name for c in r.columns if c.kind == "email"}
    for condition, part in r.filters.excluded:
        params = {
            "column": condition.column,
            "values": condition.value
            if condition.op == "in"
            else [condition.value]
            if condition.op == "eq"
            else [],
            "keys": [],
            "addresses": [condition.value]
            if condition.column in emails and condition.op == "eq"
            else [],
        }
        text = f"Never touch rows where {condition_text(condition)}."
        found.append(("safeguard", "exclusion", Part(text, part.ranges, part.rules, params)))
    return found


def _numbered(r: Reading, parts: list[tuple[ChipKind, str, Part]]) -> list[Chip]:
    chips: list[Chip] = []
    for kind in ("kpi", "timeline", "safeguard"):
        for n, (_, rule_kind, part) in enumerate((p for p in parts if p[0] == kind), 1):
            chips.append(_typed(r, f"{kind}-{n}", kind, rule_kind, part))
    return chips + _defaults(chips)


def _typed(r: Reading, chip_id: str, kind: ChipKind, rule_kind: str, part: Part) -> Chip:
    rule = weakest(part.rules)
    safeguard = None
    if kind == "safeguard":
        safeguard = Safeguard(
            id=chip_id, kind=rule_kind, text=part.text, params=part.value,
            severity=SEVERITY.get(rule_kind, "medium"), source="user",
        )  # fmt: skip
    return Chip(
        id=chip_id, kind=kind, text=part.text, confidence=rule.confidence, rule=rule.why,
        spans=r.spans(part.ranges), safeguard=safeguard, data={} if safeguard else part.value,
    )  # fmt: skip


def _defaults(chips: list[Chip]) -> list[Chip]:
    """domain.md 2: what every mission keeps when its words name none of the kind."""
    named = {c.safeguard.kind for c in chips if c.safeguard}
    start = 1 + sum(c.kind == "safeguard" for c in chips)
    missing = [(kind, text) for kind, text in guards.DEFAULTS if kind not in named]
    rule = RULES["default"]
    return [
        Chip(id=f"safeguard-{n}", kind="safeguard", text=text, confidence=rule.confidence, rule=rule.why,
             source="default", safeguard=Safeguard(id=f"safeguard-{n}", kind=kind, text=text, source="default"))
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


def _chip(brief: Brief, chip_id: str) -> Chip:
    found = next((c for c in brief.chips if c.id == chip_id), None)
    if found is None:
        ids = ", ".join(c.id for c in brief.chips)
        raise BadInput(f"The brief has no part '{chip_id}'.", hint=f"Its parts: {ids}.")
    return found


def _with_chip(brief: Brief, chip: Chip) -> Brief:
    if any(c.id == chip.id for c in brief.chips):
        chips = tuple(chip if c.id == chip.id else c for c in brief.chips)
    else:
        chips = (*brief.chips, chip)
    return brief.model_copy(update={"chips": chips})


def _kind_of(chip_id: str) -> ChipKind:
    kind = chip_id.split("-")[0]
    if kind not in ("objective", "audience", "kpi", "timeline", "safeguard"):
        raise BadInput(
            f"'{chip_id}' is no part of a brief.",
            hint="objective, audience, kpi-1, timeline-1 or safeguard-1.",
        )
    return kind


def _for_kind(kind: ChipKind, text: str, brief: Brief) -> str:
    """The words to read. Nothing is added to them but what the kind already says."""
    _check(text)
    return (
        f"deadline {text}"
        if kind == "timeline" and not re.search(r"\b(by|due|within|start)", text)
        else text
    )


def _settled(brief: Brief, old: Chip | None, kind: ChipKind) -> Brief:
    """Questions the new chip answers go away."""
    spans = old.spans if old else ()

    def stays(q: Question) -> bool:
        if q.span is None:
            return not (kind == "objective" and "what should be done" in q.text.lower())
        return not any(s.start < q.span.end and q.span.start < s.end for s in spans)

    return brief.model_copy(update={"questions": tuple(q for q in brief.questions if stays(q))})


def _exclusions_kept(before: Brief, after: Brief, old: Chip | None, fresh: Brief) -> Brief:
    """Audience and exclusion safeguards say the same: an exclusion goes only when it is edited."""
    chip = next(iter(after.chips_of("audience")), None)
    if chip is None or chip.audience is None or fresh.audience is None:
        return after
    kept = list(before.audience.exclude) if before.audience else []
    if old and old.safeguard and old.safeguard.kind == "exclusion":
        gone = old.safeguard.params
        kept = [c for c in kept if c.column != gone["column"]
                or gone["values"] not in ([], [c.value], c.value)]  # fmt: skip
    kept += [c for c in fresh.audience.exclude if c not in kept]
    audience = chip.audience.model_copy(update={"exclude": tuple(kept)})
    after = _with_chip(after, chip.model_copy(update={"audience": audience}))
    known = [s.params.get("values") for s in after.safeguards if s.kind == "exclusion"]
    for new in fresh.chips_of("safeguard"):
        guard = new.safeguard
        if guard and guard.kind == "exclusion" and guard.params["values"] not in known:
            number = 1 + max(int(c.id.split("-")[1]) for c in after.chips_of("safeguard"))
            named = guard.model_copy(update={"id": f"safeguard-{number}"})
            after = _with_chip(after, new.model_copy(update={
                "id": named.id, "safeguard": named, "source": "user", "confidence": 1.0,
                "rule": RULES["person"].why, "spans": old.spans if old else (),
            }))  # fmt: skip
    return after


def _bare(chip: Chip) -> bool:
    """An audience that says nothing: the whole table by default."""
    a = chip.audience
    return a is not None and not (a.where or a.exclude or a.order_by or a.limit)


def _joined(brief: Brief, chip: Chip, question: Question) -> Brief:
    """The answer's chip added: audiences grow, an objective replaces, the rest is appended."""
    rule = RULES["person"]
    spans = (question.span,) if question.span else ()
    update = {"source": "user", "confidence": rule.confidence, "rule": rule.why, "spans": spans}
    old = next((c for c in brief.chips_of(chip.kind)), None)
    if chip.kind == "audience" and old and old.audience and chip.audience:
        return _with_chip(brief, _grown(old, chip, spans))
    if chip.kind == "objective":
        return _with_chip(brief, chip.model_copy(update=update))
    number = 1 + max((int(c.id.split("-")[1]) for c in brief.chips_of(chip.kind)), default=0)
    update["id"] = f"{chip.kind}-{number}"
    if chip.safeguard:
        update["safeguard"] = chip.safeguard.model_copy(update={"id": update["id"]})
    return _with_chip(brief, chip.model_copy(update=update))


def _grown(old: Chip, new: Chip, spans: tuple[Span, ...]) -> Chip:
    assert old.audience and new.audience  # noqa: S101 (the caller looked)
    a, b = old.audience, new.audience
    audience = a.model_copy(
        update={
            "where": (*a.where, *(c for c in b.where if c not in a.where)),
            "exclude": (*a.exclude, *(c for c in b.exclude if c not in a.exclude)),
            "order_by": b.order_by or a.order_by,
            "descending": b.descending if b.order_by else a.descending,
            "limit": b.limit if b.limit is not None else a.limit,
        }
    )
    text = f"{old.text} And: {new.text}"
    return old.model_copy(update={"audience": audience, "text": text, "spans": (*old.spans, *spans),
                                  "source": "user", "confidence": 1.0, "rule": RULES["person"].why})  # fmt: skip
