"""Add and remove dependencies. `add BLOCKED BLOCKER`; for parent-child, `add CHILD PARENT`."""

from __future__ import annotations

from aicp.issues.errors import BadInput, Conflict, NotFound
from aicp.issues.events import event
from aicp.issues.jsontext import dumps, loads
from aicp.issues.stamps import to_text
from aicp.issues.store import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aicp.issues.snapshot import Snapshot


class Link:
    """A dependency as asked for; `status` says what came of it: added, present or removed."""

    __slots__ = ("depends_on_id", "issue_id", "kind", "status")

    def __init__(self, issue_id: str, depends_on_id: str, kind: str, status: str) -> None:
        self.issue_id, self.depends_on_id = issue_id, depends_on_id
        self.kind, self.status = kind, status

    def as_dict(self) -> dict[str, str]:
        """The wire form: {depends_on_id, issue_id, status, type}."""
        return {
            "depends_on_id": self.depends_on_id,
            "issue_id": self.issue_id,
            "status": self.status,
            "type": self.kind,
        }


def add(
    snapshot: Snapshot, issue_id: str, target: str, kind: str, *, by: str, at: int
) -> tuple[Link, Change]:
    """Make one issue depend on another.

    Raises:
        Conflict: the two would wait for each other; the message names the way round.
    """
    record, other = snapshot.record(issue_id), snapshot.record(target)
    if record.id == other.id:
        raise BadInput(f"{record.id} cannot depend on itself", hint="name two issues")
    if (kind, other.id) in record.issue().edges:
        return Link(record.id, other.id, kind, "present"), Change([], [])
    if kind in ("blocks", "parent-child"):
        _refuse_ring(snapshot, record.id, other.id)
    edge = edge_text(record.id, other.id, kind, by, at)
    record.set_items("dependencies", [*record.items("dependencies"), edge])
    record.touch(at)
    entry = event(at, by, "dependency_added", record.id, {kind: (None, other.id)})
    return Link(record.id, other.id, kind, "added"), Change([record], [entry])


def remove(
    snapshot: Snapshot, issue_id: str, target: str, kind: str | None, *, by: str, at: int
) -> tuple[Link, Change]:
    """Take a dependency away; without `kind`, every edge between the two.

    Raises:
        NotFound: there is no such dependency.
    """
    record = snapshot.record(issue_id)
    other = (
        target if any(t == target for _, t in record.issue().edges) else snapshot.find(target).id
    )
    links = [(text, loads(text)) for text in record.items("dependencies")]
    gone = [one for _, one in links if one["depends_on_id"] == other and kind in (None, _kind(one))]
    if not gone:
        raise NotFound(
            f"{record.id} does not depend on {other}", hint=f"see bd dep tree {record.id}"
        )
    record.set_items("dependencies", [text for text, one in links if one not in gone])
    record.touch(at)
    kinds = ",".join(dict.fromkeys(_kind(one) for one in gone))
    entry = event(at, by, "dependency_removed", record.id, {kinds: (other, None)})
    return Link(record.id, other, kinds, "removed"), Change([record], [entry])


def edge_text(issue_id: str, target: str, kind: str, by: str, at: int) -> str:
    """A dependency as it is stored."""
    return dumps({
        "issue_id": issue_id,
        "depends_on_id": target,
        "type": kind,
        "created_at": to_text(at),
        "created_by": by,
    })  # fmt: skip


def _kind(link: dict[str, str]) -> str:
    return link.get("type") or "blocks"


def _refuse_ring(snapshot: Snapshot, issue_id: str, target: str) -> None:
    from aicp.issues.cycles import path_between

    way = path_between(snapshot.graph, target, issue_id)
    if not way:
        return
    ring = [issue_id, *way]
    parent = issue_id in snapshot.graph.by_id[target].targets("parent-child")
    hint = (
        f"{target} is a child of {issue_id}; children never block their parent, so none is needed"
        if parent
        else f"take one of these edges away first: bd dep remove {ring[-2]} {issue_id}"
    )
    raise Conflict(f"this would be a cycle: {' → '.join(ring)}", hint=hint, cycle=ring)
