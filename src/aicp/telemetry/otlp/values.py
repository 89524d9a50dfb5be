"""The values of OTLP as JSON, and its times."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = 253_402_300_799 * 10**9  # the last second of year 9999


def attributes_of(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Attributes by name; of a name given twice the last counts."""
    return {_text(pair.key): value_of(pair.value) for pair in pairs}


def value_of(value: AnyValue) -> Any:
    """A value as JSON: bytes as base64; what JSON has no number for (NaN, infinity) as its word."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return _text(value.string_value)
    if kind == "array_value":
        return [value_of(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return attributes_of(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind == "double_value" and not math.isfinite(value.double_value):
        return str(value.double_value)
    return getattr(value, kind) if kind else None


def scope_of(scope: InstrumentationScope) -> dict[str, Any]:
    """What a scope says of each of its records, under the names that OpenTelemetry gives it elsewhere."""
    told = {f"otel.scope.{name}": value for name, value in attributes_of(scope.attributes).items()}
    if scope.name:
        told["otel.scope.name"] = _text(scope.name)
    if scope.version:
        told["otel.scope.version"] = _text(scope.version)
    return told


def time_of(nanoseconds: int) -> datetime:
    """A time, to the microsecond.

    Raises:
        ValueError: there is none, or it is after year 9999.
    """
    if not 0 < nanoseconds < _LATEST:
        raise ValueError("it has no time")
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def stamp(nanoseconds: int) -> str:
    """A time in words (RFC 3339), to the nanosecond; "" when there is none."""
    if not 0 < nanoseconds < _LATEST:
        return ""
    whole, rest = divmod(nanoseconds, 10**9)
    return f"{_EPOCH + timedelta(seconds=whole):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _text(text: str) -> str:
    """A text without the one character that PostgreSQL does not store."""
    return text.replace("\0", "") if "\0" in text else text
