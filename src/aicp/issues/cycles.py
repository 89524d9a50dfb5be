"""Rings of issues that wait for each other, found in the file and refused when added.

Two edges make one issue wait for another: `blocks`, and parent-child, because a child waits
whenever its parent does. A ring over both kinds is a deadlock as well: a parent that
`blocks`-depends on its own child never becomes ready, and so neither does the child.
"""

from __future__ import annotations

from aicp.issues.graph import Graph

BINDING = ("blocks", "parent-child")


def path_between(graph: Graph, start: str, goal: str) -> list[str]:
    """The shortest way over binding edges from one issue to another, or []."""
    came: dict[str, str] = {start: ""}
    front = [start]
    while front and goal not in came:
        front = [n for at in front for n in _next(graph, at) if _mark(came, n, at)]
    if goal not in came:
        return []
    way = [goal]
    while way[-1] != start:
        way.append(came[way[-1]])
    return way[::-1]


def cycles(graph: Graph) -> list[list[str]]:
    """One shortest ring for every knot of issues that wait for each other, by id."""
    found = [_ring(graph, knot) for knot in _knots(graph)]
    return sorted(ring for ring in found if ring)


def _mark(came: dict[str, str], node: str, origin: str) -> bool:
    return node not in came and came.setdefault(node, origin) is origin


def _next(graph: Graph, issue_id: str) -> list[str]:
    issue = graph.by_id.get(issue_id)
    if issue is None:
        return []
    return [target for kind, target in issue[10] if kind in BINDING and target in graph.by_id]


def _ring(graph: Graph, knot: list[str]) -> list[str]:
    first = min(knot)
    for target in _next(graph, first):
        if target == first:
            return [first]
    ways = [path_between(graph, target, first) for target in _next(graph, first)]
    return [first, *min((way for way in ways if way), key=len)[:-1]]


def _knots(graph: Graph) -> list[list[str]]:
    """Every set of issues that reach each other, and every issue that reaches itself.

    Issues are peeled off while nothing unpeeled follows or precedes them, which leaves rings and
    what lies between rings; those few are told apart by reaching one another.
    """
    after = {one: set(_next(graph, one)) for one in graph.by_id}
    before: dict[str, set[str]] = {one: set() for one in after}
    for one, targets in after.items():
        for target in targets:
            before[target].add(one)
    _peel(after, before)
    _peel(before, after)
    knots = []
    left = sorted(after)
    while left:
        knot = _reach(after, left[0]) & _reach(before, left[0])
        if left[0] in knot:
            knots.append(sorted(knot))
        left = [one for one in left[1:] if one not in knot]
    return knots


def _peel(after: dict[str, set[str]], before: dict[str, set[str]]) -> None:
    """Take away, again and again, what leads nowhere."""
    ends = [one for one, targets in after.items() if not targets]
    while ends:
        end = ends.pop()
        del after[end]
        for one in before.pop(end):
            after[one].discard(end)
            if not after[one]:
                ends.append(one)


def _reach(steps: dict[str, set[str]], start: str) -> set[str]:
    """What can be reached in one step or more."""
    found: set[str] = set()
    front = list(steps[start])
    while front:
        at = front.pop()
        if at not in found:
            found.add(at)
            front += steps[at]
    return found
