"""Every query on plays, plans, and the approvals of plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from aicp.errors import NotFound
from aicp.kernel.db import Actor, Connection
from aicp.trust.approvals import Request
from aicp.trust.plan import Plan, Play


def replace_plays(
    conn: Connection, actor: Actor, mission_id: str, plays: Sequence[tuple[Play, dict[str, Any]]]
) -> None:
    conn.execute("delete from plays where mission_id = %s", (mission_id,))
    for rank, (play, rehearsal) in enumerate(plays, start=1):
        conn.execute(
            "insert into plays (tenant_id, mission_id, rank, play, rehearsal) values (%s, %s, %s, %s, %s)",
            (
                actor.tenant_id,
                mission_id,
                rank,
                Jsonb(play.model_dump(mode="json")),
                Jsonb(rehearsal),
            ),
        )


def plays(conn: Connection, mission_id: str) -> list[dict[str, Any]]:
    """rank, play, rehearsal and whether it is the selected one."""
    rows = conn.execute(
        "select rank, play, rehearsal, selected_at from plays where mission_id = %s order by rank",
        (mission_id,),
    )
    return [
        {"rank": rank, "play": play, "rehearsal": rehearsal, "selected": at is not None}
        for rank, play, rehearsal, at in rows
    ]


def select_play(conn: Connection, mission_id: str, rank: int, *, at: datetime) -> None:
    conn.execute("update plays set selected_at = null where mission_id = %s", (mission_id,))
    conn.execute(
        "update plays set selected_at = %s where mission_id = %s and rank = %s",
        (at, mission_id, rank),
    )


def precedents(conn: Connection) -> dict[str, tuple[int, float]]:
    """Finished missions and mean rating (0 when never rated) by play."""
    rows = conn.execute("select play_id, finished, coalesce(rating, 0) from play_precedents")
    return {str(play): (int(str(count)), float(str(rating))) for play, count, rating in rows}


def save_plan(conn: Connection, actor: Actor, plan: Plan, *, at: datetime) -> str:
    """Keep the plan under its digest; the same plan again is the same row."""
    conn.execute(
        "insert into plans (digest, tenant_id, mission_id, plan, created_at) values (%s, %s, %s, %s, %s)"
        " on conflict do nothing",
        (plan.digest, actor.tenant_id, plan.mission_id, Jsonb(plan.model_dump(mode="json")), at),
    )
    return plan.digest


def plan(conn: Connection, mission_id: str, digest: str) -> Plan:
    row = conn.execute(
        "select plan from plans where mission_id = %s and digest = %s", (mission_id, digest)
    ).fetchone()
    if row is None:
        raise NotFound(f"there is no plan {digest[:12]}")
    return Plan.model_validate(row[0])


# Approvals ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    id: str
    digest: str
    risk: str
    required: list[str]
    status: str
    status_reason: str
    requested_by: UUID
    requested_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    consumed_at: datetime | None

    @property
    def waits(self) -> bool:
        """Whether it is still to be decided, or to be taken into use."""
        return self.status in ("requested", "approved") and self.consumed_at is None


_APPROVAL = (
    "id, digest, risk, required, status, status_reason, requested_by, requested_at, expires_at,"
    " decided_at, consumed_at"
)


def request_approval(
    conn: Connection, actor: Actor, *, approval_id: str, mission_id: str, digest: str, risk: str,
    required: Sequence[str], at: datetime, expires_at: datetime,
) -> None:  # fmt: skip
    conn.execute(
        "insert into approvals (id, tenant_id, mission_id, digest, risk, required, status, requested_by,"
        " requested_at, expires_at) values (%s, %s, %s, %s, %s, %s, 'requested', %s, %s, %s)",
        (
            approval_id,
            actor.tenant_id,
            mission_id,
            digest,
            risk,
            list(required),
            actor.person_id,
            at,
            expires_at,
        ),
    )


def approval(conn: Connection, mission_id: str) -> ApprovalRow | None:
    """The newest approval of a mission."""
    return (
        conn.cursor(row_factory=class_row(ApprovalRow))
        .execute(
            f"select {_APPROVAL} from approvals where mission_id = %s order by number desc limit 1",
            (mission_id,),
        )
        .fetchone()
    )


def in_use(conn: Connection, mission_id: str) -> ApprovalRow | None:
    """The approval that a run last took into use; None before there was a run."""
    return (
        conn.cursor(row_factory=class_row(ApprovalRow))
        .execute(
            f"select {_APPROVAL} from approvals where mission_id = %s and consumed_at is not null"
            " order by number desc limit 1",
            (mission_id,),
        )
        .fetchone()
    )


def decisions(conn: Connection, approval_id: str) -> list[dict[str, Any]]:
    rows = conn.execute(
        "select d.person_id, p.display_name, d.capacity, d.decision, d.rationale, d.decided_at, d.digest"
        " from approval_decisions d join people p on p.id = d.person_id"
        " where d.approval_id = %s order by d.decided_at",
        (approval_id,),
    )
    names = ("person_id", "name", "capacity", "decision", "rationale", "at", "digest")
    return [dict(zip(names, (str(row[0]), *row[1:]), strict=True)) for row in rows]


def as_request(row: ApprovalRow, given: Sequence[dict[str, Any]]) -> Request:
    """The approval as the pure rules want it."""
    approved = tuple(
        (UUID(d["person_id"]), d["capacity"]) for d in given if d["decision"] == "approved"
    )
    return Request(
        row.digest, tuple(row.required), row.risk, row.status, row.requested_by, row.expires_at,  # type: ignore[arg-type]
        row.consumed_at is not None, approved,
    )  # fmt: skip


def add_decision(
    conn: Connection, actor: Actor, approval_id: str, *, capacity: str, decision: str, digest: str,
    rationale: str, at: datetime,
) -> None:  # fmt: skip
    conn.execute(
        "insert into approval_decisions (tenant_id, approval_id, person_id, capacity, decision, digest,"
        " rationale, decided_at) values (%s, %s, %s, %s, %s, %s, %s, %s)",
        (actor.tenant_id, approval_id, actor.person_id, capacity, decision, digest, rationale, at),
    )


def settle_approval(
    conn: Connection, approval_id: str, status: str, *, reason: str, at: datetime
) -> None:
    conn.execute(
        "update approvals set status = %s, status_reason = %s, decided_at = %s"
        " where id = %s and consumed_at is null",
        (status, reason, at, approval_id),
    )


def consume_approval(conn: Connection, approval_id: str, *, at: datetime) -> bool:
    """Take an approval into use; False when that was done before (used once)."""
    return (
        conn.execute(
            "update approvals set consumed_at = %s where id = %s and status = 'approved'"
            " and consumed_at is null and expires_at > %s",
            (at, approval_id, at),
        ).rowcount
        == 1
    )
