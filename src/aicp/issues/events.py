"""The audit trail: who did what to which issue when, one JSON line an event, only ever appended.

An event is logged just before its write is put in place. Should the process die between the two,
the next writer sees that the last event never took effect and appends a `voided` line for it: the
trail neither lies nor forgets.
"""

from __future__ import annotations

import os

from aicp.issues.jsontext import dumps, loads
from aicp.issues.stamps import to_ns, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from aicp.issues.snapshot import Snapshot

_SHORT = 200


class Trail:
    """One `events.jsonl`."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def size(self) -> int:
        """Bytes written so far; 0 when there is no file."""
        try:
            return os.stat(self.path).st_size
        except FileNotFoundError:
            return 0

    def append(self, events: list[dict[str, Any]], *, seen: Snapshot | None = None) -> None:
        """Log events, durably and all or none; `seen` is the graph the last event should be in."""
        if not events:
            return
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            end = os.fstat(descriptor).st_size
            last = _last_line(descriptor, end)
            voided = _void(last, seen) if seen is not None and last else []
            text = "".join(dumps(event) + "\n" for event in [*voided, *events])
            torn = b"" if last.endswith(b"\n") or not end else b"\n"
            _write(descriptor, torn + text.encode("utf-8", "replace"), end)
        finally:
            os.close(descriptor)

    def read(self, issue_id: str = "") -> list[dict[str, Any]]:
        """All events, oldest first, of one issue or of all; torn lines are left out."""
        try:
            with open(self.path, "rb") as file:
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return []
        events = [event for line in lines if (event := _parsed(line))]
        chosen = [event for event in events if issue_id in ("", event.get("issue"))]
        return sorted(chosen, key=lambda event: str(event.get("at", "")))


def event(
    at: int, actor: str, verb: str, issue_id: str, changes: dict[str, Any] | None = None
) -> dict[str, Any]:
    """One entry: {at, actor, event, issue, changes: {field: [old, new]}}, long texts cut."""
    entry: dict[str, Any] = {"at": to_text(at), "actor": actor, "event": verb, "issue": issue_id}
    if changes:
        entry["changes"] = {key: [_cut(old), _cut(new)] for key, (old, new) in changes.items()}
    return entry


def _cut(value: Any) -> Any:
    return value[:_SHORT] + "…" if isinstance(value, str) and len(value) > _SHORT else value


def _write(descriptor: int, data: bytes, end: int) -> None:
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, end)
        raise


def _last_line(descriptor: int, end: int) -> bytes:
    """The last line with its newline, read from the end."""
    span = 4096
    while True:
        start = max(0, end - span)
        tail = os.pread(descriptor, end - start, start)
        cut = tail.rstrip(b"\n").rfind(b"\n") + 1
        if cut or not start:
            return tail[cut:]
        span *= 4


def _void(last: bytes, seen: Snapshot) -> list[dict[str, Any]]:
    """A line that says the last event never took effect, if it did not."""
    event = _parsed(last)
    issue_id = event.get("issue")
    if not isinstance(issue_id, str) or event.get("event") == "voided":
        return []
    line = seen.line(issue_id)
    if line and _time_of(loads(line.decode()), "updated_at") >= _time_of(event, "at"):
        return []
    return [{"at": event.get("at"), "actor": "bd", "event": "voided", "issue": issue_id}]


def _time_of(entry: dict[str, Any], key: str) -> int:
    try:
        return to_ns(entry[key])
    except (KeyError, TypeError, ValueError, IndexError):
        return 0


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        value = loads(line.decode()) if line.strip() else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
