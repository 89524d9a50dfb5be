"""Write one catalogued event into the caller's transaction, and its line into the log."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from psycopg.types.json import Jsonb
from structlog.contextvars import get_contextvars

from aicp.kernel.canonical import digest
from aicp.kernel.db import Actor, Connection
from aicp.telemetry.catalogue import catalogue
from aicp.telemetry.logs import log
from aicp.telemetry.redaction import Context, redact
from aicp.telemetry.trail.store import append

Status = Literal["info", "success", "warning", "error"]


_DURATIONS = (
    ("duration_ms", 1.0), ("latency_ms", 1.0), ("generation_latency_ms", 1.0), ("total_duration_seconds", 1000.0),
)  # fmt: skip
_TOOLKITS = ("toolkit", "toolkit_slug", "toolkit_id")


def duration_of(context: dict[str, Any]) -> float | None:
    """The milliseconds an event took by its context, None when it tells none."""
    for name, unit in _DURATIONS:
        value = context.get(name)
        if isinstance(value, int | float) and 0 <= value < 1e12:
            return float(value) * unit
    return None


def toolkit_of(context: dict[str, Any]) -> str:
    """The toolkit an event is about by its context, "" when none."""
    return next((v for n in _TOOLKITS if isinstance(v := context.get(n), str)), "")


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
    """Record an event, redacted; the streams hear of it when the transaction commits.

    Its log line names the issue its mission is about, if there is one; where a job has bound that
    already, no answer of the database is waited for.

    Raises:
        ValueError: the context is not as the catalogue has it: a field lacks, is unknown or of another type.
        KeyError: the event is not in the catalogue.
    """
    event = catalogue()[event_type]
    if wrong := event.misfit(context):
        raise ValueError(wrong)
    context = redact(context, Context(str(actor.tenant_id)))  # OP-4: before it is stored
    conn.execute(
        "insert into telemetry_events (tenant_id, mission_id, event_type, stage, status, toolkit, duration_ms,"
        " context, payload_sha, person_id, agent_name, correlation_id, created_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            actor.tenant_id, mission_id, event_type, stage, status, toolkit_of(context),
            duration_of(context), Jsonb(context), digest(context), actor.person_id, actor.agent, correlation_id, at,
        ),
    )  # fmt: skip
    if event.retention == "audit":  # in the same transaction, so that neither is without the other
        append(
            conn, actor, event_type, context, at=at, mission_id=mission_id,
            correlation_id=correlation_id, stage=stage, status=status,
        )  # fmt: skip
    log.info(
        event_type,
        bd_issue=_issue(conn, mission_id),
        tenantId=str(actor.tenant_id),
        mission_id=mission_id,
        correlation_id=correlation_id,
        toolkit=context.get("toolkit"),
        context=context,
    )


def _issue(conn: Connection, mission_id: str | None) -> str | None:
    """The issue that the mission is about, for the log line."""
    known = get_contextvars()
    if "bd_issue" in known or mission_id is None:
        return known.get("bd_issue")
    row = conn.execute("select bd_issue from missions where id = %s", (mission_id,)).fetchone()
    return str(row[0]) if row and row[0] else None
