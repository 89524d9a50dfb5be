"""Write one catalogued event into the caller's transaction, and its line into the log."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from psycopg.types.json import Jsonb

from aicp.kernel.canonical import digest
from aicp.kernel.db import Actor, Connection
from aicp.telemetry.catalogue import missing
from aicp.telemetry.logs import log

Status = Literal["info", "success", "warning", "error"]


def record(
    conn: Connection,
    actor: Actor,
    event_type: str,
    context: dict[str, Any],
    *,
    at: datetime,
    mission_id: str | None = None,
    correlation_id: str = "",
    stage: str = "",
    status: Status = "info",
) -> None:
    """Record an event; the streams hear of it when the transaction commits.

    Its log line names the issue its mission is about, if there is one.

    Raises:
        ValueError: the context lacks a field the catalogue demands.
        KeyError: the event is not in the catalogue.
    """
    if lacking := missing(event_type, context):
        raise ValueError(f"{event_type} lacks {', '.join(sorted(lacking))}")
    row = conn.execute(
        "insert into telemetry_events (tenant_id, mission_id, event_type, stage, status, context,"
        " payload_sha, person_id, agent_name, correlation_id, created_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " returning (select bd_issue from missions where id = %s)",
        (
            actor.tenant_id, mission_id, event_type, stage, status, Jsonb(context), digest(context),
            actor.person_id, actor.agent, correlation_id, at, mission_id,
        ),
    ).fetchone()  # fmt: skip
    log.info(
        event_type,
        bd_issue=(row[0] if row else None) or None,
        tenantId=str(actor.tenant_id),
        mission_id=mission_id,
        correlation_id=correlation_id,
        toolkit=context.get("toolkit"),
        context=context,
    )
