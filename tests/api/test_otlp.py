"""OTLP/HTTP through OpenTelemetry's own exporters and by hand: complete, redacted, once, for one tenant (OB-3, OB-4)."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, StatusCode
from opentelemetry.trace import Status as SpanStatus

from api.conftest import Server, bearer
from flight import NOW, Flight

MAIL = "kim@example.org"
SECRET = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
START = int(NOW.timestamp()) * 10**9 - 5 * 10**9
PROTOBUF, JSON = "application/x-protobuf", "application/json"
TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"


def rows(flight: Flight, table: str, name: str = "riley") -> list[dict[str, Any]]:
    with flight.app.transaction(flight.people[name]) as conn:
        found = conn.execute(f"select to_jsonb(t) from {table} t order by created_at").fetchall()
    return [row[0] for row in found]  # type: ignore[misc]


# Through the real exporters -----------------------------------------------------------------


def made_spans() -> tuple[ReadableSpan, ...]:
    memory = InMemorySpanExporter()
    provider = TracerProvider(
        resource=Resource({"service.name": "helper", "service.version": "1.2"})
    )
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("crm.agent", "0.3")
    parent = tracer.start_span("invoke_agent Executor", kind=SpanKind.CLIENT, start_time=START)
    from opentelemetry.trace import set_span_in_context

    child = tracer.start_span(
        "execute_tool crm.update", context=set_span_in_context(parent), start_time=START + 1_000,
        links=[Link(parent.get_span_context(), {"why": "retry"})],
        attributes={
            "gen_ai.system": "example", "gen_ai.usage.prompt_tokens": 12, "gen_ai.tool.call.id": "call_1",
            "gen_ai.tool.input": '{"note": "call Kim"}', "gen_ai.conversation.id": "m-0k3f9x2v7q",
            "correlation_id": "req_0a1b2c3d4e5f6a7b", "cached": True, "score": 0.5, "tags": ["a", "b"],
            "note": f"written to {MAIL}", "api_key": SECRET,
        },
    )  # fmt: skip
    child.add_event("exception", {"exception.message": f"no {MAIL}"}, timestamp=START + 2_001)
    child.set_status(SpanStatus(StatusCode.ERROR, f"refused {MAIL}"))
    child.end(START + 3_000_000)
    parent.end(START + 4_000_000)
    return memory.get_finished_spans()


def send_spans(
    flight: Flight, url: str, spans: tuple[ReadableSpan, ...], **given: Any
) -> SpanExportResult:
    exporter = OTLPSpanExporter(f"{url}/v1/traces", headers=bearer(flight), **given)
    try:
        return exporter.export(spans)
    finally:
        exporter.shutdown()


def test_spans_of_the_sdk_arrive_whole_and_redacted_and_once(flight: Flight, live_url: str) -> None:
    made = made_spans()
    for compression in (Compression.NoCompression, Compression.Gzip, Compression.Gzip):
        assert (
            send_spans(flight, live_url, made, compression=compression) is SpanExportResult.SUCCESS
        )
    parent, child = rows(flight, "telemetry_spans")
    sent = {span.name: span.get_span_context() for span in made}
    for row in (parent, child):
        assert row["trace_id"] == f"{sent[row['name']].trace_id:032x}"
        assert row["span_id"] == f"{sent[row['name']].span_id:016x}"
    assert child["parent_span_id"] == parent["span_id"]
    assert (parent["kind"], parent["duration_ms"], parent["status"]) == ("client", 4.0, "unset")
    assert (child["kind"], child["status"], child["service"]) == ("internal", "error", "helper")
    assert (child["mission_id"], child["correlation_id"]) == (
        "m-0k3f9x2v7q",
        "req_0a1b2c3d4e5f6a7b",
    )
    told = child["attributes"]
    assert {n: told[n] for n in told if n not in ("note", "api_key", "otel.status_description")} == {
        "gen_ai.provider.name": "example", "gen_ai.usage.input_tokens": 12, "gen_ai.tool.call.id": "call_1",
        "gen_ai.tool.call.arguments": "[CONTENT_DROPPED]", "gen_ai.conversation.id": "m-0k3f9x2v7q",
        "correlation_id": "req_0a1b2c3d4e5f6a7b", "cached": True, "score": 0.5, "tags": ["a", "b"],
        "otel.scope.name": "crm.agent", "otel.scope.version": "0.3",
    }  # fmt: skip
    assert told["note"].startswith("written to [EMAIL:")
    assert told["api_key"].startswith("[SECRET:")
    assert child["events"][0]["at"].endswith("000002001Z")
    link = {
        "trace_id": parent["trace_id"],
        "span_id": parent["span_id"],
        "attributes": {"why": "retry"},
    }
    assert child["links"] == [link]
    assert child["resource"] == {"service.name": "helper", "service.version": "1.2"}
    assert not {MAIL, SECRET, "call Kim"} & {
        w for w in (MAIL, SECRET, "call Kim") if w in str(child)
    }


def test_log_records_of_the_sdk_arrive_whole_and_redacted_and_once(
    flight: Flight, live_url: str
) -> None:
    for _ in range(2):
        exporter = OTLPLogExporter(
            f"{live_url}/v1/logs", headers=bearer(flight), compression=Compression.Gzip
        )
        provider = LoggerProvider(Resource({"service.name": "helper"}), shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        provider.get_logger("crm").emit(
            timestamp=START, observed_timestamp=START + 7, severity_number=SeverityNumber.WARN,
            severity_text="WARN", body={"said": f"no answer of {MAIL}", "n": 2}, event_name="crm.silent",
            attributes={"correlation_id": "req_0a1b2c3d4e5f6a7b", "gen_ai.prompt": "tell me all"},
        )  # fmt: skip
        provider.shutdown()
    [row] = rows(flight, "telemetry_logs")
    assert (row["severity"], row["severity_text"], row["event_name"]) == (13, "WARN", "crm.silent")
    assert (row["body"]["n"], row["body"]["said"][:20]) == (2, "no answer of [EMAIL:")
    assert row["correlation_id"] == "req_0a1b2c3d4e5f6a7b"
    assert row["attributes"]["gen_ai.input.messages"] == "[CONTENT_DROPPED]"


# By hand, as JSON ---------------------------------------------------------------------------


def span(**given: Any) -> dict[str, Any]:
    return {
        "traceId": TRACE, "spanId": SPAN, "name": "chat m-1", "kind": 3,
        "startTimeUnixNano": str(START), "endTimeUnixNano": str(START + 1_500_000),
    } | given  # fmt: skip


def traces(*spans: dict[str, Any]) -> dict[str, Any]:
    name = {"key": "service.name", "value": {"stringValue": "hand"}}
    return {
        "resourceSpans": [
            {"resource": {"attributes": [name]}, "scopeSpans": [{"spans": list(spans)}]}
        ]
    }


def record(**given: Any) -> dict[str, Any]:
    return {
        "timeUnixNano": str(START),
        "severityNumber": 9,
        "body": {"stringValue": "done"},
    } | given


def logs(*records: dict[str, Any]) -> dict[str, Any]:
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}


def test_json_by_hand_keeps_ids_and_every_kind_of_value(server: Server) -> None:
    values = {
        "s": {"stringValue": "x\0y"}, "i": {"intValue": "9007199254740993"}, "d": {"doubleValue": "NaN"},
        "b": {"boolValue": False}, "by": {"bytesValue": "AAE="}, "none": {},
        "a": {"arrayValue": {"values": [{"intValue": 1}, {"stringValue": "two"}]}},
        "k": {"kvlistValue": {"values": [{"key": "in", "value": {"doubleValue": 1.5}}]}},
    }  # fmt: skip
    pairs = [{"key": name, "value": value} for name, value in values.items()]
    said = server.ask("POST", "/v1/traces", json=traces(span(attributes=pairs, later="unknown")))
    assert (said.status_code, said.json(), said.headers["content-type"]) == (200, {}, JSON)
    [row] = rows(server.flight, "telemetry_spans")
    assert (row["trace_id"], row["span_id"], row["parent_span_id"]) == (TRACE, SPAN, "")
    assert (row["kind"], row["service"], row["duration_ms"]) == ("client", "hand", 1.5)
    assert row["attributes"] == {
        "s": "xy", "i": 9007199254740993, "d": "nan", "b": False, "by": "AAE=", "none": None, "a": [1, "two"],
        "k": {"in": 1.5},
    }  # fmt: skip


def test_a_repetition_in_one_request_is_kept_and_the_request_again_is_not(server: Server) -> None:
    body = logs(record(), record(), record(traceId=TRACE, spanId=SPAN))
    for _ in range(2):
        assert server.ask("POST", "/v1/logs", json=body).json() == {}
    found = rows(server.flight, "telemetry_logs")
    assert len(found) == 3
    assert sorted(row["trace_id"] for row in found) == ["", "", TRACE]


def test_of_a_batch_that_is_known_in_part_the_rest_is_stored(server: Server) -> None:
    first, second = span(spanId="aa" * 8), span(spanId="ab" * 8)
    for batch in ((first,), (second, first), (first, first)):
        assert server.ask("POST", "/v1/traces", json=traces(*batch)).json() == {}
    told = [row["span_id"] for row in rows(server.flight, "telemetry_spans")]
    assert sorted(told) == ["aa" * 8, "ab" * 8]
    server.ask("POST", "/v1/logs", json=logs(record()))
    server.ask("POST", "/v1/logs", json=logs(record(severityNumber=17), record()))
    found = [row["severity"] for row in rows(server.flight, "telemetry_logs")]
    assert sorted(found) == [9, 17]


def test_another_tenant_sees_nothing_whatever_the_payload_says(server: Server, tmp_path: Any, cluster: Any, database_url: str) -> None:  # fmt: skip
    from flight import land, take_off

    other = take_off(tmp_path / "other", database_url, server.flight.owner_url)
    try:
        claim = {"key": "tenant_id", "value": {"stringValue": str(other.people["riley"].tenant_id)}}
        server.ask("POST", "/v1/traces", json=traces(span(attributes=[claim])))
        server.ask("POST", "/v1/logs", json=logs(record(attributes=[claim])))
        assert (
            len(rows(server.flight, "telemetry_spans"))
            == len(rows(server.flight, "telemetry_logs"))
            == 1
        )
        assert rows(other, "telemetry_spans") == rows(other, "telemetry_logs") == []
    finally:
        land(other)


def test_what_cannot_be_kept_is_counted_and_told_and_the_rest_is_kept(server: Server) -> None:
    day = 86_400 * 10**9
    wrong = [
        span(traceId="zz"), span(traceId="0" * 32), span(spanId=""), span(endTimeUnixNano=str(START - 1)),
        span(startTimeUnixNano=str(START - 31 * day)), span(startTimeUnixNano="0"),
        span(startTimeUnixNano=str(START + day), endTimeUnixNano=str(START + day)), span(parentSpanId="ab"),
    ]  # fmt: skip
    said = server.ask("POST", "/v1/traces", json=traces(*wrong, span())).json()["partialSuccess"]
    assert said["rejectedSpans"] == str(len(wrong))
    assert "trace id" in said["errorMessage"]
    assert "over 30 days" in said["errorMessage"]
    assert len(rows(server.flight, "telemetry_spans")) == 1
    told = server.ask("POST", "/v1/logs", json=logs(record(timeUnixNano="0"), record()))
    assert told.json()["partialSuccess"]["rejectedLogRecords"] == "1"


def test_a_partial_success_in_protobuf_is_answered_in_protobuf(server: Server) -> None:
    asked = ExportTraceServiceRequest()
    asked.resource_spans.add().scope_spans.add().spans.add(name="no ids", start_time_unix_nano=START, end_time_unix_nano=START)  # fmt: skip
    said = server.ask("POST", "/v1/traces", content=asked.SerializeToString(), headers={"Content-Type": PROTOBUF})  # fmt: skip
    assert (said.status_code, said.headers["content-type"]) == (200, PROTOBUF)
    assert ExportTraceServiceResponse.FromString(said.content).partial_success.rejected_spans == 1


# What is refused ----------------------------------------------------------------------------

BOMB = gzip.compress(b"\0" * 40_000_000)
REFUSED = {
    "no protobuf": (b"\xff\xff", {"Content-Type": PROTOBUF}, 400),
    "no json": (b"{", {"Content-Type": JSON}, 400),
    "json of another form": (b'{"resourceSpans": [3]}', {"Content-Type": JSON}, 400),
    "a list": (b"[]", {"Content-Type": JSON}, 400),
    "deep json": (b'{"resourceSpans":' + b"[" * 900 + b"]" * 900 + b"}", {"Content-Type": JSON}, 400),
    "half a character": (b'{"resourceSpans":[{"schemaUrl":"\\ud800"}]}', {"Content-Type": JSON}, 400),
    "an id that is a number": (json.dumps(traces({"traceId": 5})).encode(), {"Content-Type": JSON}, 400),
    "a content type of neither": (b"", {"Content-Type": "text/plain"}, 415),
    "an unknown encoding": (b"", {"Content-Type": JSON, "Content-Encoding": "br"}, 415),
    "no gzip": (b"{}", {"Content-Type": JSON, "Content-Encoding": "gzip"}, 400),
    "gzip that breaks off": (gzip.compress(b"{}")[:-9], {"Content-Type": JSON, "Content-Encoding": "gzip"}, 400),
    "gzip that grows": (BOMB, {"Content-Type": PROTOBUF, "Content-Encoding": "gzip"}, 413),
    "too much": (b"x" * 4_000_001, {"Content-Type": PROTOBUF}, 413),
}  # fmt: skip


def _told(said: Any) -> str:
    """What a refusal says: a Status in its own form, and the product's own where the form is neither."""
    if said.headers["content-type"] == PROTOBUF:
        return Status.FromString(said.content).message
    told = said.json()
    return told["message"] if "message" in told else told["error"]["message"]


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_request_is_refused_with_a_status_and_stores_nothing(
    server: Server, what: str
) -> None:
    content, headers, status = REFUSED[what]
    said = server.ask("POST", "/v1/traces", content=content, headers=headers)
    assert said.status_code == status
    if what != "too much":  # that is refused before the route
        assert _told(said)
    assert rows(server.flight, "telemetry_spans") == []


def test_nobody_without_a_token_sends_anything(server: Server) -> None:
    said = server.client.post("/v1/traces", json=traces(span()))
    assert (said.status_code, said.json()["code"]) == (401, 16)
    assert rows(server.flight, "telemetry_spans") == []
