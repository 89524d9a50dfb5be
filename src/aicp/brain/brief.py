"""The typed brief: what a mission asks for, each part with the words it came from."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from aicp.trust.plan import Frozen, Safeguard

ChipKind = Literal["objective", "audience", "kpi", "timeline", "safeguard"]


class Span(Frozen):
    """A stretch of the intent: text == intent[start:end]."""

    start: int
    end: int
    text: str


class Condition(Frozen):
    """One filter over a column the table really has."""

    column: str
    op: Literal[
        "eq", "ne", "in", "not_in", "gt", "ge", "lt", "le", "between", "contains", "empty", "filled"
    ]
    value: Any = None  # JSON: number, ISO date, text, list, or [low, high] for between (inclusive)


class Audience(Frozen):
    """Which rows: `where` must hold, `exclude` must not, then the first `limit` in `order_by`."""

    account: str  # the table's Resource.account
    where: tuple[Condition, ...] = ()
    exclude: tuple[Condition, ...] = ()
    order_by: str = ""
    descending: bool = True
    limit: int | None = None


class Goal(Frozen):
    """What is wanted, as a play goal and its parameters."""

    goal: str  # a goal named by a play file: "win_back", "normalise_phones", ...; "" when none fits
    verb: str = ""  # the user's verb
    params: dict[str, Any] = Field(default_factory=dict)


class Chip(Frozen):
    """One part of the brief. confidence >= .8 High, .5 to .8 Medium, below Needs Review."""

    id: str  # "objective", "audience", "kpi-1", "safeguard-2"
    kind: ChipKind
    text: str  # the part in plain words
    confidence: float
    rule: str  # the rule behind the confidence, one short sentence
    spans: tuple[Span, ...] = ()  # empty only for defaults
    source: Literal["generated", "user", "default"] = "generated"
    goal: Goal | None = None  # objective
    audience: Audience | None = None  # audience
    safeguard: Safeguard | None = None  # safeguard
    data: dict[str, Any] = Field(
        default_factory=dict
    )  # kpi: {metric, op, value}; timeline: {start, due}


class Question(Frozen):
    """What a person must answer before the brief may be locked."""

    id: str
    text: str
    span: Span | None = None
    options: tuple[str, ...] = ()


class Brief(Frozen):
    """The whole understanding of an intent. Not understood means listed, never guessed."""

    intent: str
    brain: str  # "rules" or the model's name: shown as a badge
    chips: tuple[Chip, ...]
    not_understood: tuple[Span, ...] = ()
    questions: tuple[Question, ...] = ()

    def chips_of(self, kind: ChipKind) -> tuple[Chip, ...]:
        return tuple(chip for chip in self.chips if chip.kind == kind)

    @property
    def objective(self) -> Chip | None:
        return next(iter(self.chips_of("objective")), None)

    @property
    def audience(self) -> Audience | None:
        return next((chip.audience for chip in self.chips_of("audience")), None)

    @property
    def safeguards(self) -> tuple[Safeguard, ...]:
        return tuple(c.safeguard for c in self.chips_of("safeguard") if c.safeguard is not None)


class ReadRequest(Frozen):
    """A read the Inspector must make before a play can be bound to real values."""

    id: str  # stable: the planner finds the answer under it
    toolkit: str
    account: str
    tool: str  # a tool with mutates=False
    args: dict[str, Any]
    purpose: str  # one sentence for people


class CoveragePart(Frozen):
    name: Literal["objective", "data", "safeguards", "connections"]
    percent: float
    weight: float
    gaps: tuple[str, ...] = ()


class Coverage(Frozen):
    """How much of the brief the connected resources can serve (TR-6: 85 % opens the Plan)."""

    percent: float
    parts: tuple[CoveragePart, ...]
