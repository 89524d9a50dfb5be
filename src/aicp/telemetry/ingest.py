"""Take in events of others: validated one by one, redacted, and stored once each (OB-4).

A sender names each event by a UUIDv7 of its own; what it sends again, after an answer was lost, adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aicp.errors import BadInput
from aicp.kernel.canonical import digest
from aicp.kernel.db import Actor, Connection
from aicp.telemetry.catalogue import catalogue
from aicp.telemetry.record import Status, duration_of, toolkit_of
from aicp.telemetry.redaction import Context, redact

MOST_EVENTS = 1000  # of one request
OLDEST = timedelta(days=30)
AHEAD = timedelta(minutes=5)  # how far a sender's clock may run before ours
_ADD = """
insert into telemetry_events (tenant_id, event_id, mission_id, event_type, stage, status, toolkit, duration_ms,
    context, payload_sha, person_id, agent_name, correlation_id, trace_id, span_id, created_at)
select %s, event_id, mission_id, event_type, stage, status, toolkit, duration_ms, context, payload_sha, %s, %s,
    correlation_id, trace_id, span_id, created_at
from jsonb_to_recordset(%s) as e (event_id uuid, mission_id text, event_type text, stage text, status text,
    toolkit text, duration_ms float8, context jsonb, payload_sha text, correlation_id text, trace_id text,
    span_id text, created_at timestamptz)
on conflict do nothing
"""


class Incoming(BaseModel):
    """One event as it is sent; its time is that of its id."""

    model_config = ConfigDict(extra="forbid", strict=True)
    event_id: str
    event: str
    status: Status = "info"
    stage: Annotated[str, Field(pattern=r"^[A-Za-z]{0,32}$")] = ""
    mission_id: Annotated[str, Field(max_length=64)] | None = None
    correlation_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""
    trace_id: Annotated[str, Field(pattern=r"^([0-9a-f]{32})?$")] = ""
    span_id: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?$")] = ""
    context: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch: `stored` now, `known` from before, and why the rest was not taken, by position."""

    stored: int
    known: int
    rejected: dict[int, str]


def take(conn: Connection, actor: Actor, items: list[Any], *, at: datetime) -> Taken:
    """Store what is valid of a batch, for the actor's tenant whatever the items say.

    Raises:
        BadInput: there are more than 1,000 items.
    """
    if len(items) > MOST_EVENTS:
        raise BadInput(
            f"the batch has {len(items)} events, more than {MOST_EVENTS}", hint="send it in parts"
        )
    rows: dict[int, dict[str, Any]] = {}
    rejected: dict[int, str] = {}
    for place, item in enumerate(items):
        try:
            rows[place] = row_of(item, tenant=str(actor.tenant_id), at=at)
        except ValueError as error:
            rejected[place] = _reason(error)
    missions = _missions(conn, [row["mission_id"] for row in rows.values() if row["mission_id"]])
    for place, row in list(rows.items()):
        if row["mission_id"] and row["mission_id"] not in missions:
            rejected[place] = "mission_id: there is no such mission"
            del rows[place]
    stored = _add(conn, actor, list(rows.values())) if rows else 0
    return Taken(stored, len(rows) - stored, dict(sorted(rejected.items())))


def row_of(item: Any, *, tenant: str, at: datetime) -> dict[str, Any]:
    """The row of one event, its context redacted.

    Raises:
        ValueError: it is not an event of the catalogue, or of another form.
    """
    event = Incoming.model_validate(item)
    if event.event not in catalogue():
        raise ValueError("event: it is not in the catalogue")
    if catalogue()[event.event].retention == "audit":  # nobody else says who decided what
        raise ValueError("event: it is recorded by the product alone")
    if wrong := catalogue()[event.event].misfit(event.context):
        raise ValueError(f"context: it does not fit the catalogue: {wrong}")
    event_id = UUID(event.event_id)
    created = time_of(event_id)
    if not at - OLDEST <= created <= at + AHEAD:
        raise ValueError("event_id: its time is over 30 days ago or ahead of now")
    context = redact(event.context, Context(tenant))
    return {
        "event_id": str(event_id), "mission_id": event.mission_id, "event_type": event.event,
        "stage": event.stage, "status": event.status, "toolkit": toolkit_of(context),
        "duration_ms": duration_of(context), "context": context, "payload_sha": digest(context),
        "correlation_id": event.correlation_id, "trace_id": event.trace_id, "span_id": event.span_id,
        "created_at": created.isoformat(),
    }  # fmt: skip


def time_of(event_id: UUID) -> datetime:
    """The time in a UUIDv7, to the millisecond (RFC 9562, 5.7).

    Raises:
        ValueError: it is of another version.
    """
    if event_id.version != 7:
        raise ValueError("event_id: it is no UUIDv7")
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=event_id.int >> 80)


def _missions(conn: Connection, named: list[str]) -> set[str]:
    if not named:
        return set()
    rows = conn.execute("select id from missions where id = any (%s)", (named,))
    return {str(row[0]) for row in rows}


def _add(conn: Connection, actor: Actor, rows: list[dict[str, Any]]) -> int:
    return conn.execute(_ADD, (actor.tenant_id, actor.person_id, actor.agent, Jsonb(rows))).rowcount


def _reason(error: ValueError) -> str:
    """Why an event was not taken, without a value of it."""
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'event'}: {first['msg']}"
    return str(error) if ": it" in str(error) else "event_id: it is no UUIDv7"
