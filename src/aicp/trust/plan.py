"""The typed plan: what exactly will be called, where each value comes from, how it is undone.

A plan is data. People approve its digest; the gate lets only its calls through (agents.md A3).
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import core_schema

from aicp.kernel.canonical import digest
from aicp.toolkits.model import UndoTier

Risk = Literal["low", "medium_low", "medium", "high", "critical"]


class Frozen(BaseModel):
    # NaN stays NaN in the text a digest is made of, and is refused there.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class AsText:
    """Writes an enum of strings as the string it is, which is many times faster than by its value."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        schema = handler(source)
        schema["serialization"] = core_schema.to_string_ser_schema()
        return schema


class Provenance(Frozen):
    """Where a value comes from. `trusted` is False for what was first seen in untrusted content."""

    source: Literal["intent", "cell", "formula", "template", "policy", "human", "agent", "output"]
    where: str  # "words 12-20: 'over $50k'", "accounts.csv row A-017 column email", "step 3"
    trusted: bool = True


class Ref(Frozen):
    """An argument taken from an earlier step's output; `domain` is a JSON Schema it must meet."""

    step: int
    path: str  # dotted path into the outcome's data
    domain: dict[str, Any]


class Step(Frozen):
    """One call of the plan. `refs` name arguments that are not literal."""

    seq: int  # 1, 2, 3 ... without gaps
    tool: str  # "table.update@<schema hash>"
    account: str
    args: dict[str, Any]
    refs: dict[str, Ref] = Field(default_factory=dict)
    provenance: dict[str, Provenance]  # one for each argument (dotted for nested ones)
    effect: str  # what changes in the world, one sentence
    mutates: bool
    undo_tier: Annotated[UndoTier, AsText()]
    undo: str  # how it is taken back, or why it cannot be
    subject: str = ""  # whom or what it is about: "Acme Castings <kim@acme.example>"
    group: str = ""  # steps of a group are shown together: "Draft the mails"
    zone: str = ""  # IANA zone of the recipient, for send windows
    expect_version: str = ""  # version of the touched row when it was read ("" : nothing read)

    @property
    def tool_name(self) -> str:
        return self.tool.split("@", 1)[0]

    @property
    def toolkit(self) -> str:
        return self.tool.split(".", 1)[0]


class Safeguard(Frozen):
    """A rule the run must keep. `kind` decides the check, `params` are its typed parameters.

    window     {"weekdays": [1..7], "from": "09:00", "until": "17:00", "zone": "recipient"|IANA,
                "zone_column": "timezone"}
    exclusion  {"column": str, "values": [..], "keys": [row keys], "addresses": [..]}
    tone       {"forbid": [words], "want": [words]}
    rate       {"toolkit": str, "count": int, "seconds": int, "per_minute": int}
    budget     {"max_calls": int, "max_recipients": int, "max_amount": number}
    audience   {"max_recipients": int, "addresses": [..]}
    rollback   {}   every mutating step must have an undo tier of at most T3
    records    {}   decisions and blockers are documented (always kept by the journal)
    privacy    {}   personal data never leaves the approved recipients
    access     {"read": {"accounts": [globs], "columns": [globs], "paths": [globs]}, "write": {...}}
    approval   {"by": "governance"|"lead"|"owner", "tools": [globs], "tiers": ["T4", "T5"]}
    """

    id: str
    kind: Literal[
        "window",
        "exclusion",
        "tone",
        "rate",
        "budget",
        "audience",
        "rollback",
        "records",
        "privacy",
        "access",
        "approval",
    ]
    text: str  # the rule in words
    params: dict[str, Any] = Field(default_factory=dict)
    severity: Literal["low", "medium", "high", "critical"] = "medium"
    source: Literal["user", "default", "policy"] = "user"


class ScoreTerm(Frozen):
    name: str  # coverage reversibility writes precedents cost
    value: float  # 0..1
    weight: float
    why: str  # the counted facts behind it


class Play(Frozen):
    """One way to do the mission, bound to real values and ready to be approved."""

    id: str  # of the play file: "win-back"
    title: str
    summary: str  # what happens, one or two sentences with counts
    rationale: str  # why it ranks where it does
    steps: tuple[Step, ...]
    score: float  # weighted mean of the terms, 0..1
    terms: tuple[ScoreTerm, ...]
    impact: Literal["low", "medium", "high", "critical"]
    reversibility: Literal["high", "medium", "low", "none", "read-only"]
    risk: Risk
    affected: dict[str, int]  # counted: {"rows": 20, "mails": 20, "events": 20}
    estimate: dict[str, Any] = Field(default_factory=dict)  # {"seconds": .., "formula": ..}
    notes: tuple[str, ...] = ()  # limits and conflicts, as sentences
    degraded: bool = False  # a scope or resource it wants is missing


class Plan(Frozen):
    """What an approval binds: the selected play, its safeguards, its scopes, the data it saw."""

    mission_id: str
    play: Play
    safeguards: tuple[Safeguard, ...]
    scopes: tuple[str, ...]
    data_versions: dict[str, str]  # account -> Resource.version at planning

    @property
    def digest(self) -> str:
        """SHA-256 over the RFC 8785 form of the whole plan as it is now (TR-10).

        The gate asks before every call, so it is kept by content: a plan that was changed in any
        byte, even in memory, gets another text and with it another digest.

        Raises:
            ValueError: the plan holds a value that is not JSON.
        """
        return _digest_of(self.model_dump_json())


@lru_cache(maxsize=64)
def _digest_of(text: str) -> str:
    return digest(json.loads(text))


# Impact x reversibility (domain.md 5, TR-8).
RISK: dict[str, tuple[Risk, Risk, Risk, Risk]] = {
    "high": ("low", "medium_low", "medium", "high"),
    "medium": ("low", "medium", "high", "critical"),
    "low": ("medium", "high", "critical", "critical"),
    "none": ("medium", "high", "critical", "critical"),
}
IMPACTS = ("low", "medium", "high", "critical")


def risk_of(impact: str, reversibility: str) -> Risk:
    """The risk of a play (TR-8); a read-only play is always low."""
    if reversibility == "read-only":
        return "low"
    return RISK[reversibility][IMPACTS.index(impact)]


def reversibility_of(
    steps: tuple[Step, ...],
) -> Literal["high", "medium", "low", "none", "read-only"]:
    """The worst step decides: T1 to T3 high, T4 low, T5 none; T2 medium."""
    tiers = {step.undo_tier for step in steps if step.mutates}
    if not tiers:
        return "read-only"
    if UndoTier.T5 in tiers:
        return "none"
    if UndoTier.T4 in tiers:
        return "low"
    return "medium" if UndoTier.T2 in tiers else "high"
