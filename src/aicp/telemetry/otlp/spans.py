"""A span as a row of `telemetry_spans`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aicp.telemetry.otlp.names import CORRELATION, MISSION, SERVICE, renamed, said
from aicp.telemetry.otlp.take import Read, Row, hexadecimal, moment, read
from aicp.telemetry.otlp.values import attributes_of, stamp
from aicp.telemetry.redaction import Context, redact

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUS = ("unset", "ok", "error")


def spans(request: ExportTraceServiceRequest, *, tenant: str, at: datetime) -> Read:
    """The spans of a request, redacted."""
    return read(request.resource_spans, "scope_spans", "spans", _row, tenant=tenant, at=at)


def _row(span: Span, scope: Row, resource: Row, context: Context, at: datetime) -> Row:
    took = span.end_time_unix_nano - span.start_time_unix_nano
    if took < 0:
        raise ValueError("it has no end, or one before its beginning")
    told = redact(
        {
            "name": span.name.replace("\0", ""),
            "attributes": renamed(attributes_of(span.attributes)) | scope | _own(span),
            "events": [_event(one) for one in span.events],
            "links": [_link(one) for one in span.links],
        },
        context,
    )
    attributes = told["attributes"]
    return {
        "trace_id": hexadecimal(span.trace_id, 16, "trace"),
        "span_id": hexadecimal(span.span_id, 8, "span"),
        "parent_span_id": hexadecimal(span.parent_span_id, 8, "parent span", needed=False),
        "name": told["name"][:200],
        "kind": KINDS[span.kind] if span.kind < len(KINDS) else KINDS[0],
        "service": said(resource, SERVICE),
        "status": STATUS[span.status.code] if span.status.code < len(STATUS) else STATUS[0],
        "duration_ms": took / 1e6,
        "mission_id": said(attributes, MISSION),
        "correlation_id": said(attributes, CORRELATION),
        "attributes": attributes,
        "events": told["events"],
        "links": told["links"],
        "resource": resource,
        "created_at": moment(span.start_time_unix_nano, at).isoformat(),
    }


def _own(span: Span) -> Row:
    """What a span has no column for, under the names that OpenTelemetry gives it elsewhere."""
    told = {
        "otel.status_description": span.status.message.replace("\0", ""),
        "w3c.tracestate": span.trace_state.replace("\0", ""),
        "otel.dropped_attributes_count": span.dropped_attributes_count,
        "otel.dropped_events_count": span.dropped_events_count,
        "otel.dropped_links_count": span.dropped_links_count,
    }
    return {name: value for name, value in told.items() if value}


def _event(event: Span.Event) -> dict[str, Any]:
    return {
        "name": event.name.replace("\0", ""), "at": stamp(event.time_unix_nano),
        "attributes": renamed(attributes_of(event.attributes)),
    }  # fmt: skip


def _link(link: Span.Link) -> dict[str, Any]:
    return {
        "trace_id": link.trace_id.hex(), "span_id": link.span_id.hex(),
        "attributes": renamed(attributes_of(link.attributes)),
    }  # fmt: skip
