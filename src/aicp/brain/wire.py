"""What a model may answer, in the closed schemas model APIs accept (no open objects).

Open values travel as JSON text and are checked when they are read back.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ValidationError

from aicp.brain.brief import Audience, Brief, Chip, Condition, Goal, Span
from aicp.errors import BadInput
from aicp.trust.plan import Safeguard


class SpanOut(BaseModel):
    start: int
    end: int
    text: str


class ConditionOut(BaseModel):
    column: str
    op: str
    value_json: str


class AudienceOut(BaseModel):
    account: str
    where: list[ConditionOut]
    exclude: list[ConditionOut]
    order_by: str
    descending: bool
    limit: int | None


class ChipOut(BaseModel):
    id: str
    kind: str
    text: str
    confidence: float
    rule: str
    source: str
    spans: list[SpanOut]
    goal: str
    verb: str
    audience: AudienceOut | None
    guard: str  # the safeguard's kind
    severity: str
    params_json: str  # of the goal, the safeguard, the measure or the dates


class BriefOut(BaseModel):
    """The Intake agent's answer."""

    chips: list[ChipOut]


class PlayChoice(BaseModel):
    id: str
    why: str
    params_json: str


class PlanOut(BaseModel):
    """The Planner agent's answer: plays in its order."""

    plays: list[PlayChoice]


class EvidenceOut(BaseModel):
    """The Evidence agent's answer."""

    summary: str


def brief_out(brief: Brief) -> BriefOut:
    """A brief in the wire form."""
    return BriefOut(chips=[_chip_out(chip) for chip in brief.chips])


def _chip_out(chip: Chip) -> ChipOut:
    params = (
        chip.goal.params if chip.goal else chip.safeguard.params if chip.safeguard else chip.data
    )
    return ChipOut(
        id=chip.id, kind=chip.kind, text=chip.text, confidence=chip.confidence, rule=chip.rule,
        source=chip.source, spans=[SpanOut(**s.model_dump()) for s in chip.spans],
        goal=chip.goal.goal if chip.goal else "", verb=chip.goal.verb if chip.goal else "",
        audience=_audience_out(chip.audience) if chip.audience else None,
        guard=chip.safeguard.kind if chip.safeguard else "",
        severity=chip.safeguard.severity if chip.safeguard else "medium",
        params_json=json.dumps(params, ensure_ascii=False),
    )  # fmt: skip


def _audience_out(audience: Audience) -> AudienceOut:
    def out(conditions: tuple[Condition, ...]) -> list[ConditionOut]:
        return [
            ConditionOut(column=c.column, op=c.op, value_json=json.dumps(c.value))
            for c in conditions
        ]

    return AudienceOut(
        account=audience.account, where=out(audience.where), exclude=out(audience.exclude),
        order_by=audience.order_by, descending=audience.descending, limit=audience.limit,
    )  # fmt: skip


def brief_in(text: str, intent: str, brain: str) -> Brief:
    """A model's answer as a typed brief.

    Raises:
        BadInput: it is not JSON, or not of the schema, or an inner value is not of its type.
    """
    try:
        wire = BriefOut.model_validate_json(text)
        chips = tuple(_chip_in(chip) for chip in wire.chips)
    except (ValidationError, ValueError, TypeError, RecursionError) as error:
        raise BadInput(
            "The model's answer is not a brief.", hint="The rules brain answers instead."
        ) from error
    return Brief(intent=intent, brain=brain, chips=chips)


def _chip_in(chip: ChipOut) -> Chip:
    params: dict[str, Any] = json.loads(chip.params_json or "{}")
    if not isinstance(params, dict):
        raise ValueError("params_json is no object")  # noqa: TRY004 (one error for the caller)
    fields: dict[str, Any] = chip.model_dump(
        include={"id", "kind", "text", "confidence", "rule", "source"}
    )
    guard = Safeguard.model_validate({
        "id": chip.id, "kind": chip.guard, "text": chip.text, "params": params, "severity": chip.severity,
        "source": "default" if chip.source == "default" else "user",
    }) if chip.kind == "safeguard" else None  # fmt: skip
    return Chip.model_validate(fields | {
        "spans": [Span(**s.model_dump()) for s in chip.spans],
        "goal": Goal(goal=chip.goal, verb=chip.verb, params=params) if chip.kind == "objective" else None,
        "audience": _audience_in(chip.audience) if chip.audience and chip.kind == "audience" else None,
        "safeguard": guard,
        "data": params if chip.kind in ("kpi", "timeline") else {},
    })  # fmt: skip


def _audience_in(audience: AudienceOut) -> Audience:
    def read(conditions: list[ConditionOut]) -> list[dict[str, Any]]:
        return [
            {"column": c.column, "op": c.op, "value": json.loads(c.value_json or "null")}
            for c in conditions
        ]

    return Audience.model_validate(
        audience.model_dump() | {"where": read(audience.where), "exclude": read(audience.exclude)}
    )
