"""Change, close and reopen issues."""

from __future__ import annotations

from aicp.issues.errors import BadInput, Conflict
from aicp.issues.events import event
from aicp.issues.model import DONE
from aicp.issues.record import Record
from aicp.issues.stamps import to_text
from aicp.issues.store import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from aicp.issues.snapshot import Snapshot


def update(
    snapshot: Snapshot,
    ids: list[str],
    fields: dict[str, Any],
    *,
    add: list[str],
    remove: list[str],
    only: list[str] | None = None,
    claim: bool = False,
    by: str,
    at: int,
) -> tuple[list[Record], Change]:
    """The changed lines and their events; an issue that already is as asked stays untouched.

    Args:
        snapshot: the graph.
        ids: which issues; all change or none.
        fields: new values by JSON key.
        add: labels to put on.
        remove: labels to take off.
        only: exactly these labels instead.
        claim: take it: assign it to `by` and set it in progress, unless somebody else has it.
        by: who.
        at: when, in nanoseconds.
    """

    def edit(record: Record) -> None:
        if claim:
            _claim(record, by)
        for key, value in fields.items():
            record.set(key, value)
        have = set(record.get("labels", []) if only is None else only)
        wanted = sorted((have | set(add)) - set(remove))
        if wanted != record.get("labels", []):
            record.set("labels", wanted)
        if "status" in fields or claim:
            _settle(record, record.get("status"), "", at)

    return _each(snapshot, ids, edit, "updated", by, at)


def close(
    snapshot: Snapshot, ids: list[str], reason: str, *, by: str, at: int
) -> tuple[list[Record], Change]:
    """Close issues. Closing one that is closed changes nothing, unless it brings a new reason."""

    def edit(record: Record) -> None:
        record.set("status", "closed")
        _settle(record, "closed", reason, at)

    return _each(snapshot, ids, edit, "closed", by, at)


def reopen(
    snapshot: Snapshot, ids: list[str], reason: str, *, by: str, at: int
) -> tuple[list[Record], Change]:
    """Open closed issues again; what closed them stays in the trail."""
    for record in [snapshot.record(one) for one in ids]:
        if record.get("status") not in DONE:
            raise Conflict(f"{record.id} is not closed but {record.get('status', 'open')}")

    def edit(record: Record) -> None:
        record.set("status", "open")
        _settle(record, "open", "", at)

    records, change = _each(snapshot, ids, edit, "reopened", by, at)
    for entry in change.events:
        entry.update({"reason": reason} if reason else {})
    return records, change


def _each(
    snapshot: Snapshot,
    ids: list[str],
    edit: Callable[[Record], None],
    verb: str,
    by: str,
    at: int,
) -> tuple[list[Record], Change]:
    if not ids:
        raise BadInput("which issue?", hint="name one or more ids")
    chosen = {record.id: record for record in (snapshot.record(one) for one in ids)}
    changed, events = [], []
    for record in chosen.values():
        old = dict(record.raw)
        edit(record)
        if record.raw != old:
            events.append(event(at, by, _verb(verb, record, old), record.id, _changes(record, old)))
            record.touch(at)
            changed.append(record)
    return list(chosen.values()), Change(changed, events)


def _settle(record: Record, status: str, reason: str, at: int) -> None:
    """Keep the invariant: closed_at if and only if closed; started_at once work began."""
    if status in DONE:
        record.set("closed_at", record.get("closed_at") or to_text(at))
        record.set("close_reason", reason or record.get("close_reason"))
        return
    record.set("closed_at", None)
    record.set("close_reason", None)
    if status == "in_progress" and not record.get("started_at"):
        record.set("started_at", to_text(at))


def _claim(record: Record, by: str) -> None:
    holder = record.get("assignee", "")
    if record.get("status") in DONE or holder not in ("", by):
        state = f"assigned to {holder}" if holder else str(record.get("status"))
        raise Conflict(f"{record.id} cannot be claimed: it is {state}")
    record.set("assignee", by)
    record.set("status", "in_progress")


def _verb(verb: str, record: Record, old: dict[str, str]) -> str:
    moved = record.raw.get("status") != old.get("status")
    return "closed" if verb == "updated" and moved and record.get("status") in DONE else verb


def _changes(record: Record, old: dict[str, str]) -> dict[str, Any]:
    before = Record("{}")
    before.raw = old
    keys = dict.fromkeys([*old, *record.raw])
    return {k: (before.get(k), record.get(k)) for k in keys if old.get(k) != record.raw.get(k)}
