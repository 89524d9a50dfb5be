"""What time does to an approval request: a reminder while it can still be decided, then its end."""

from __future__ import annotations

from datetime import datetime, timedelta

from aicp.kernel.db import Connection
from aicp.kernel.jobs import enqueue
from aicp.missions import flow, plan_store, store
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.telemetry.record import record
from aicp.trust.approvals import missing_capacities

TASK = "mission.approval"
REMINDER = timedelta(hours=12)  # before the end, or half way when there is less time than that


def enqueue_timers(
    conn: Connection, mission: Mission, approval_id: str, *, at: datetime, expires: datetime
) -> None:
    """Both timers of a request; they commit with it."""
    remind = max(expires - REMINDER, at + (expires - at) / 2)
    for phase, due in (("remind", remind), ("expire", expires)):
        enqueue(
            conn, TASK,
            {"tenant_id": str(mission.tenant_id), "mission_id": mission.id,
             "approval_id": approval_id, "phase": phase},
            lock=flow.lock_name(mission.id), unique=f"{approval_id}:{phase}", at=due,
        )  # fmt: skip


def run(services: Services, mission: Mission, approval_id: str, phase: str) -> None:
    """The job: nothing at all when the request was decided, voided or followed by another."""
    actor, at = mission.agent("coordinator"), services.clock()
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission.id, lock=True)
        row = plan_store.approval(conn, mission.id)
        if row is None or row.id != approval_id or row.status != "requested":
            return
        missing = missing_capacities(plan_store.as_request(row, plan_store.decisions(conn, row.id)))
        common = {
            "at": at, "mission_id": mission.id, "correlation_id": mission.correlation_id,
            "stage": "Approve", "status": "warning",
        }  # fmt: skip
        if phase == "remind":
            left = int((row.expires_at - at).total_seconds() // 60)
            record(
                conn, actor, "approval_reminder",
                {"approver_roles": list(missing), "minutes_left": max(left, 0)}, **common,
            )  # fmt: skip
            return
        plan_store.settle_approval(conn, row.id, "expired", reason="nobody decided in time", at=at)
        record(conn, actor, "approval_expired", {"approver_roles": list(missing)}, **common)
        stage = flow.decline(conn, actor, mission, reason="the approval request expired", at=at)
        if stage == "Execute":
            return
        store.change(
            conn, mission.id, at, status="ready",
            blocking_reason="the approval request expired; choose the play again to ask anew",
        )  # fmt: skip
