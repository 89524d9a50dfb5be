"""When a grant ends: the timers that `disconnect` answers (TR-19)."""

from __future__ import annotations

from datetime import datetime

from aicp.kernel.db import Connection
from aicp.kernel.jobs import enqueue
from aicp.missions import flow, store
from aicp.missions.store import Mission

TASK = "mission.disconnect"
GRANTED = ("active", "linking", "expired")


def enqueue_all(conn: Connection, mission: Mission, *, at: datetime) -> None:
    """Queue the end of every grant of a mission that is over, for when its undo window has closed."""
    due = max(at, mission.undo_until) if mission.undo_until else at
    for row in store.connections(conn, mission.id):
        if row.auth in GRANTED:
            enqueue_for(conn, mission, row.account, due)


def enqueue_for(conn: Connection, mission: Mission, account: str, due: datetime) -> None:
    enqueue(
        conn, TASK,
        {"tenant_id": str(mission.tenant_id), "mission_id": mission.id, "account": account},
        lock=flow.lock_name(mission.id), unique=f"{mission.id}:{account}:disconnect", at=due,
    )  # fmt: skip
