"""OTLP/HTTP: what any OpenTelemetry exporter sends; answered when it is committed (OB-3, OB-4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Response
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from aicp.api import intake
from aicp.api.intake import BodyDep, OtlpIntake, hurry
from aicp.app import App
from aicp.kernel.db import Actor
from aicp.telemetry.otlp import store, wire
from aicp.telemetry.otlp.records import records
from aicp.telemetry.otlp.spans import spans
from aicp.telemetry.otlp.take import Read
from aicp.web import ActorDep, AppDep

router = APIRouter(prefix="/v1", tags=["telemetry"], route_class=OtlpIntake)
HeaderDep = Annotated[str, Header()]
Request = TypeVar("Request", bound=Message)


@router.post("/traces", response_class=Response)
def traces(
    app: AppDep, actor: ActorDep, body: BodyDep,
    content_type: HeaderDep = "", content_encoding: HeaderDep = "",
) -> Response:  # fmt: skip
    """An ExportTraceServiceRequest, protobuf or JSON, plain or gzip, 4 MB; a span sent again adds nothing."""
    form = wire.form_of(content_type)
    asked = wire.decoded(wire.unpacked(body, content_encoding), form, ExportTraceServiceRequest)
    found = _kept(app, actor, asked, spans, store.add_spans)
    answer = ExportTraceServiceResponse()
    if found.rejected:
        answer.partial_success.rejected_spans = sum(found.rejected.values())
        answer.partial_success.error_message = found.message
    return Response(wire.encoded(answer, form), media_type=form)


@router.post("/logs", response_class=Response)
def logs(
    app: AppDep, actor: ActorDep, body: BodyDep,
    content_type: HeaderDep = "", content_encoding: HeaderDep = "",
) -> Response:  # fmt: skip
    """An ExportLogsServiceRequest, protobuf or JSON, plain or gzip, 4 MB; the same sent again adds nothing."""
    form = wire.form_of(content_type)
    asked = wire.decoded(wire.unpacked(body, content_encoding), form, ExportLogsServiceRequest)
    found = _kept(app, actor, asked, records, store.add_logs)
    answer = ExportLogsServiceResponse()
    if found.rejected:
        answer.partial_success.rejected_log_records = sum(found.rejected.values())
        answer.partial_success.error_message = found.message
    return Response(wire.encoded(answer, form), media_type=form)


def _kept(
    app: App, actor: Actor, asked: Request, read: Callable[..., Read], add: Callable[..., Any]
) -> Read:
    """What a request holds, read and redacted before the transaction, committed after it."""
    at: datetime = app.clock()
    with intake.ONE_AT_A_TIME:
        found = read(asked, tenant=str(actor.tenant_id), at=at)
    if found.rows:
        with app.db.service() as conn:  # spans and log records are written by the service alone
            hurry(conn)
            add(conn, actor.tenant_id, found.rows)
    return found
