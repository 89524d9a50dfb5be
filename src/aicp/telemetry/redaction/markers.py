"""Markers: what stands where something was taken out. Its type and a keyed hash, never the text.

The hash is eight hex digits of HMAC-SHA256 under a key of the installation and the tenant: the same
value has the same marker there, so an incident can be followed, and nobody without the key can try
guesses against it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from functools import lru_cache

KINDS = (
    "ADDRESS", "BANK_ACCOUNT", "CARD", "DOB", "EMAIL", "IBAN", "IP", "LOCATION", "NATIONAL_ID", "PERSON",
    "PHONE", "PII", "SECRET", "TOO_DEEP", "TOO_LONG", "TOO_MANY", "BYTES",
)  # fmt: skip
ERROR = "[REDACTION_ERROR]"
CONTENT = "[CONTENT_DROPPED]"
MARKER = re.compile(
    rf"\[(?:{'|'.join(KINDS)}):[0-9a-f]{{8}}\]|{re.escape(ERROR)}|{re.escape(CONTENT)}"
)
FILLER = "\x00"  # stands for a marker while a text is scanned: no pattern takes it for anything

_JOINABLE = frozenset({"CARD", "IBAN", "NATIONAL_ID", "PHONE", "BANK_ACCOUNT"})


class Marks:
    """Makes markers under one installation's key.

    Args:
        key: 32 bytes; a random one of this process when there is none, so that markers can be joined
            within it only.
    """

    def __init__(self, key: bytes = b"") -> None:
        self._key = key or secrets.token_bytes(32)
        self._of_tenant = lru_cache(maxsize=1024)(self._derive)

    def mark(self, kind: str, text: str, tenant: str = "") -> str:
        """`[EMAIL:3f9a0c21]` for a text; spelling that means the same has the same marker."""
        digest = hmac.digest(self._of_tenant(tenant), _plain(kind, text), "sha256")
        return f"[{kind}:{digest[:4].hex()}]"

    def _derive(self, tenant: str) -> bytes:
        return hmac.digest(self._key, b"tenant\x00" + tenant.encode("utf-8", "replace"), "sha256")


def _plain(kind: str, text: str) -> bytes:
    """A card with and without spaces, an address in capitals: one value, one hash."""
    if kind in _JOINABLE:
        text = "".join(c for c in text.lower() if c.isalnum())
    elif kind in ("EMAIL", "IP"):
        text = text.strip().lower()
    return text.encode("utf-8", "surrogatepass")


def is_marker(text: str) -> bool:
    """Whether a text is one marker and nothing else."""
    return text[:1] == "[" and MARKER.fullmatch(text) is not None


def blank_markers(text: str) -> str:
    """The text with every marker overwritten by FILLER, character by character."""
    if "[" not in text:
        return text
    return MARKER.sub(lambda m: FILLER * len(m[0]), text)


def fingerprint(data: bytes) -> str:
    """For tests and reports: a plain hash of what was hit, where no key is at hand."""
    return hashlib.sha256(data).hexdigest()[:16]
