"""Ids and times that pass: by their field and their shape together, or by their shape inside a text.

A field alone is no pass: a `tenantId` that is no UUID is looked at like anything else.
"""

from __future__ import annotations

import re

from aicp.telemetry.redaction.markers import FILLER

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_TIME = r"\d{4}-[01]\d-[0-3]\d[T ][0-2]\d:[0-5]\d(?::[0-6]\d(?:[.,]\d{1,9})?)?(?: ?(?:Z|[+-]\d{2}:?\d{2}))?"
_OURS = r"[a-z]{1,8}-[0-9a-hjkmnp-tv-z]{8,24}"  # kernel/ids.py
_ISSUE = r"[A-Za-z][A-Za-z0-9]{0,15}-[0-9a-z]{1,8}(?:\.\d{1,3}){0,3}"
_HEX = r"(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{12,128}|(?=[0-9A-F]*[A-F])(?=[0-9A-F]*[0-9])[0-9A-F]{16,128}"

_MISSION = re.compile(rf"(?:{_OURS}|{_UUID})\Z")
_ANY_UUID = re.compile(rf"{_UUID}\Z")
_CORRELATION = re.compile(
    rf"(?:req[_-][0-9a-z]{{8,32}}|{_UUID}|[0-9a-f]{{16}}|[0-9a-f]{{32}}|{_OURS})\Z"
)
_DIGEST = re.compile(
    r"(?:sha(?:1|256|384|512)[:-])?(?:[0-9a-f]{12}|[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128})\Z"
)
_STAMP = re.compile(rf"(?:{_TIME})\Z")

SHAPES: dict[str, re.Pattern[str]] = {
    "mission_id": _MISSION, "missionId": _MISSION, "mission": _MISSION,
    "tenantId": _ANY_UUID, "tenant_id": _ANY_UUID, "person_id": _ANY_UUID, "event_id": _ANY_UUID,
    "trace_id": re.compile(r"[0-9a-f]{32}\Z"), "traceId": re.compile(r"[0-9a-f]{32}\Z"),
    "span_id": re.compile(r"[0-9a-f]{16}\Z"), "spanId": re.compile(r"[0-9a-f]{16}\Z"),
    "parent_span_id": re.compile(r"[0-9a-f]{16}\Z"), "parentSpanId": re.compile(r"[0-9a-f]{16}\Z"),
    "traceparent": re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z"),
    "correlation_id": _CORRELATION, "correlationId": _CORRELATION,
    "bd_issue": re.compile(rf"(?:{_ISSUE})\Z"), "issue_id": re.compile(rf"(?:{_ISSUE})\Z"),
    "plan_digest": _DIGEST, "payload_sha": _DIGEST, "digest": _DIGEST, "hash": _DIGEST, "sha256": _DIGEST,
    "manifest_hash": _DIGEST, "manifest_sha256": _DIGEST, "commit": _DIGEST,
    "timestamp": _STAMP, "created_at": _STAMP, "at": _STAMP, "due_at": _STAMP, "started_at": _STAMP,
    "finished_at": _STAMP, "expires_at": _STAMP,
}  # fmt: skip

_UUIDS = re.compile(_UUID)
_IN_TEXT = re.compile(
    rf"(?<![\w-])(?:{_UUID}|[0-9a-f]{{2}}-[0-9a-f]{{32}}-[0-9a-f]{{16}}-[0-9a-f]{{2}}|{_TIME}|{_HEX}"
    rf"|(?:m|a|e|f|req|sec|run|undo)-[0-9a-hjkmnp-tv-z]{{8,24}}|req_[0-9a-f]{{8,32}})(?![\w])"
)


def passes(key: str, text: str) -> bool:
    """Whether a field is one of the envelope and its text has the shape of it."""
    shape = SHAPES.get(key)
    return shape is not None and shape.match(text) is not None and not text.isdigit()


def blank_uuids(text: str) -> str:
    """The text with UUIDs alone overwritten."""
    return _UUIDS.sub(lambda m: FILLER * len(m[0]), text) if "-" in text else text


def blank_ids(text: str) -> str:
    """The text with ids, digests and times overwritten by FILLER: for detectors of bare digits."""
    return _IN_TEXT.sub(lambda m: FILLER * len(m[0]), text)
