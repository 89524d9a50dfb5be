"""A tool that does nothing, and an approved, running mission of it: what is left is governance."""

from __future__ import annotations

from datetime import timedelta

from aicp.kernel.db import Actor
from aicp.kernel.ids import new_id
from aicp.missions import plan_store, store
from aicp.toolkits.catalogue import builtin, catalogue
from aicp.toolkits.model import BeforeImage, Call, Json, Outcome, ToolSpec, UndoTier
from aicp.toolkits.providers.base import Connection
from aicp.trust.calls import Run
from aicp.trust.limits import Limits, Quota
from aicp.trust.operator_rules import Rules
from aicp.trust.plan import Plan, Play, Provenance, Safeguard, Step
from aicp.trust.policy import Who
from aicp.trust.rulebook import RuleBook
from flight import Flight

ACCOUNT = "nothing"
TEXT = {"type": "string", "maxLength": 4000}
TOUCH = ToolSpec(
    name="noop.touch", title="Touch nothing", description="Does nothing, once.",
    args_schema={
        "type": "object", "required": ["to", "subject", "body"], "additionalProperties": False,
        "properties": {"to": TEXT, "subject": TEXT, "body": TEXT},
    },
    mutates=True, undo_tier=UndoTier.T1, scope="noop:write", undo="There is nothing to undo.",
)  # fmt: skip
BODY = "Hello {n}, it has been a while since we last spoke. " + "We would be glad to hear how the plant is doing. " * 8  # fmt: skip
SAFEGUARDS = (
    Safeguard(id="window", kind="window", text="Tue-Thu 9-17 recipient time",
              params={"weekdays": [2, 3, 4], "from": "09:00", "until": "17:00", "zone": "recipient"}),
    Safeguard(id="exclusion", kind="exclusion", text="skip the do-not-contact list",
              params={"addresses": [f"no{n}@there.example" for n in range(8)]}),
    Safeguard(id="tone", kind="tone", text="no promotion",
              params={"forbid": ["discount", "offer", "sale", "free", "deal", "promotion"]}),
    Safeguard(id="audience", kind="audience", text="at most 500 recipients",
              params={"max_recipients": 500}),
    Safeguard(id="rollback", kind="rollback", text="everything can be taken back"),
    Safeguard(id="records", kind="records", text="decisions are documented"),
)  # fmt: skip


class Noop:
    """The provider of the tool: answers at once, keeps nothing. Only what a run calls."""

    connection = Connection("noop", ACCOUNT)

    def tools(self) -> tuple[ToolSpec, ...]:
        return (TOUCH,)

    def before(self, call: Call) -> BeforeImage:  # noqa: ARG002  the protocol's form
        return BeforeImage("v1", {"values": None})

    def execute(self, call: Call, before: BeforeImage) -> Outcome:  # noqa: ARG002
        return Outcome({"touched": call.key}, "v2")

    def verify(self, call: Call, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:  # noqa: ARG002
        return ()


def arguments(n: int) -> Json:
    """The arguments of call n: a mail's worth of text."""
    return {"to": f"p{n}@there.example", "subject": f"Number {n}", "body": BODY.format(n=n)}


def plan(mission_id: str, steps: int) -> Plan:
    """A plan of that many calls, as detailed as those the planner makes."""
    why = Provenance(source="cell", where=f"{ACCOUNT} row A-001 column email", trusted=False)
    return Plan(
        mission_id=mission_id,
        play=Play(
            id="noop", title="Nothing", summary="Does nothing", rationale="measured",
            steps=tuple(
                Step(
                    seq=n, tool=TOUCH.ref, account=ACCOUNT, args=arguments(n), mutates=True,
                    provenance=dict.fromkeys(("to", "subject", "body"), why), undo_tier=UndoTier.T1,
                    effect="Nothing changes.", undo="Nothing.", subject=f"p{n}@there.example",
                )
                for n in range(1, steps + 1)
            ),
            score=1.0, terms=(), impact="low", reversibility="high", risk="low", affected={},
        ),
        safeguards=SAFEGUARDS, scopes=(TOUCH.scope,), data_versions={},
    )  # fmt: skip


def operator_rules(book: RuleBook, mission_id: str) -> Rules:
    """What the operator rules know of the mission."""
    who = Who(mission_id, "bench", "Riley Chen", ("operator",), 2, "low")
    return Rules(
        book, who, catalogue([*builtin(), TOUCH]), words="do nothing", handed=frozenset({ACCOUNT})
    )


def running(flight: Flight, steps: int) -> Run:
    """An approved mission at the beginning of its run, with its rows as the verbs would leave them.

    Its minute is its own, and its toolkit has a quota that a plan of that length fits into.
    """
    flight.clock.advance(minutes=2)
    actor, at = flight.people["riley"], flight.clock()
    mission_id, approval_id = new_id("m"), new_id("a")
    made = plan(mission_id, steps)
    with flight.app.transaction(actor) as conn:
        store.add(
            conn, actor, mission_id=mission_id, title="Nothing", intent="Do nothing", priority=2,
            correlation_id="bench", at=at,
        )  # fmt: skip
        digest = plan_store.save_plan(conn, actor, made, at=at)
        store.add_connection(conn, actor, mission_id, Noop.connection)
        store.request_scopes(conn, mission_id, ACCOUNT, [TOUCH.scope])
        plan_store.request_approval(
            conn, actor, approval_id=approval_id, mission_id=mission_id, digest=digest, risk="low",
            required=("owner",), at=at, expires_at=at + timedelta(hours=1),
        )  # fmt: skip
        plan_store.settle_approval(conn, approval_id, "approved", reason="", at=at)
        plan_store.consume_approval(conn, approval_id, at=at)
        store.change(
            conn, mission_id, at, plan_digest=digest, current_stage="Execute", run_state="running",
            step_count=steps,
        )  # fmt: skip
    agent = Actor(actor.tenant_id, actor.person_id, actor.roles, actor.name, "executor")
    return Run(
        db=flight.app.db, actor=agent, mission_id=mission_id, correlation_id="bench", plan=made,
        approval_id=approval_id, providers={ACCOUNT: Noop()},  # type: ignore[dict-item]
        clock=flight.clock, worker="bench", limits=Limits(own={"noop": Quota(steps * 2)}),
        operator=operator_rules(flight.app.services.rulebook, mission_id),
    )  # fmt: skip
