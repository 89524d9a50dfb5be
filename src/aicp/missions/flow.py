"""Moving a mission between stages: the row, its event and the next stage's job in one transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aicp.errors import GateBlocked
from aicp.kernel.db import Actor, Connection
from aicp.kernel.jobs import enqueue
from aicp.missions import plan_store, store
from aicp.missions.lifecycle import STAGES, Stage, following, invalidated, may_move
from aicp.missions.store import Mission
from aicp.telemetry.record import record

WORKING: tuple[Stage, ...] = (
    "Define",
    "Prepare",
    "Plan",
    "Execute",
    "Reflect",
)  # run a job on entry


def lock_name(mission_id: str) -> str:
    return f"mission:{mission_id}"


def enqueue_stage(
    conn: Connection, mission: Mission, stage: Stage, *, at: datetime | None = None
) -> None:
    """Queue the job of a stage, once; low priorities wait longer (MI-8)."""
    enqueue(
        conn,
        "mission.stage",
        {"tenant_id": str(mission.tenant_id), "mission_id": mission.id, "stage": stage},
        lock=lock_name(mission.id),
        unique=f"{mission.id}:{stage}",
        at=at,
        priority=4 - mission.priority,
    )


def enter(
    conn: Connection, actor: Actor, mission: Mission, *, at: datetime, shut: tuple[str, ...] = (),
    output: dict[str, Any] | None = None,
) -> Stage:  # fmt: skip
    """Leave the current stage for the next one and queue its job.

    Args:
        shut: why the gate is shut, as `lifecycle.reasons` found.
        output: the required output of the stage that ends.

    Raises:
        GateBlocked: the gate is shut.
    """
    to = following(mission.current_stage)
    why = may_move(mission.current_stage, to, shut) if to else "it is the last stage"
    if to is None or why:
        raise GateBlocked(
            f"{mission.current_stage} is not finished: {why}",
            facts={"reasons": list(shut)},
        ).on(mission.id, "stage-gate")
    store.mark_stage(conn, mission.id, mission.current_stage, "completed", at=at, output=output)
    store.mark_stage(conn, mission.id, to, "in_progress", at=at)
    store.change(conn, mission.id, at, current_stage=to, status="in_progress", blocking_reason="")
    _transition(conn, actor, mission, to, "entered", at)
    if to in WORKING:
        enqueue_stage(conn, mission, to)
    return to


def go_back(
    conn: Connection, actor: Actor, mission: Mission, to: Stage, *, reason: str, at: datetime
) -> tuple[str, ...]:
    """Return to an earlier stage (or begin this one again); says what became invalid."""
    for stage in STAGES[STAGES.index(to) : STAGES.index(mission.current_stage) + 1]:
        store.mark_stage(
            conn, mission.id, stage, "in_progress" if stage == to else "pending", at=at
        )
    approval = plan_store.approval(conn, mission.id)
    if approval and approval.status in ("requested", "approved") and approval.consumed_at is None:
        plan_store.settle_approval(conn, approval.id, "voided", reason=reason, at=at)
        record(
            conn, actor, "approval_voided", {"reason": reason[:200]}, at=at, mission_id=mission.id,
            correlation_id=mission.correlation_id, stage=mission.current_stage, status="warning",
        )  # fmt: skip
    store.change(conn, mission.id, at, current_stage=to, plan_digest=None, status="in_progress",
                 blocking_reason="", step_count=0)  # fmt: skip
    _transition(conn, actor, mission, to, "rolled_back", at)
    return invalidated(to)


def block(
    conn: Connection,
    actor: Actor,
    mission: Mission,
    *,
    reason: str,
    readiness: str,
    code: str,
    at: datetime,
) -> None:
    """The stage cannot go on by itself; the reason says what a person can do."""
    store.mark_stage(conn, mission.id, mission.current_stage, "blocked", at=at, reason=reason)
    store.change(
        conn, mission.id, at, status="blocked", blocking_reason=reason, readiness=readiness
    )
    record(
        conn, actor, "coordinator_error", {"error_code": code, "stage": mission.current_stage},
        at=at, mission_id=mission.id, correlation_id=mission.correlation_id,
        stage=mission.current_stage, status="error",
    )  # fmt: skip


def wait(
    conn: Connection, mission: Mission, *, output: dict[str, Any] | None = None, at: datetime
) -> None:
    """The stage did its part and waits for a person."""
    store.mark_stage(conn, mission.id, mission.current_stage, "ready", at=at, output=output)
    store.change(conn, mission.id, at, status="ready", blocking_reason="")


def _transition(
    conn: Connection, actor: Actor, mission: Mission, to: Stage, status: str, at: datetime
) -> None:
    record(
        conn, actor, "mission_stage_transition",
        {"from": mission.current_stage, "to": to, "status": status}, at=at, mission_id=mission.id,
        correlation_id=mission.correlation_id, stage=to,
    )  # fmt: skip
