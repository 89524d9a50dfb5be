"""The least that a durable intake can be: decode, COPY, commit, 200. No token, no check, no redaction.

The same columns, indexes and wire forms as the product's, in an ASGI application of its own process.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from psycopg_pool import AsyncConnectionPool

TENANT = UUID(int=7)
TABLES = """
create table if not exists bare_events (like telemetry_events including indexes including identity);
create table if not exists bare_spans (like telemetry_spans including indexes);
truncate bare_events, bare_spans;
"""
_EVENTS = (
    "copy bare_events (tenant_id, event_id, event_type, status, stage, toolkit, duration_ms, context, payload_sha,"
    " agent_name, correlation_id, trace_id, span_id, created_at) from stdin"
)
_SPANS = (
    "copy bare_spans (tenant_id, trace_id, span_id, parent_span_id, name, kind, service, status, duration_ms, mission_id,"
    " correlation_id, attributes, events, links, resource, created_at) from stdin"
)
_pools: list[AsyncConnectionPool[Any]] = []  # one, made in the loop that uses it


async def app(scope: Any, receive: Any, send: Any) -> None:
    """ASGI."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    spans = scope["path"] == "/v1/traces"
    await _store(_SPANS if spans else _EVENTS, (_spans if spans else _events)(body))
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
    )
    await send({"type": "http.response.body", "body": b""})


async def _store(statement: str, rows: list[tuple[Any, ...]]) -> None:
    if not _pools:
        _pools.append(
            AsyncConnectionPool(os.environ["BARE_URL"], min_size=4, max_size=4, open=False)
        )
        await _pools[0].open()
    async with _pools[0].connection() as conn, conn.cursor() as cur, cur.copy(statement) as copy:
        for row in rows:
            await copy.write_row(row)


def _events(body: bytes) -> list[tuple[Any, ...]]:
    now = datetime.now(UTC)
    return [
        (TENANT, one["event_id"], one["event"], "info", "", "", None, orjson.dumps(one["context"]).decode(), "", "",
         "", "", "", now)
        for one in orjson.loads(body)
    ]  # fmt: skip


def _spans(body: bytes) -> list[tuple[Any, ...]]:
    now = datetime.now(UTC)
    rows = []
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for s in scope.spans:
                told = {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in s.attributes}
                rows.append(
                    (TENANT, s.trace_id.hex(), s.span_id.hex(), s.parent_span_id.hex(), s.name, "internal", "bench",
                     "unset", (s.end_time_unix_nano - s.start_time_unix_nano) / 1e6, "", "",
                     orjson.dumps(told).decode(), "[]", "[]", "{}", now)
                )  # fmt: skip
    return rows
