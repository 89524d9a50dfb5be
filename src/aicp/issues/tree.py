"""What hangs on an issue, as a flat list of nodes in the order they are drawn."""

from __future__ import annotations

from aicp.issues.graph import Graph

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Node:
    """One line of the tree. `edge` is the dependency type that leads here from `parent`.

    `truncated` says that there is more below which is not shown here: it was shown above, or it
    lies deeper than asked for. `missing` says that no such issue exists.
    """

    __slots__ = ("depth", "edge", "id", "missing", "parent", "truncated", "up")

    def __init__(self, issue_id: str, depth: int, parent: str, edge: str, *, up: bool) -> None:
        self.id, self.depth, self.parent, self.edge, self.up = issue_id, depth, parent, edge, up
        self.truncated = self.missing = False


def walk(graph: Graph, root: str, *, up: bool = False, max_depth: int = 0) -> list[Node]:
    """The issue and everything it depends on (or, `up`, everything that depends on it), preorder.

    Args:
        graph: the graph.
        root: where to start.
        up: towards children and dependents instead of parents and blockers.
        max_depth: how deep to go; 0 is all the way.
    """
    steps = _up(graph) if up else _down(graph)
    nodes: list[Node] = []
    seen: set[str] = set()
    todo = [Node(root, 0, "", "", up=up)]
    while todo:
        node = todo.pop()
        nodes.append(node)
        below = steps(node.id)
        node.missing = node.id not in graph.by_id
        if node.id in seen or (max_depth and node.depth >= max_depth):
            node.truncated = bool(below)
            continue
        seen.add(node.id)
        todo += [Node(t, node.depth + 1, node.id, e, up=up) for e, t in reversed(below)]
    return nodes


def _down(graph: Graph) -> Callable[[str], list[tuple[str, str]]]:
    return lambda at: list(graph.by_id[at].edges) if at in graph.by_id else []


def _up(graph: Graph) -> Callable[[str], list[tuple[str, str]]]:
    return lambda at: sorted(graph.dependents(at), key=lambda edge: (edge[0] != "parent-child",))


def edges_among(graph: Graph, ids: set[str]) -> list[tuple[str, str, str]]:
    """(from, type, to) of every edge between these issues, sorted."""
    here = [graph.by_id[one] for one in ids if one in graph.by_id]
    return sorted((i.id, kind, to) for i in here for kind, to in i.edges if to in ids)
