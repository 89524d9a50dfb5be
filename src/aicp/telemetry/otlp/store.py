"""Store rows of spans and log records, once each: by COPY, and where some are there already by an insert."""

from __future__ import annotations

from operator import itemgetter
from typing import Any
from uuid import UUID

import orjson
from psycopg import sql
from psycopg.errors import UniqueViolation

from aicp.kernel.db import Connection

_SPANS = """
insert into telemetry_spans (tenant_id, trace_id, span_id, parent_span_id, name, kind, service, status, duration_ms,
    mission_id, correlation_id, attributes, events, links, resource, created_at)
select %s, trace_id, span_id, parent_span_id, name, kind, service, status, duration_ms,
    mission_id, correlation_id, attributes, events, links, resource, created_at
from jsonb_to_recordset(%s) as r (trace_id text, span_id text, parent_span_id text, name text, kind text,
    service text, status text, duration_ms float8, mission_id text, correlation_id text, attributes jsonb,
    events jsonb, links jsonb, resource jsonb, created_at timestamptz)
order by trace_id, span_id, created_at
on conflict do nothing
"""
_LOGS = """
insert into telemetry_logs (tenant_id, log_id, severity, severity_text, event_name, service, body, trace_id, span_id,
    mission_id, correlation_id, attributes, resource, created_at)
select %s, log_id, severity, severity_text, event_name, service, coalesce(body, 'null'), trace_id, span_id,
    mission_id, correlation_id, attributes, resource, created_at
from jsonb_to_recordset(%s) as r (log_id uuid, severity int, severity_text text, event_name text, service text,
    body jsonb, trace_id text, span_id text, mission_id text, correlation_id text, attributes jsonb,
    resource jsonb, created_at timestamptz)
order by log_id, created_at
on conflict do nothing
"""


_SPAN_COLUMNS = (
    "trace_id", "span_id", "parent_span_id", "name", "kind", "service", "status", "duration_ms", "mission_id",
    "correlation_id", "attributes", "events", "links", "resource", "created_at",
)  # fmt: skip
_LOG_COLUMNS = (
    "log_id", "severity", "severity_text", "event_name", "service", "body", "trace_id", "span_id", "mission_id",
    "correlation_id", "attributes", "resource", "created_at",
)  # fmt: skip
_DOCUMENTS = frozenset({"attributes", "events", "links", "resource", "body"})


def add_spans(conn: Connection, tenant: UUID, rows: list[dict[str, Any]]) -> None:
    """Store the spans that are not there. Needs a service transaction."""
    rows.sort(key=itemgetter("trace_id", "span_id", "created_at"))
    if not _copied(conn, "telemetry_spans", _SPAN_COLUMNS, tenant, rows):
        conn.execute(_SPANS, (tenant, orjson.dumps(rows).decode()))


def add_logs(conn: Connection, tenant: UUID, rows: list[dict[str, Any]]) -> None:
    """Store the log records that are not there. Needs a service transaction."""
    rows.sort(key=itemgetter("log_id", "created_at"))
    if not _copied(conn, "telemetry_logs", _LOG_COLUMNS, tenant, rows):
        conn.execute(_LOGS, (tenant, orjson.dumps(rows).decode()))


def _copied(
    conn: Connection, table: str, columns: tuple[str, ...], tenant: UUID, rows: list[dict[str, Any]]
) -> bool:
    """Store all rows by COPY; False, and nothing stored, when one is there already.

    Rows come in order of their key, so that two senders of the same wait for one another and never deadlock.
    """
    statement = sql.SQL("copy {} (tenant_id, {}) from stdin").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    try:
        with conn.transaction(), conn.cursor() as cur, cur.copy(statement) as copy:
            for row in rows:
                copy.write_row((tenant, *(_cell(name, row[name]) for name in columns)))
    except UniqueViolation:
        return False
    return True


def _cell(column: str, value: Any) -> Any:
    return orjson.dumps(value).decode() if column in _DOCUMENTS else value
