"""The rows of the audit trail: written by `record` for every event that is kept as audit, read here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from aicp.kernel.canonical import canonical
from aicp.kernel.db import Actor, Connection
from aicp.telemetry.trail.chain import Entry
from aicp.telemetry.trail.seals import Seal

TENANT = "tenant"  # the chain of what belongs to no mission


def append(
    conn: Connection, actor: Actor, event_type: str, context: dict[str, Any], *, at: datetime,
    mission_id: str | None, correlation_id: str, stage: str, status: str,
) -> None:  # fmt: skip
    """Add one record to the mission's chain, or the tenant's; the database chains and hashes it.

    Args:
        context: already redacted.
    """
    told = {
        "at": at.isoformat(), "event": event_type, "context": context, "mission": mission_id,
        "person": str(actor.person_id), "agent": actor.agent, "correlation_id": correlation_id,
        "stage": stage, "status": status,
    }  # fmt: skip
    conn.execute(
        "insert into audit_log (tenant_id, subject, entry) values (%s, %s, %s)",
        (actor.tenant_id, mission_id or TENANT, canonical(told).decode()),
    )


PAGE = 5000  # records a page


def entries(
    conn: Connection, subject: str = "", *, after: tuple[str, int] = ("", 0), limit: int = PAGE
) -> list[Entry]:
    """A page of the asker's tenant's records in the order of their chains; of one chain, or of all.

    Args:
        after: chain and number of the last record of the page before.
    """
    return (
        conn.cursor(row_factory=class_row(Entry))
        .execute(
            "select tenant_id::text as tenant_id, subject, seq, entry, hash from audit_log"
            " where (%(subject)s = '' or subject = %(subject)s) and (subject, seq) > (%(chain)s, %(seq)s)"
            " order by subject, seq limit %(limit)s",
            {"subject": subject, "chain": after[0], "seq": after[1], "limit": limit},
        )
        .fetchall()
    )


def seals(conn: Connection) -> list[Seal]:
    """Every seal. Needs a service transaction."""
    return (
        conn.cursor(row_factory=class_row(Seal))
        .execute("select n, text, signature from app.audit_seals order by n")
        .fetchall()
    )
