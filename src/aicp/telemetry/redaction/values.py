"""Whatever a program logs, as values that JSON knows; what a value is is not decided by its size."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from datetime import date, time
from enum import Enum
from typing import Any

import orjson

_TURNS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    ((date, time), lambda value: value.isoformat()),  # a datetime is a date
    (Enum, lambda value: value.value),
    (str, str.__str__),
    (int, int),
    (float, float),
    (BaseException, lambda value: f"{type(value).__name__}: {value}"),
)


def as_json(value: Any) -> Any:
    """One level of a value that is none of JSON's own: a text, a number, a dict; never the same type.

    Raises:
        Exception: whatever the value's own methods raise.
    """
    for kinds, turned in _TURNS:
        if isinstance(value, kinds):
            return turned(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name, None) for f in dataclasses.fields(value)}
    dump = getattr(value, "model_dump", None)  # pydantic
    if callable(dump) and isinstance(dumped := dump(), Mapping):
        return dumped
    return str(value)


def canonical(value: Any) -> str:
    """A value as one text, to be hashed: the same for the same value where that can be had."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    try:
        return orjson.dumps(value, option=options, default=str).decode()
    except Exception:  # noqa: BLE001  cyclic, too deep, beyond 64 bits: only its kind is hashed
        return type(value).__name__
