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
    conn: Connection,
    mission: Mission,
    stage: Stage,
    *,
    at: datetime | None = None,
    early: bool = False,
) -> None:
    """Queue the job of a stage, once; low priorities wait longer (MI-8).

    Args:
        early: beside a job that waits for its time already.
    """
    enqueue(
        conn,
        "mission.stage",
        {"tenant_id": str(mission.tenant_id), "mission_id": mission.id, "stage": stage},
        lock=lock_name(mission.id),
        unique=f"{mission.id}:{stage}{':early' if early else ''}",
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
    void_request(conn, actor, mission, reason=reason, at=at)
    store.change(conn, mission.id, at, current_stage=to, plan_digest=None, status="in_progress",
                 blocking_reason="", step_count=0)  # fmt: skip
    _transition(conn, actor, mission, to, "rolled_back", at)
    return invalidated(to)


def void_request(
    conn: Connection, actor: Actor, mission: Mission, *, reason: str, at: datetime
) -> None:  # fmt: skip
    """End a request, or an approval that no run took into use; nothing when there is none."""
    approval = plan_store.approval(conn, mission.id)
    if approval is None or not approval.waits:
        return
    plan_store.settle_approval(conn, approval.id, "voided", reason=reason, at=at)
    record(
        conn, actor, "approval_voided", {"reason": reason[:200]}, at=at, mission_id=mission.id,
        correlation_id=mission.correlation_id, stage=mission.current_stage, status="warning",
    )  # fmt: skip


def decline(
    conn: Connection, actor: Actor, mission: Mission, *, reason: str, at: datetime
) -> Stage:  # fmt: skip
    """A request ended without an approval: plan again, or, when a run asked, let it stand where it is.

    The run keeps the plan that it has an approval for. Only what is done can still be taken back.
    """
    used = plan_store.in_use(conn, mission.id)
    if used is None:
        go_back(conn, actor, mission, "Plan", reason=reason, at=at)
        store.mark_stage(conn, mission.id, "Plan", "ready", at=at)
        return "Plan"
    why = f"{reason}; the run stays at step {mission.cursor_seq}: stop it, undo it, or ask for something else"
    store.mark_stage(conn, mission.id, "Approve", "completed", at=at)
    store.mark_stage(conn, mission.id, "Execute", "blocked", at=at, reason=why)
    store.change(
        conn, mission.id, at, current_stage="Execute", status="blocked", plan_digest=used.digest,
        blocking_reason=why,
    )  # fmt: skip
    _transition(conn, actor, mission, "Execute", "returned", at)
    return "Execute"


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
