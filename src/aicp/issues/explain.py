"""Why an issue is not ready, as one sentence."""

from __future__ import annotations

from aicp.issues.graph import Graph
from aicp.issues.model import ACTIVE, Issue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection


def explain(graph: Graph, issue: Issue, statuses: Collection[str] = ACTIVE) -> str:
    """One sentence that names what has to happen, or says that the issue is ready."""
    if issue.done:
        return f"{issue.id} is not ready: it is {issue.status}."
    if issue.status not in statuses:
        return f"{issue.id} is not ready: its status is {issue.status}."
    holder = graph.held_by(issue.id)
    if holder is None:
        return f"{issue.id} is ready: nothing open blocks it."
    who = "it waits for" if holder == issue.id else f"its ancestor {holder} waits for"
    blockers = graph.waits_for(graph.by_id[holder])
    return f"{issue.id} is not ready: {who} {_list(graph, blockers)}{_root(graph, blockers)}."


def _list(graph: Graph, ids: list[str]) -> str:
    named = [_name(graph.by_id[one]) for one in ids[:3]]
    more = [f"{len(ids) - 3} more"] if len(ids) > 3 else []
    *first, last = named + more
    return f"{', '.join(first)} and {last}" if first else last


def _name(issue: Issue) -> str:
    by = f", {issue.assignee}" if issue.assignee else ""
    return f"{issue.id} “{issue.title}” (P{issue.priority} {issue.status}{by})"


def _root(graph: Graph, blockers: list[str]) -> str:
    """Where to start: follow the first blocker down to one that nothing holds."""
    way: dict[str, None] = {}
    at = blockers[0]
    while (holder := graph.held_by(at)) is not None:
        if at in way:
            ring = [*list(way)[list(way).index(at) :], at]
            return f"; {' → '.join(ring)} wait for each other, see bd dep cycles"
        way.update({at: None, holder: None})
        at = graph.waits_for(graph.by_id[holder])[0]
    return f", which waits in the end for {_name(graph.by_id[at])}" if way else ""
