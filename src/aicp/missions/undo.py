"""Undo: asking for it, and what came of it. It may go back to a step instead of the beginning, and
it may be tried first (OP-5, TR-18).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aicp.errors import BadInput, Forbidden, GateBlocked
from aicp.kernel.db import Actor, Connection
from aicp.kernel.ids import new_id
from aicp.kernel.jobs import enqueue
from aicp.missions import flow, store
from aicp.missions.control import MAY_STOP
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.telemetry.record import record
from aicp.trust import journal


def request(
    conn: Connection, actor: Actor, services: Services, mission_id: str, reason: str, *,
    to_step: int = 0, dry_run: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Ask for what was done to be taken back; from this commit on nothing more is called.

    Args:
        to_step: the last step that stays; 0 takes everything back.
        dry_run: only try it on copies and say what would happen; the run is not touched.

    Raises:
        Forbidden: only the owner, governance and on-call undo.
        BadInput: there is no such step.
        GateBlocked: nothing was done, an undo is under way, or its window has closed.
    """
    mission = store.get(conn, mission_id, lock=True)
    if actor.person_id != mission.owner_id and not MAY_STOP & set(actor.roles):
        raise Forbidden("only the owner, governance and on-call undo a mission")
    done = _undoable(conn, mission, to_step)
    _refuse_unless_open(conn, actor, mission, done, services.clock(), reason, dry_run=dry_run)
    at, undo_id = services.clock(), new_id("u")
    conn.execute(
        "insert into undo_runs (id, tenant_id, mission_id, reason, requested_by, to_step, dry_run, state,"
        " requested_at) values (%s, %s, %s, %s, %s, %s, %s, 'running', %s)",
        (undo_id, actor.tenant_id, mission.id, reason, actor.person_id, to_step, dry_run, at),
    )
    if dry_run:
        _enqueue(conn, mission, undo_id)
        return {"undo_id": undo_id, "steps": len(done), "dry_run": True}
    if mission.run_state == "paused":
        flow.void_request(conn, actor, mission, reason="the run is taken back", at=at)
    store.change(
        conn, mission.id, at, run_state="undoing", status="in_progress", blocking_reason=""
    )
    record(
        conn, actor, "undo_requested",
        {"undo_plan_id": (mission.plan_digest or "")[:12], "initiated_by": str(actor.person_id)}, at=at,
        mission_id=mission.id, correlation_id=mission.correlation_id, stage="Execute",
    )  # fmt: skip
    _enqueue(conn, mission, undo_id)
    return {"undo_id": undo_id, "steps": len(done), "dry_run": False}


def _enqueue(conn: Connection, mission: Mission, undo_id: str) -> None:
    enqueue(
        conn, "mission.undo",
        {"tenant_id": str(mission.tenant_id), "mission_id": mission.id, "undo_id": undo_id},
        lock=flow.lock_name(mission.id), unique=f"{mission.id}:{undo_id}", priority=10,
    )  # fmt: skip


def _undoable(conn: Connection, mission: Mission, to_step: int) -> list[journal.Entry]:
    """The calls after a step that changed something, or may have."""
    if not 0 <= to_step <= max(mission.step_count, 0):
        raise BadInput(
            f"there is no step {to_step}",
            hint=f"write --to-step with a number from 0 to {mission.step_count}",
        )
    rows = journal.entries(conn, mission.id)
    return [e for e in rows if e.mutates and e.state != "failed" and e.seq > to_step]


def _refuse_unless_open(
    conn: Connection, actor: Actor, mission: Mission, done: list[journal.Entry], now: datetime,
    reason: str, *, dry_run: bool,
) -> None:  # fmt: skip
    """Nothing to do, one under way, or too late (TR-18); governance and on-call may come late."""
    if not done:
        raise GateBlocked("there is nothing to undo")
    if mission.run_state in ("undoing", "undone"):
        raise GateBlocked(f"the mission is already {mission.run_state}")
    if conn.execute(
        "select from undo_runs where mission_id = %s and state = 'running'", (mission.id,)
    ).fetchone():
        raise GateBlocked("a dry run is under way", hint="wait for it, then undo")
    late = mission.undo_until is not None and now >= mission.undo_until
    if dry_run or not late or (MAY_STOP & set(actor.roles) and reason.strip()):
        return
    raise GateBlocked(
        f"the undo window closed at {mission.undo_until:%Y-%m-%d %H:%M} UTC",
        hint="governance and on-call may still undo it, with --reason",
        code="undo-window",
    ).on(mission.id, "TR-18")


def history(conn: Connection, mission_id: str) -> list[dict[str, Any]]:
    """The undo runs of a mission, newest first, with their steps in the order they were taken back."""
    runs = conn.execute(
        "select id, reason, state, requested_at, finished_at, to_step, dry_run from undo_runs"
        " where mission_id = %s order by number desc",
        (mission_id,),
    ).fetchall()
    names = ("id", "reason", "state", "requested_at", "finished_at", "to_step", "dry_run")
    return [
        {**dict(zip(names, row, strict=True)), "steps": steps_of(conn, str(row[0]))} for row in runs
    ]


def steps_of(conn: Connection, undo_id: str) -> list[dict[str, Any]]:
    rows = conn.execute(
        "select seq, status, difference, residue, why from undo_steps where undo_id = %s order by seq desc",
        (undo_id,),
    )
    return [
        dict(zip(("seq", "status", "difference", "residue", "why"), row, strict=True))
        for row in rows
    ]
