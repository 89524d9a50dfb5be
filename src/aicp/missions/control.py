"""Pause, resume, stop: effective before the next intent, since they write the row the gate locks."""

from __future__ import annotations

from typing import Any

from aicp.errors import BadInput, Forbidden, GateBlocked
from aicp.kernel.db import Actor, Connection
from aicp.missions import flow, plan_store, store
from aicp.missions.execute import enqueue_release
from aicp.missions.plan_store import ApprovalRow
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.telemetry.record import record
from aicp.toolkits.model import Outcome
from aicp.trust import journal
from aicp.trust.approvals import complete

MAY_STOP = {"governance", "oncall", "admin", "engineering_lead", "security_lead"}


def run_now(conn: Connection, actor: Actor, services: Services, mission_id: str) -> dict[str, Any]:
    """Start an approved mission that is not running. It starts by itself; this says why it does not.

    Raises:
        GateBlocked: it is not approved, or there is nothing to start.
    """
    mission = _mine(conn, actor, mission_id)
    if mission.current_stage == "Execute" and mission.run_state in ("idle", "running"):
        flow.enqueue_stage(conn, mission, "Execute", at=services.clock())
        return {"run_state": mission.run_state, "at_step": mission.cursor_seq}
    row = plan_store.approval(conn, mission.id)
    if row is None or row.status == "requested":
        still = (
            complete(plan_store.as_request(row, plan_store.decisions(conn, row.id)))
            if row
            else None
        )
        raise GateBlocked(
            f"the mission is not approved: {still.why if still else 'no play is chosen yet'}",
            hint=f"see `aicp mission show {mission.id}`",
            code=still.rule if still else "not-open",
        ).on(mission.id, "approval:missing")
    raise GateBlocked(
        f"nothing to start: the mission is in {mission.current_stage}, its run {mission.run_state}"
    )


def pause(
    conn: Connection, actor: Actor, services: Services, mission_id: str, reason: str
) -> dict[str, Any]:
    """No further call begins; the one under way finishes and is recorded. Held effects stay held."""
    mission = _mine(conn, actor, mission_id)
    if mission.run_state not in ("running", "held"):
        raise GateBlocked(f"the run is {mission.run_state}; there is nothing to pause")
    at = services.clock()
    store.change(conn, mission.id, at, run_state="paused", status="blocked",
                 blocking_reason=reason or "paused by a person")  # fmt: skip
    _event(conn, actor, services, mission, "execution_paused", {"reason": "person"})
    return {"run_state": "paused", "at_step": mission.cursor_seq}


def resume(
    conn: Connection,
    actor: Actor,
    services: Services,
    mission_id: str,
    happened: bool | None = None,
) -> dict[str, Any]:
    """Go on where it stopped: a paused run at its cursor, a blocked stage from its beginning.

    Args:
        happened: a person's answer for a call whose outcome is unknown.
    """
    mission = _mine(conn, actor, mission_id)
    at = services.clock()
    if happened is not None:
        _settle_unknown(conn, mission, services, happened)
    elif _unknown(conn, mission):
        raise GateBlocked(
            "the outcome of the last call is unknown; resuming could repeat it",
            hint=f"look at the other side, then: aicp mission resume {mission.id} --happened yes|no",
        ).on(mission.id, "outcome-unknown")
    if mission.run_state == "paused":
        row = plan_store.approval(conn, mission.id)
        if row is not None and row.consumed_at is None:
            return _resume_under(conn, actor, services, mission, row, settled=happened is not None)
        return _resume_run(conn, actor, services, mission)
    stuck = mission.status == "blocked" and mission.run_state in ("idle", "running")
    if stuck and mission.current_stage in flow.WORKING:
        store.mark_stage(conn, mission.id, mission.current_stage, "in_progress", at=at)
        store.change(conn, mission.id, at, status="in_progress", blocking_reason="")
        flow.enqueue_stage(conn, mission, mission.current_stage)
        return {"stage": mission.current_stage, "run_state": mission.run_state}
    raise GateBlocked(
        f"there is nothing to resume in {mission.current_stage}: the run is {mission.run_state}",
        hint=f"see `aicp mission show {mission.id}`",
    )


def stop(conn: Connection, actor: Actor, services: Services, mission_id: str) -> dict[str, Any]:
    """End the run for good; what was done stays done until it is undone, what is held never leaves."""
    mission = _mine(conn, actor, mission_id)
    if mission.run_state not in ("idle", "running", "paused", "held"):
        raise GateBlocked(f"the run is {mission.run_state}; there is nothing to stop")
    at = services.clock()
    if mission.run_state == "paused":
        flow.void_request(conn, actor, mission, reason="the run was stopped", at=at)
    store.change(conn, mission.id, at, run_state="stopped", status="blocked",
                 blocking_reason="stopped by a person; undo it, or leave it as it is")  # fmt: skip
    _event(conn, actor, services, mission, "execution_stopped", {"at_step": mission.cursor_seq})
    return {"run_state": "stopped", "done_steps": mission.cursor_seq}


def _resume_run(
    conn: Connection, actor: Actor, services: Services, mission: Mission
) -> dict[str, Any]:
    at = services.clock()
    finished = mission.current_stage == "Reflect"
    state = "held" if finished else "running"
    store.change(conn, mission.id, at, run_state=state, status="in_progress", blocking_reason="")
    _event(conn, actor, services, mission, "execution_resumed", {"at_step": mission.cursor_seq})
    if finished:
        for seq, (due, hold) in journal.holds(conn, mission.id).items():
            if hold == "held":
                enqueue_release(conn, mission, seq, max(due, at))
    else:
        store.mark_stage(conn, mission.id, "Execute", "in_progress", at=at)
        flow.enqueue_stage(conn, mission, "Execute")
    return {"run_state": state, "at_step": mission.cursor_seq}


def _resume_under(
    conn: Connection, actor: Actor, services: Services, mission: Mission, row: ApprovalRow, *, settled: bool
) -> dict[str, Any]:  # fmt: skip
    """A run that asked for a further approval goes on with that one, or not at all."""
    if row.status == "approved":
        at = services.clock()
        store.change(
            conn, mission.id, at, run_state="idle", status="in_progress", blocking_reason=""
        )
        store.mark_stage(conn, mission.id, "Execute", "in_progress", at=at)
        flow.enqueue_stage(conn, mission, "Execute", early=True)
        _event(conn, actor, services, mission, "execution_resumed", {"at_step": mission.cursor_seq})
        return {"run_state": "idle", "at_step": mission.cursor_seq}
    if settled:
        return {"run_state": "paused", "at_step": mission.cursor_seq}
    raise GateBlocked(
        f"the run asked for a new approval, and the request is {row.status}",
        hint=f"decide it (aicp mission approve {mission.id})"
        if row.status == "requested"
        else f"stop the run, undo it, or ask for other safeguards (aicp mission guard {mission.id})",
    ).on(mission.id, f"approval:{row.status}")


def _unknown(conn: Connection, mission: Mission) -> list[journal.Entry]:
    rows = [*journal.entries(conn, mission.id), *journal.entries(conn, mission.id, "release")]
    return [entry for entry in rows if entry.state == "unknown"]


def _settle_unknown(conn: Connection, mission: Mission, services: Services, happened: bool) -> None:
    rows = _unknown(conn, mission)
    if not rows:
        raise BadInput("no call of this mission has an unknown outcome")
    at = services.clock()
    for entry in rows:
        journal.finish(
            conn, mission.id, entry.key, state="done" if happened else "failed", at=at, reconciled=True,
            outcome=Outcome({"settled_by": "a person"}) if happened else None,
            error="" if happened else "a person saw that it did not happen",
        )  # fmt: skip
        if entry.purpose == "release":
            journal.settle_hold(
                conn, mission.id, entry.seq, "released" if happened else "held", at=at
            )
        elif happened:
            conn.execute(
                "update missions set cursor_seq = %s where id = %s and cursor_seq = %s",
                (entry.seq, mission.id, entry.seq - 1),
            )


def _mine(conn: Connection, actor: Actor, mission_id: str) -> Mission:
    mission = store.get(conn, mission_id, lock=True)
    if actor.person_id != mission.owner_id and not MAY_STOP & set(actor.roles):
        raise Forbidden("only the owner, governance and on-call control a run")
    return mission


def _event(
    conn: Connection,
    actor: Actor,
    services: Services,
    mission: Mission,
    name: str,
    context: dict[str, Any],
) -> None:
    record(
        conn, actor, name, context, at=services.clock(), mission_id=mission.id,
        correlation_id=mission.correlation_id, stage="Execute", status="warning",
    )  # fmt: skip
