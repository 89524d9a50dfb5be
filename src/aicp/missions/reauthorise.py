"""A run that needs a new approval half way: pause, ask, go on at the same step (TR-10, TR-16).

A grant ended under it, or somebody wants a safeguard wider.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from aicp.kernel.db import Actor, Connection
from aicp.kernel.ids import new_id
from aicp.missions import expiry, plan_store, store
from aicp.missions.store import Mission
from aicp.telemetry.record import record
from aicp.trust.approvals import REQUIRED
from aicp.trust.plan import Plan
from aicp.trust.safeguards import extra_approvals
from aicp.trust.tightenings import beside, folded

OPEN = timedelta(hours=24)


def expire(conn: Connection, mission: Mission, account: str, *, at: datetime) -> None:
    """Note that an account's grant is gone; its scopes are cleared, so that no call passes the gate."""
    conn.execute(
        "update connections set auth = 'expired', granted_scopes = '{}'"
        " where mission_id = %s and account = %s",
        (mission.id, account),
    )
    record(
        conn, mission.agent("executor"), "composio_auth_flow",
        {"toolkit": account, "status": "expired", "scopes_requested": [], "connect_link_id": ""},
        at=at, mission_id=mission.id, correlation_id=mission.correlation_id, stage="Execute",
        status="warning",
    )  # fmt: skip
    store.change(conn, mission.id, at, readiness="needs_auth")


def ask_again(conn: Connection, mission: Mission, *, at: datetime) -> None:
    """Ask for the same plan to be approved anew, with what was tightened since; the run keeps its place.

    The earlier approval was used, and a new grant may see other things than the old one did.
    """
    used = plan_store.in_use(conn, mission.id)
    if used is None:
        return
    plan = plan_store.plan(conn, mission.id, used.digest)
    guards = folded(plan, beside(conn, mission.id, used.id))
    ask_for(
        conn, mission.agent("coordinator"), mission, plan.model_copy(update={"safeguards": guards}),
        kind="toolkit", why="signed in again", at=at,
    )  # fmt: skip


def ask_for(
    conn: Connection, actor: Actor, mission: Mission, plan: Plan, *, kind: str, why: str, at: datetime
) -> None:  # fmt: skip
    """Pause the run at its step and ask for a plan under which it goes on there.

    Args:
        plan: the calls of the plan in use, which the cursor counts; its safeguards may be others.
        kind: "toolkit" after a new sign-in; "safeguard" when one is to be wider.
    """
    approval_id, expires = new_id("a"), at + OPEN
    required = extra_approvals(plan.safeguards, plan.play.steps, REQUIRED[plan.play.risk])
    if kind == "safeguard":  # two people stood by it, and two people let it go
        required = _two(required)
    digest = plan_store.save_plan(conn, actor, plan, at=at)
    store.mark_stage(conn, mission.id, "Execute", "pending", at=at)
    store.mark_stage(conn, mission.id, "Approve", "ready", at=at)
    store.change(
        conn, mission.id, at, current_stage="Approve", run_state="paused", status="ready",
        readiness="ready", plan_digest=digest, stumbles=0,
        blocking_reason=f"{why}; approve again to go on at step {mission.cursor_seq + 1}",
    )  # fmt: skip
    plan_store.request_approval(
        conn, actor, approval_id=approval_id, mission_id=mission.id, digest=digest,
        risk=plan.play.risk, required=required, at=at, expires_at=expires,
    )  # fmt: skip
    expiry.enqueue_timers(conn, mission, approval_id, at=at, expires=expires)
    record(
        conn, actor, "approval_requested",
        {"approval_type": kind, "approver_roles": list(required), "due_at": expires.isoformat(),
         "play_id": plan.play.id}, at=at, mission_id=mission.id,
        correlation_id=mission.correlation_id, stage="Approve",
    )  # fmt: skip


def _two(required: tuple[str, ...]) -> tuple[str, ...]:
    """The capacities that acknowledged the safeguards (TR-7), beside those that the risk wants."""
    named = tuple(dict.fromkeys([*required, "governance"]))
    return named if len(named) > 1 else ("owner", *named)
