"""Open an issue."""

from __future__ import annotations

from aicp.issues.errors import BadInput, Conflict
from aicp.issues.events import event
from aicp.issues.link import edge_text
from aicp.issues.model import check_edge
from aicp.issues.record import Record
from aicp.issues.stamps import to_text
from aicp.issues.store import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from aicp.issues.snapshot import Snapshot

FIELDS = ("description", "design", "acceptance_criteria", "notes", "assignee", "external_ref",
          "estimated_minutes", "due_at", "defer_until")  # fmt: skip


def create(
    snapshot: Snapshot, issue_id: str, draft: dict[str, Any], *, by: str, at: int
) -> tuple[Record, Change]:
    """The new line and its event.

    Args:
        snapshot: the graph it goes into.
        issue_id: its id, which must be free.
        draft: checked values by JSON key: title, priority, issue_type, labels, FIELDS; and `edges`,
            a list of (type, id of the issue it depends on).
        by: who opens it.
        at: when, in nanoseconds.
    """
    if snapshot.line(issue_id) is not None:
        raise Conflict(f"{issue_id} is taken", hint=f"look at it: bd show {issue_id}")
    when = to_text(at)
    record = Record.of({
        "id": issue_id,
        "title": draft["title"],
        "description": draft.get("description") or "",
        "status": "open",
        "priority": draft["priority"],
        "issue_type": draft["issue_type"],
        "created_at": when,
        "created_by": by,
        "updated_at": when,
        "labels": sorted(draft.get("labels") or []),
    })  # fmt: skip
    for key in FIELDS[1:]:
        record.set(key, draft.get(key))
    edges = [(kind, _target(snapshot, to, issue_id)) for kind, to in draft.get("edges") or []]
    record.set_items("dependencies", [edge_text(issue_id, to, kind, by, at) for kind, to in edges])
    entry = event(at, by, "created", issue_id, {"title": (None, draft["title"])})
    return record, Change([record], [entry])


def parse_edges(texts: list[str]) -> list[tuple[str, str]]:
    """`--deps blocks:ops-1,discovered-from:ops-2` as (type, id); without a type it is blocks."""
    pairs = [one.strip().rpartition(":") for text in texts for one in text.split(",")]
    if not all(target for _, _, target in pairs):
        raise BadInput("a dependency is empty", hint="write --deps discovered-from:ops-1")
    return list(dict.fromkeys((check_edge(kind or "blocks"), target) for kind, _, target in pairs))


def _target(snapshot: Snapshot, wanted: str, issue_id: str) -> str:
    found = snapshot.record(wanted).id
    if found == issue_id:
        raise Conflict(f"{issue_id} cannot depend on itself")
    return found
