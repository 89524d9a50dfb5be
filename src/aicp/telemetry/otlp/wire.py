"""What is on the wire: OTLP/HTTP bodies in protobuf and JSON, plain or gzip, and the answers to them.

Source: OpenTelemetry protocol specification 1.x, "OTLP/HTTP"; the JSON form differs from protobuf's own
in that trace and span ids are hexadecimal.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator
from typing import Any, TypeVar

import orjson
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status

from aicp.errors import BadInput

PROTOBUF, JSON = "application/x-protobuf", "application/json"
MOST_BYTES = 4_000_000  # of a body, unpacked
_IDS = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")
Request = TypeVar("Request", bound=Message)


class TooLarge(BadInput):
    """The body unpacks to more than 4 MB."""

    code, status = "too_large", 413


class UnknownForm(BadInput):
    """A content type or encoding that OTLP/HTTP does not have."""

    code, status = "unknown_form", 415


def form_of(content_type: str) -> str:
    """The form that a content type names.

    Raises:
        UnknownForm: it is neither.
    """
    form = content_type.partition(";")[0].strip().lower()
    if form not in (PROTOBUF, JSON):
        raise UnknownForm(
            "the content type is neither protobuf nor JSON", hint=f"send {PROTOBUF} or {JSON}"
        )
    return form


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body without its gzip; never more than 4 MB of it is made.

    Raises:
        BadInput: it is no gzip, or breaks off.
        TooLarge, UnknownForm: see there.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise UnknownForm("the content encoding is unknown", hint="send it plain, or as gzip")
    unzip = zlib.decompressobj(wbits=31)
    try:
        out = unzip.decompress(body, MOST_BYTES + 1)
    except zlib.error:
        raise BadInput("the body is no gzip", hint="send it plain, or as gzip") from None
    if len(out) > MOST_BYTES:
        raise TooLarge("the request is larger than 4 MB unpacked", hint="send it in parts")
    if not unzip.eof or unzip.unused_data:
        raise BadInput("the gzip of the body breaks off or goes on", hint="send it whole")
    return out


def decoded(body: bytes, form: str, kind: type[Request]) -> Request:
    """The message in a body.

    Raises:
        BadInput: it is none of that kind.
    """
    try:
        if form == PROTOBUF:
            return kind.FromString(body)
        told = orjson.loads(body)
        for one in _with_ids(told):
            _base64_ids(one)
        return json_format.ParseDict(told, kind(), ignore_unknown_fields=True)
    except (
        DecodeError,
        json_format.ParseError,
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
    ):
        raise BadInput(
            f"the body is no {kind.DESCRIPTOR.name} in {form}",
            hint="send what OTLP/HTTP says, as its exporters do",
        ) from None  # fmt: skip


def encoded(message: Message, form: str) -> bytes:
    """An answer in the form of its request."""
    if form == PROTOBUF:
        return message.SerializeToString()
    return json_format.MessageToJson(message, indent=None).encode()


def failure(status: int, message: str, form: str) -> bytes:
    """The body of an error answer: google.rpc.Status, as OTLP/HTTP has it."""
    codes = {401: 16, 403: 7, 429: 8, 500: 13, 503: 14}
    return encoded(Status(code=codes.get(status, 3), message=message), form)


def _with_ids(told: Any) -> Iterator[dict[str, Any]]:
    """The objects of a JSON request that hold ids: spans, their links, log records."""
    for resource in told.get("resourceSpans") or ():
        for scope in resource.get("scopeSpans") or ():
            for span in scope.get("spans") or ():
                yield span
                yield from span.get("links") or ()
    for resource in told.get("resourceLogs") or ():
        for scope in resource.get("scopeLogs") or ():
            yield from scope.get("logRecords") or ()


def _base64_ids(one: dict[str, Any]) -> None:
    """Ids as protobuf's JSON has bytes. What is no hexadecimal becomes an id that no record may have."""
    for name in _IDS:
        if value := one.get(name):
            try:
                data = bytes.fromhex(value)
            except (ValueError, binascii.Error):
                data = b"?"
            one[name] = base64.b64encode(data).decode()
