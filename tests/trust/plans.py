"""A small plan of three calls, its tools, and the facts under which its cursor's call may happen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aicp.toolkits.model import ToolSpec, UndoTier
from aicp.trust.gate import Asked, Facts
from aicp.trust.plan import Plan, Play, Provenance, Ref, Safeguard, ScoreTerm, Step

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)  # a Tuesday
DRAFT_ID = "0123456789abcdef01234567"
HERE = Provenance(source="intent", where="words 1-4")


def _spec(name: str, scope: str, required: dict[str, Any], tier: UndoTier) -> ToolSpec:
    schema = {
        "type": "object", "properties": required, "required": list(required), "additionalProperties": False,
    }  # fmt: skip
    return ToolSpec(name, name, name, schema, mutates=True, undo_tier=tier, scope=scope)


TEXT = {"type": "string"}
DRAFT = _spec("mail.draft", "mail:draft", {"to": TEXT, "subject": TEXT, "body": TEXT}, UndoTier.T1)
HOLD = _spec(
    "mail.schedule", "mail:send", {"draft": TEXT, "to": TEXT, "not_before": TEXT}, UndoTier.T3
)
UPDATE = _spec("table.update", "table:write", {"key": TEXT, "values": {}}, UndoTier.T1)
SPECS = {spec.name: spec for spec in (DRAFT, HOLD, UPDATE)}


def step(seq: int, spec: ToolSpec, args: dict[str, Any], **given: Any) -> Step:
    return Step(
        seq=seq, tool=spec.ref, account=spec.toolkit, args=args, mutates=True, effect="something changes",
        provenance=dict.fromkeys(args, HERE), undo_tier=spec.undo_tier, undo="it is taken back", **given,
    )  # fmt: skip


def a_plan(**given: Any) -> Plan:
    """Draft a mail, hold it (its id comes from the draft's output), note it in the table."""
    draft = Ref(step=1, path="draft.id", domain={"type": "string", "pattern": "^[0-9a-f]{24}$"})
    steps = (
        step(1, DRAFT, {"to": "kim@acme.example", "subject": "Hello", "body": "Dear Kim"}),
        step(
            2, HOLD, {"to": "kim@acme.example", "not_before": "2026-11-24T12:00:00+00:00"},
            refs={"draft": draft}, zone="Europe/Berlin",
        ),
        step(3, UPDATE, {"key": "A-1", "values": {"status": "contacted"}}, expect_version="v1"),
    )  # fmt: skip
    play = Play(
        id="win-back", title="Win back", summary="One mail", rationale="It fits", steps=steps, score=0.8,
        terms=(ScoreTerm(name="writes", value=1.0, weight=1.0, why="3 writes"),), impact="low",
        reversibility="high", risk="low", affected={"mails": 1, "rows": 1}, notes=("a note",),
    )  # fmt: skip
    full: dict[str, Any] = {
        "mission_id": "m-1",
        "play": play,
        "safeguards": (
            Safeguard(id="s1", kind="tone", text="no haste", params={"forbid": ["urgent"]}),
        ),
        "scopes": ("mail:draft", "mail:send", "table:write"),
        "data_versions": {"accounts.csv": "v1"},
    }
    return Plan(**(full | given))


def outputs(draft: Any = DRAFT_ID) -> dict[int, dict[str, Any]]:
    return {1: {"draft": {"id": draft}}, 2: {"held": True}}


def the_call(plan: Plan, cursor: int) -> Asked:
    """Exactly the approved call after `cursor` finished steps."""
    at = plan.play.steps[cursor]
    args = dict(at.args) | dict.fromkeys(at.refs, DRAFT_ID)
    return Asked(at.tool, at.account, args)


def the_facts(plan: Plan, cursor: int, **given: Any) -> Facts:
    """Everything as it must be for that call."""
    facts = Facts(
        now=NOW, run_state="running", cursor=cursor, plan_digest=plan.digest, approved_digest=plan.digest,
        approval_status="approved", approval_consumed=True, granted_scopes=frozenset(plan.scopes),
        outputs=outputs(),
    )  # fmt: skip
    return replace(facts, **given)
