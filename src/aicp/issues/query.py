"""Choose and order issues; filters first, the limit last."""

from __future__ import annotations

from aicp.issues.graph import Graph, urgency
from aicp.issues.model import Issue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

ORDERS: dict[str, Callable[[Issue], Any]] = {
    "priority": lambda i: (i.priority, -i.created, i.id),
    "created": lambda i: (-i.created, i.id),
    "updated": lambda i: (-i.updated, i.id),
    "oldest": lambda i: (i.created, i.id),
    "title": lambda i: (i.title.lower(), i.id),
    "id": lambda i: i.id,
}
_FRESH = 48 * 3600 * 10**9


class Filter:
    """What an issue has to be; an empty wish is no wish. Texts compare exactly unless said."""

    __slots__ = (
        "assignee",
        "created_after",
        "created_before",
        "ids",
        "kinds",
        "labels",
        "labels_any",
        "parent",
        "priorities",
        "statuses",
        "text",
        "unassigned",
        "updated_after",
        "updated_before",
    )  # fmt: skip

    def __init__(self, **wishes: Any) -> None:
        for name in self.__slots__:
            setattr(self, name, wishes.pop(name, None))
        if wishes:
            raise TypeError(f"no such wish: {', '.join(wishes)}")

    def tests(self, graph: Graph) -> list[Callable[[Issue], bool]]:
        """One test for each wish; an issue is chosen when all hold."""
        out: list[Callable[[Issue], bool]] = []
        if self.statuses:
            out.append(lambda i: i.status in self.statuses)
        if self.priorities:
            out.append(lambda i: i.priority in self.priorities)
        if self.kinds:
            out.append(lambda i: i.kind in self.kinds)
        if self.labels:
            out.append(lambda i: set(self.labels) <= set(i.labels))
        if self.labels_any:
            out.append(lambda i: not set(self.labels_any).isdisjoint(i.labels))
        return out + self._more(graph) + self._times()

    def _more(self, graph: Graph) -> list[Callable[[Issue], bool]]:
        out: list[Callable[[Issue], bool]] = []
        if self.ids:
            out.append(lambda i: i.id in self.ids)
        if self.assignee:
            out.append(lambda i: i.assignee == self.assignee)
        if self.unassigned:
            out.append(lambda i: not i.assignee)
        if self.text:
            wanted = self.text.lower()
            out.append(lambda i: wanted in i.title.lower())
        if self.parent:
            below = descendants(graph, self.parent)
            out.append(lambda i: i.id in below)
        return out

    def _times(self) -> list[Callable[[Issue], bool]]:
        out: list[Callable[[Issue], bool]] = []
        if self.updated_after:
            out.append(lambda i: i.updated >= self.updated_after)
        if self.updated_before:
            out.append(lambda i: i.updated < self.updated_before)
        if self.created_after:
            out.append(lambda i: i.created >= self.created_after)
        if self.created_before:
            out.append(lambda i: i.created < self.created_before)
        return out


def choose(graph: Graph, issues: Iterable[Issue], wanted: Filter) -> list[Issue]:
    """The issues that fulfil every wish, in the order they came."""
    found = list(issues)
    for test in wanted.tests(graph):
        found = [issue for issue in found if test(issue)]
    return found


def order(issues: list[Issue], by: str, *, reverse: bool = False, now: int = 0) -> list[Issue]:
    """By one of ORDERS, `urgency`, or `hybrid`: the last two days by urgency, then the oldest."""
    if by == "hybrid":
        fresh = sorted((i for i in issues if now - i.created < _FRESH), key=urgency)
        return fresh + sorted(
            (i for i in issues if now - i.created >= _FRESH), key=ORDERS["oldest"]
        )
    return sorted(issues, key=ORDERS.get(by, urgency), reverse=reverse)


def descendants(graph: Graph, issue_id: str) -> set[str]:
    """Every issue below this one over parent-child edges."""
    found: set[str] = set()
    front = [issue_id]
    while front:
        front = [c for at in front for c in graph.children(at) if c not in found]
        found.update(front)
    return found


def stale(graph: Graph, before: int) -> list[Issue]:
    """Unfinished issues nobody touched since `before` (ns), the longest forgotten first."""
    return sorted((i for i in graph if not i.done and i.updated < before), key=lambda i: i.updated)


def duplicates(graph: Graph) -> list[list[Issue]]:
    """Groups of unfinished issues whose titles say the same, oldest first in each."""
    groups: dict[str, list[Issue]] = {}
    for issue in graph:
        if not issue.done:
            groups.setdefault(_gist(issue.title), []).append(issue)
    same = [sorted(group, key=urgency) for group in groups.values() if len(group) > 1]
    return sorted(same, key=lambda group: urgency(group[0]))


def _gist(title: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in title.lower()).split())
