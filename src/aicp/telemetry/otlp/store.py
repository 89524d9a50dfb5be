"""Store rows of spans and log records: once each, in one statement."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

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


def add_spans(conn: Connection, tenant: UUID, rows: list[dict[str, Any]]) -> int:
    """Store the spans that are not there; returns how many. Needs a service transaction.

    In order of their key, so that two senders of the same spans wait for one another and never deadlock.
    """
    return conn.execute(_SPANS, (tenant, _json(rows))).rowcount


def add_logs(conn: Connection, tenant: UUID, rows: list[dict[str, Any]]) -> int:
    """Store the log records that are not there; returns how many. Needs a service transaction."""
    return conn.execute(_LOGS, (tenant, _json(rows))).rowcount


def _json(rows: list[dict[str, Any]]) -> str:
    return orjson.dumps(rows).decode()
