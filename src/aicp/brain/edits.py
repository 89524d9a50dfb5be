"""People correct a brief: they revise a part, accept it, or answer a question; the rest stays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from aicp.brain.brief import Audience, Brief, Chip, ChipKind, Question, Span
from aicp.brain.confidence import RULES
from aicp.brain.understanding import LEAVE_OUT, check_length, understand
from aicp.errors import BadInput
from aicp.toolkits.model import Resource


def accept(brief: Brief, chip_id: str) -> Brief:
    """A person takes a chip as it is: certain from now on, its words unchanged.

    Raises:
        BadInput: the brief has no such chip.
    """
    rule = RULES["accepted"]
    taken = _chip_of(brief, chip_id).model_copy(
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
    fresh = understand(_for_kind(kind, text), resources, now=now)
    said = [c for c in fresh.chips_of(kind) if c.source != "default"]
    if kind == "safeguard" and old and old.safeguard:
        said = [c for c in said if c.safeguard and c.safeguard.kind == old.safeguard.kind] or said
    open_questions = [q for q in fresh.questions if q.span is not None or kind == "objective"]
    if not said or open_questions:
        why = (
            open_questions[0].text if open_questions else f"'{text}' says nothing about the {kind}."
        )
        raise BadInput(f"The change was not understood: {why}", hint="Say it in other words.")
    _refuse_unread(said, fresh)
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
    _refuse_unread(said, fresh)
    for chip in said:
        rest = _joined(rest, chip, question)
    return rest


def _refuse_unread(said: Sequence[Chip], fresh: Brief) -> None:
    """A correction is taken for certain, so every word about the rows must have been understood."""
    if any(chip.rule == RULES["unread_words"].why for chip in said):
        words = ", ".join(f"'{span.text}'" for span in fresh.not_understood)
        raise BadInput(
            f"The change was not understood: {words} names no column or value of the table.",
            hint="Use the table's own words, or leave these out.",
        )


def _chip_of(brief: Brief, chip_id: str) -> Chip:
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
    kind = chip_id.split("-", maxsplit=1)[0]
    if kind not in ("objective", "audience", "kpi", "timeline", "safeguard"):
        raise BadInput(
            f"'{chip_id}' is no part of a brief.",
            hint="objective, audience, kpi-1, timeline-1 or safeguard-1.",
        )
    return kind


def _for_kind(kind: ChipKind, text: str) -> str:
    """The words to read. Nothing is added to them but what the kind already says."""
    check_length(text)
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
        return _with_chip(brief, _grown(old, old.audience, chip, chip.audience, spans))
    if chip.kind == "objective":
        return _with_chip(brief, chip.model_copy(update=update))
    number = 1 + max((int(c.id.split("-")[1]) for c in brief.chips_of(chip.kind)), default=0)
    update["id"] = f"{chip.kind}-{number}"
    if chip.safeguard:
        update["safeguard"] = chip.safeguard.model_copy(update={"id": update["id"]})
    return _with_chip(brief, chip.model_copy(update=update))


def _grown(old: Chip, a: Audience, new: Chip, b: Audience, spans: tuple[Span, ...]) -> Chip:
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
