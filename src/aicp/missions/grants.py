"""When a grant ends: the timers that `disconnect` answers (TR-19)."""

from __future__ import annotations

from datetime import datetime

from aicp.kernel.db import Connection
from aicp.kernel.jobs import enqueue
from aicp.missions import flow, store
from aicp.missions.store import Mission

TASK = "mission.disconnect"
GRANTED = ("active", "linking", "expired")


def enqueue_all(conn: Connection, mission: Mission, *, at: datetime, undone: bool = False) -> None:
    """Queue the end of every grant of a mission that is over: as soon as no undo needs it any more.

    Args:
        undone: everything was taken back, so there is no window to wait for.
    """
    due = at if undone or not mission.undo_until else max(at, mission.undo_until)
    for row in store.connections(conn, mission.id):
        if row.auth in GRANTED:
            enqueue_for(conn, mission, row.account, due)


def enqueue_for(conn: Connection, mission: Mission, account: str, due: datetime) -> None:
    """One timer for each moment: who disconnects now does not wait for the window's timer."""
    enqueue(
        conn, TASK,
        {"tenant_id": str(mission.tenant_id), "mission_id": mission.id, "account": account},
        lock=flow.lock_name(mission.id), unique=f"{mission.id}:{account}:disconnect:{due:%Y%m%dT%H%M%S}", at=due,
    )  # fmt: skip
