"""A log record as a row of `telemetry_logs`."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime
from uuid import UUID

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from aicp.telemetry.otlp.names import CORRELATION, EVENT, MISSION, SERVICE, renamed, said
from aicp.telemetry.otlp.take import Read, Row, hexadecimal, moment, read
from aicp.telemetry.otlp.values import attributes_of, value_of
from aicp.telemetry.redaction import Context, redact


def records(request: ExportLogsServiceRequest, *, tenant: str, at: datetime) -> Read:
    """The log records of a request, redacted, each with its id."""
    found = read(request.resource_logs, "scope_logs", "log_records", _row, tenant=tenant, at=at)
    seen: Counter[bytes] = Counter()
    for row in found.rows:
        content = _content(row)
        row["log_id"] = str(_id(content, seen[content]))
        del row["nanoseconds"]
        seen[content] += 1
    return found


def _row(record: LogRecord, scope: Row, resource: Row, context: Context, at: datetime) -> Row:
    attributes = renamed(attributes_of(record.attributes)) | scope
    if record.dropped_attributes_count:
        attributes["otel.dropped_attributes_count"] = record.dropped_attributes_count
    told = redact(
        {
            "severity_text": record.severity_text.replace("\0", ""),
            "event_name": record.event_name.replace("\0", "") or said(attributes, EVENT),
            "body": value_of(record.body),
            "attributes": attributes,
        },
        context,
    )
    return {
        "severity": record.severity_number if 0 <= record.severity_number <= 24 else 0,
        "severity_text": told["severity_text"][:200],
        "event_name": told["event_name"][:200],
        "service": said(resource, SERVICE),
        "body": told["body"],
        "trace_id": hexadecimal(record.trace_id, 16, "trace", needed=False),
        "span_id": hexadecimal(record.span_id, 8, "span", needed=False),
        "mission_id": said(told["attributes"], MISSION),
        "correlation_id": said(told["attributes"], CORRELATION),
        "attributes": told["attributes"],
        "resource": resource,
        "created_at": moment(record.time_unix_nano or record.observed_time_unix_nano, at).isoformat(),
        "nanoseconds": [record.time_unix_nano, record.observed_time_unix_nano],
    }  # fmt: skip


def _content(row: Row) -> bytes:
    return hashlib.sha256(orjson.dumps(row, option=orjson.OPT_SORT_KEYS)).digest()


def _id(content: bytes, nth: int) -> UUID:
    """The id of the nth record of the same content in a request: a repetition is one more record, but
    the whole sent again is not. It is made of what is redacted, so that it tells nothing else."""
    return UUID(bytes=hashlib.sha256(content + nth.to_bytes(4)).digest()[:16])
