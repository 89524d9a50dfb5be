"""Canonical JSON and digests (RFC 8785, SHA-256), the one form that is ever hashed or signed."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any

import orjson
import rfc8785

SAFE = 2**53 - 1  # the largest integer that RFC 8785 writes


def canonical(value: Any) -> bytes:
    """The RFC 8785 bytes of a JSON value.

    Raises:
        ValueError: the value is not JSON (NaN, integers beyond 2**53, foreign types).
    """
    if _plain(value):
        with suppress(TypeError):  # nested deeper than it goes
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return rfc8785.dumps(value)


def _plain(value: Any) -> bool:
    """Whether orjson, many times faster, writes the very same bytes: no float, whose digits differ, no
    integer that RFC 8785 refuses, no key that it sorts by UTF-16, and nothing that is not JSON."""
    kind = type(value)
    if kind is str:
        return value.isascii() or _whole(value)
    if kind is dict:
        return all(type(key) is str and key.isascii() for key in value) and all(
            map(_plain, value.values())
        )
    if kind is list or kind is tuple:
        return all(map(_plain, value))
    return value is None or kind is bool or (kind is int and -SAFE <= value <= SAFE)


def _whole(text: str) -> bool:
    """Whether it holds no half of a character, which neither can write."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def digest(value: Any) -> str:
    """SHA-256 over the canonical form, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def sha256(data: bytes) -> str:
    """SHA-256 of bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
