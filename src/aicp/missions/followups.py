"""What a mission leaves to be done. Asking writes a row and a job; the worker opens the issue for it.

A mission never waits for the issue graph: a row stays `waiting` until its issue is there (the outbox).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from aicp.errors import BadInput, Forbidden, NotFound
from aicp.kernel.db import Actor, Connection
from aicp.kernel.ids import new_id
from aicp.kernel.jobs import enqueue
from aicp.missions import store
from aicp.missions.control import MAY_STOP
from aicp.missions.services import Services
from aicp.telemetry.record import record
from aicp.telemetry.redaction import redact

TASK = "mission.followup"
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=5), timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """One row, with what its issue has to say of the mission."""

    id: str
    tenant_id: UUID
    mission_id: str
    task: str
    priority: int
    labels: list[str]
    status: str
    bd_issue: str | None
    attempts: int
    problem: str
    created_at: datetime
    by: str  # the e-mail of who asked
    mission_issue: str  # "" when the mission has none
    manifest: str  # the newest sealed bundle, "" when nothing is sealed

    def delay(self) -> timedelta:
        """How long to wait after one more failure: twice as long each time, up to ten minutes."""
        return min(FIRST_DELAY * 2 ** min(self.attempts, 10), LONGEST_DELAY)


_ROW = (
    "select f.id, f.tenant_id, f.mission_id, f.task, f.priority, f.labels, f.status, f.bd_issue,"
    " f.attempts, f.problem, f.created_at, p.email as by, m.bd_issue as mission_issue,"
    " coalesce((select b.manifest_sha256 from bundles b where b.mission_id = m.id"
    " order by b.number desc limit 1), '') as manifest"
    " from followups f join missions m on m.id = f.mission_id join people p on p.id = f.requested_by"
)


def schedule(
    conn: Connection, actor: Actor, services: Services, mission_id: str, *, title: str,
    priority: int = 2, labels: tuple[str, ...] = (),
) -> dict[str, Any]:  # fmt: skip
    """Ask for a follow-up; its issue is opened by the worker, now or once the graph is there.

    Raises:
        Forbidden: only the owner, governance and on-call add follow-ups.
        BadInput: the title, a label or the priority is not one.
    """
    mission = store.get(conn, mission_id)
    if actor.person_id != mission.owner_id and not MAY_STOP & set(actor.roles):
        raise Forbidden("only the owner, governance and on-call add follow-ups to a mission")
    task, at, followup_id = redact(_title(title))[:500], services.clock(), new_id("f")
    marks = sorted({label.strip() for label in labels})
    if not 0 <= priority <= 4 or not all(marks) or any("," in mark for mark in marks):
        raise BadInput("a priority is 0 to 4, and a label is one word or more without a comma")
    conn.execute(
        "insert into followups (id, tenant_id, mission_id, task, priority, labels, requested_by, status,"
        " created_at) values (%s, %s, %s, %s, %s, %s, %s, 'waiting', %s)",
        (followup_id, actor.tenant_id, mission.id, task, priority, marks, actor.person_id, at),
    )
    record(
        conn, actor, "followup_scheduled", {"followup_id": followup_id, "priority": priority}, at=at,
        mission_id=mission.id, correlation_id=mission.correlation_id, stage=mission.current_stage,
    )  # fmt: skip
    put_off(conn, get(conn, followup_id), None)
    return shown(get(conn, followup_id))


def get(conn: Connection, followup_id: str) -> FollowUp:
    """Raises NotFound when there is none the asker may see."""
    cursor = conn.cursor(row_factory=class_row(FollowUp))
    row = cursor.execute(f"{_ROW} where f.id = %s", (followup_id,)).fetchone()
    if row is None:
        raise NotFound(f"there is no follow-up {followup_id}")
    return row


def of_mission(conn: Connection, mission_id: str) -> list[dict[str, Any]]:
    """The follow-ups of a mission, oldest first."""
    cursor = conn.cursor(row_factory=class_row(FollowUp))
    rows = cursor.execute(
        f"{_ROW} where f.mission_id = %s order by f.created_at, f.id", (mission_id,)
    )
    return [shown(row) for row in rows]


def shown(row: FollowUp) -> dict[str, Any]:
    """The wire form."""
    return {
        "id": row.id, "title": row.task, "priority": row.priority, "labels": row.labels,
        "status": row.status, "issue_id": row.bd_issue, "attempts": row.attempts,
        "problem": row.problem, "by": row.by, "created_at": row.created_at,
    }  # fmt: skip


def opened(conn: Connection, row: FollowUp, issue_id: str, *, at: datetime) -> None:
    """Its issue is there."""
    conn.execute(
        "update followups set status = 'created', bd_issue = %s, attempts = attempts + 1, problem = ''"
        " where id = %s",
        (issue_id, row.id),
    )
    mission = store.get(conn, row.mission_id)
    record(
        conn, mission.agent("coordinator"), "followup_opened",
        {"followup_id": row.id, "issue_id": issue_id, "attempts": row.attempts + 1}, at=at,
        mission_id=mission.id, correlation_id=mission.correlation_id, stage=mission.current_stage,
        status="success",
    )  # fmt: skip


def failed(conn: Connection, row: FollowUp, problem: str, *, at: datetime) -> None:
    """Not this time: say why, and try again later."""
    conn.execute(
        "update followups set attempts = attempts + 1, problem = %s where id = %s",
        (problem[:500], row.id),
    )
    put_off(conn, row, at + row.delay())


def put_off(conn: Connection, row: FollowUp, due: datetime | None) -> None:
    """Queue its job, once; its lock is its own, so that no stage of a mission ever waits for it."""
    args = {"tenant_id": str(row.tenant_id), "followup_id": row.id}
    name = f"followup:{row.id}"
    enqueue(conn, TASK, args, lock=name, unique=name, at=due, priority=-1)


def replay(conn: Connection) -> int:
    """Queue every waiting row that has lost its job. Needs a service transaction; returns how many wait."""
    cursor = conn.cursor(row_factory=class_row(FollowUp))
    rows = cursor.execute(f"{_ROW} where f.status = 'waiting' order by f.created_at").fetchall()
    for row in rows:
        put_off(conn, row, None)
    return len(rows)


def _title(text: str) -> str:
    title = text.strip()
    if not title or len(title) > 500 or not title.isprintable():
        raise BadInput(
            "the title of a follow-up is one line of 1 to 500 characters",
            hint="say what is to be done",
        )
    return title
