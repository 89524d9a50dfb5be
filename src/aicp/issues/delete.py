"""Delete issues softly, and bring them back: the line stays, as a tombstone that nobody is shown."""

from __future__ import annotations

from aicp.issues.errors import BadInput, Conflict
from aicp.issues.events import event
from aicp.issues.model import TOMBSTONE_KEYS, UNHEARD
from aicp.issues.record import Record
from aicp.issues.stamps import to_text
from aicp.issues.store import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aicp.issues.snapshot import Snapshot


def delete(
    snapshot: Snapshot, ids: list[str], reason: str, *, force: bool, by: str, at: int
) -> tuple[list[Record], Change]:
    """Make tombstones of issues: all of them or, if one does not exist, none.

    Raises:
        Conflict: another issue depends on one of them, and `force` was not given; names which.
    """
    if not ids:
        raise BadInput("which issue?", hint="name one or more ids")
    chosen = {record.id: record for record in (snapshot.record(one) for one in ids)}
    if not force:
        _refuse_needed(snapshot, set(chosen))
    events = []
    for record in chosen.values():
        status = record.get("status", "open")
        record.set("status", "tombstone")
        record.set("closed_at", record.get("closed_at") or to_text(at))
        for key, value in zip(TOMBSTONE_KEYS, (to_text(at), by, reason, status), strict=True):
            record.set(key, value)
        record.touch(at)
        events.append(event(at, by, "deleted", record.id, {"status": (status, "tombstone")}))
        events[-1].update({"reason": reason} if reason else {})
    return list(chosen.values()), Change(list(chosen.values()), events)


def undeleted(record: Record) -> Record:
    """A tombstone as it was before; of one that another tool made, closed stays closed."""
    known = "closed" if record.get("close_reason") else "open"
    status = record.get("original_status", known)
    record.set("status", status)
    if status != "closed":
        record.set("closed_at", None)
    for key in TOMBSTONE_KEYS:
        record.raw.pop(key, None)
    return record


def tombstone(snapshot: Snapshot, issue_id: str) -> Record | None:
    """The tombstone of an issue, None when it is alive or was never there."""
    record = Record((snapshot.line(issue_id) or b"{}").decode())
    return record if record.get("status") in UNHEARD else None


def _refuse_needed(snapshot: Snapshot, going: set[str]) -> None:
    for one in sorted(going):
        needed = [(kind, by) for kind, by in snapshot.graph.dependents(one) if by not in going]
        if needed:
            named = ", ".join(f"{by} ({kind})" for kind, by in needed[:5])
            more = f" and {len(needed) - 5} more" if len(needed) > 5 else ""
            raise Conflict(
                f"{one} is depended on by {named}{more}",
                hint=f"take that away first: bd dep remove {needed[0][1]} {one};"
                " or --force: what depends on it then waits for it no more",
                dependents=[by for _, by in needed],
            )
