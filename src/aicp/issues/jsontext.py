"""JSON as text: read it fast, take it apart without changing a byte, write it as Go would.

`import json` costs 8 ms because of `re`; the C scanner and the C string encoder below it cost
nothing. Both fall back to the public module on an interpreter without them.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

try:
    import _json
except ImportError:
    _json = None
_FAST = _json is not None and not hasattr(sys, "gettotalrefcount")  # debug builds check too much

_SPACE = " \t\n\r"
# Go's json.Marshal escapes these five and leaves every other non-ASCII letter alone.
_GO = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class _Rules:
    """What the C scanner wants to be told."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_refuse)


def _tools() -> tuple[Callable[[str, int], tuple[Any, int]], Callable[[str], str]]:
    """The reader of a value at an offset, and the writer of a string."""
    if _FAST and _json is not None:
        rules: Any = _Rules()
        return _json.make_scanner(rules), _json.encode_basestring
    from json import JSONDecoder, encoder

    decoder: Any = JSONDecoder(parse_constant=_refuse)
    return decoder.scan_once, encoder.encode_basestring


_scan, _quote = _tools()


def loads(text: str) -> Any:
    """The value of one JSON text.

    Raises:
        ValueError: it is not exactly one JSON value.
    """
    value, end = _value(text, _skip(text, 0))
    if end != len(text) and _skip(text, end) != len(text):
        raise ValueError(f"more text after the value, at column {end + 1}")
    return value


def dumps(value: Any) -> str:
    """Compact JSON, keys in their own order, escaped as Go does."""
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{quote(k)}:{dumps(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(dumps, value)) + "]"
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)


def quote(text: str) -> str:
    """One JSON string."""
    out = _quote(text)
    for char, escape in _GO.items():
        if char in out:
            out = out.replace(char, escape)
    return out


def members(text: str) -> dict[str, str]:
    """The top-level members of an object as key → the value's own text, untouched.

    Raises:
        ValueError: the text is not one JSON object.
    """
    return dict(_walk_object(text))


def elements(text: str) -> list[str]:
    """The elements of an array, each as its own text, untouched.

    Raises:
        ValueError: the text is not one JSON array.
    """
    return [text[start:end] for start, end in _walk(text, "[", "]")]


def _walk_object(text: str) -> Iterator[tuple[str, str]]:
    for start, end in _walk(text, "{", "}"):
        yield loads(text[start : _key_end(text, start)]), text[_value_start(text, start) : end]


def _walk(text: str, opening: str, closing: str) -> Iterator[tuple[int, int]]:
    at = _expect(text, _skip(text, 0), opening)
    if text[at : at + 1] == closing:
        return
    while True:
        start = at
        if opening == "{":
            at = _value_start(text, at)
        end = _value(text, at)[1]
        yield start, end
        at = _skip(text, end)
        if text[at : at + 1] == closing:
            return
        at = _expect(text, at, ",")


def _key_end(text: str, at: int) -> int:
    return _value(text, at)[1]


def _value_start(text: str, at: int) -> int:
    return _expect(text, _skip(text, _key_end(text, at)), ":")


def _expect(text: str, at: int, char: str) -> int:
    if text[at : at + 1] != char:
        raise ValueError(f"expected {char} at column {at + 1}")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _value(text: str, at: int) -> tuple[Any, int]:
    try:
        return _scan(text, at)
    except StopIteration as end:
        raise ValueError(f"no JSON value at column {end.value + 1}") from None
    except SystemError:  # CPython 3.11: the C scanner has no error to raise until this is imported
        __import__("json.decoder")
        return _scan(text, at)
    except RecursionError:
        raise ValueError("nested too deeply") from None
