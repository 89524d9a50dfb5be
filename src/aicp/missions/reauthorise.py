"""A grant that ended under a run: pause, sign in again, approve again, go on at the same step (TR-16)."""

from __future__ import annotations

from datetime import datetime, timedelta

from aicp.kernel.db import Connection
from aicp.kernel.ids import new_id
from aicp.missions import expiry, plan_store, store
from aicp.missions.store import Mission
from aicp.telemetry.record import record
from aicp.trust.approvals import REQUIRED

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
    """Ask for the same plan to be approved anew; the run keeps its place.

    The earlier approval was used, and a new grant may see other things than the old one did.
    """
    if mission.plan_digest is None:
        return
    plan = plan_store.plan(conn, mission.id, mission.plan_digest)
    actor, approval_id = mission.agent("coordinator"), new_id("a")
    required, expires = REQUIRED[plan.play.risk], at + OPEN
    store.mark_stage(conn, mission.id, "Execute", "pending", at=at)
    store.mark_stage(conn, mission.id, "Approve", "ready", at=at)
    store.change(
        conn, mission.id, at, current_stage="Approve", run_state="idle", status="ready",
        readiness="ready", blocking_reason=f"signed in again; approve again to go on at step {mission.cursor_seq + 1}",
    )  # fmt: skip
    plan_store.request_approval(
        conn, actor, approval_id=approval_id, mission_id=mission.id, digest=mission.plan_digest,
        risk=plan.play.risk, required=required, at=at, expires_at=expires,
    )  # fmt: skip
    expiry.enqueue_timers(conn, mission, approval_id, at=at, expires=expires)
    record(
        conn, actor, "approval_requested",
        {"approval_type": "toolkit", "approver_roles": list(required), "due_at": expires.isoformat(),
         "play_id": plan.play.id}, at=at, mission_id=mission.id,
        correlation_id=mission.correlation_id, stage="Approve",
    )  # fmt: skip
