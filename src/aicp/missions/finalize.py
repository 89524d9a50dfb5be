"""Finalize: no need to wait any longer. The undo window closes, and what is held may leave (TR-18)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aicp.errors import Forbidden, GateBlocked
from aicp.kernel.db import Actor, Connection
from aicp.missions import store
from aicp.missions.execute import enqueue_release
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.telemetry.record import record
from aicp.trust import journal


def finalize(conn: Connection, actor: Actor, services: Services, mission_id: str) -> dict[str, Any]:
    """Close the undo window now; each held effect leaves as soon as its own time and window allow.

    Raises:
        Forbidden: only the owner and governance give the window up.
        GateBlocked: the run has not ended, or it was closed before.
    """
    mission = store.get(conn, mission_id, lock=True)
    if actor.person_id != mission.owner_id and "governance" not in actor.roles:
        raise Forbidden(f"only the owner, {mission.owner_name}, and governance finalize a run")
    at = services.clock()
    if mission.run_state not in ("held", "finished") or mission.undo_until is None:
        raise GateBlocked(f"there is nothing to finalize: the run is {mission.run_state}")
    held = {s: d for s, (d, state) in journal.holds(conn, mission.id).items() if state == "held"}
    if mission.undo_until <= at and not held:
        raise GateBlocked("the undo window is closed already and nothing is held")
    store.change(conn, mission.id, at, undo_until=min(at, mission.undo_until))
    leaving = {seq: _leave_early(conn, mission, seq, due, at) for seq, due in held.items()}
    record(
        conn, actor, "undo_window_closed", {"held": len(held)}, at=at, mission_id=mission.id,
        correlation_id=mission.correlation_id, stage="Execute", status="info",
    )  # fmt: skip
    return {"undo_until": min(at, mission.undo_until), "leaving": leaving}


def _leave_early(
    conn: Connection, mission: Mission, seq: int, due: datetime, at: datetime
) -> datetime:
    """The earliest moment the approved call itself allows; its safeguards are asked again then."""
    entry = next(e for e in journal.entries(conn, mission.id) if e.seq == seq and e.state == "done")
    approved = entry.args.get("not_before")
    earliest = max(at, datetime.fromisoformat(approved)) if approved else at
    if earliest >= due:
        return due
    conn.execute(
        "update holds set due_at = %s where mission_id = %s and seq = %s and state = 'held'",
        (earliest, mission.id, seq),
    )
    enqueue_release(conn, mission, seq, earliest, early=True)
    return earliest
