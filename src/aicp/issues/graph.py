"""The one engine: what is ready, what is blocked, and why. Values in, answers out.

The definition, once. An issue that is not closed *waits* when one of its `blocks` edges leads to
an issue that is not closed. It is *blocked* when it waits, or when any ancestor over parent-child
edges waits, at any depth, whatever lies between. Nothing else blocks: not an open parent, not open
children, not `related`, not `discovered-from`, not an edge to an issue that does not exist or was
deleted.
"""

from __future__ import annotations

from aicp.issues.model import ACTIVE, DONE, UNHEARD, Issue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Any


class Graph:
    """All issues by id, with the answers computed when first asked for."""

    __slots__ = ("_children", "_dependents", "_held", "by_id")

    def __init__(self, issues: Iterable[Issue]) -> None:
        self.by_id: dict[str, Issue] = {issue.id: issue for issue in issues}
        self._children: dict[str, list[str]] | None = None
        self._dependents: dict[str, list[tuple[str, str]]] | None = None
        self._held: dict[str, str] | None = None

    def __iter__(self) -> Any:
        return (issue for issue in self.by_id.values() if issue[1] not in UNHEARD)

    def waits_for(self, issue: Issue) -> list[str]:
        """The open issues its own `blocks` edges lead to, in the order they were added."""
        if issue.done:
            return []
        return [t for t in dict.fromkeys(issue.targets("blocks")) if self._is_open(t)]

    def held_by(self, issue_id: str) -> str | None:
        """The issue whose waiting holds this one: itself, its nearest waiting ancestor, or None."""
        if self._held is None:
            self._held = self._hold()
        return self._held.get(issue_id)

    def is_blocked(self, issue: Issue) -> bool:
        return not issue.done and self.held_by(issue.id) is not None

    def blockers(self, issue: Issue) -> list[str]:
        """What has to close before it can go on: its own blockers, or those it inherits."""
        holder = None if issue.done else self.held_by(issue.id)
        return self.waits_for(self.by_id[holder]) if holder else []

    def ready(self, statuses: Collection[str] = ACTIVE) -> list[Issue]:
        """Unblocked issues of these statuses: most urgent first, then oldest, then by id."""
        found = [i for i in self if i[1] in statuses and not self.is_blocked(i)]
        return sorted(found, key=urgency)

    def blocked(self) -> list[Issue]:
        """Every issue that cannot go on, in the order of `ready`."""
        return sorted((issue for issue in self if self.is_blocked(issue)), key=urgency)

    def children(self, issue_id: str) -> list[str]:
        if self._children is None:
            self._children = self._pointing("parent-child")
        return self._children.get(issue_id, [])

    def dependents(self, issue_id: str) -> list[tuple[str, str]]:
        """(type, id) of every issue with an edge to this one."""
        if self._dependents is None:
            self._dependents = {}
            for issue in self:
                for kind, target in issue[10]:
                    self._dependents.setdefault(target, []).append((kind, issue[0]))
        return self._dependents.get(issue_id, [])

    def _is_open(self, issue_id: str) -> bool:
        target = self.by_id.get(issue_id)
        return target is not None and not target.done

    def _pointing(self, kind: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for issue in self:
            for edge, target in issue[10]:
                if edge == kind:
                    found.setdefault(target, []).append(issue[0])
        return found

    def _hold(self) -> dict[str, str]:
        """Breadth first from every waiting issue down to its descendants: O(issues + edges)."""
        going = {i[0]: i[10] for i in self.by_id.values() if i[1] not in DONE}
        held = {
            one: one
            for one, edges in going.items()
            if any(kind == "blocks" and target in going for kind, target in edges)
        }
        front = list(held)
        while front:
            below = [(c, held[p]) for p in front for c in self.children(p) if c not in held]
            front = []
            for child, holder in below:
                if child not in held:
                    held[child] = holder
                    front.append(child)
        return held


def urgency(issue: Issue) -> tuple[int, int, str]:
    """The order of a queue: priority, then age, then id."""
    return issue[2], issue[4], issue[0]


def stats(graph: Graph) -> dict[str, Any]:
    """Counts; `blocked_issues` and `ready_issues` are what `blocked` and `ready` list."""
    issues = list(graph)
    count = {status: 0 for _, status, *_ in issues}
    for issue in issues:
        count[issue.status] += 1
    leads = [(i.closed - i.created) / 3.6e12 for i in issues if i.closed and i.created]
    return {
        "total_issues": len(issues),
        "open_issues": count.get("open", 0),
        "in_progress_issues": count.get("in_progress", 0),
        "closed_issues": count.get("closed", 0),
        "deferred_issues": count.get("deferred", 0),
        "blocked_issues": len(graph.blocked()),
        "ready_issues": len(graph.ready()),
        "epics_eligible_for_closure": sum(e.eligible for e in epics(graph)),
        "average_lead_time_hours": round(sum(leads) / len(leads), 2) if leads else 0,
    }


class Epic:
    """An unfinished epic and how many of its children are done."""

    __slots__ = ("children", "done", "issue")

    def __init__(self, issue: Issue, children: int, done: int) -> None:
        self.issue, self.children, self.done = issue, children, done

    @property
    def eligible(self) -> bool:
        """It has children and every one is done: nothing is left but to close it."""
        return 0 < self.children == self.done


def epics(graph: Graph) -> list[Epic]:
    """Every unfinished epic, most urgent first, with its direct children counted."""
    found = [i for i in graph if i.kind == "epic" and not i.done]
    out = []
    for issue in sorted(found, key=urgency):
        children = [graph.by_id[child] for child in graph.children(issue.id)]
        out.append(Epic(issue, len(children), sum(child.done for child in children)))
    return out
