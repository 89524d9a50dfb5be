"""The dependency graph as a picture: layers from left to right, what must come first on the left. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aicp.issues.graph import Graph, urgency
from aicp.issues.tree import edges_among

MOST = 300  # nodes; beyond that a picture helps nobody
BOX_W, BOX_H, GAP_X, GAP_Y, EDGE = 216, 62, 84, 22, 12  # pixels
# What an edge says from its issue to the one it depends on, and how its line is drawn.
KINDS: dict[str, tuple[str, str]] = {
    "blocks": ("waits for", "solid line"),
    "parent-child": ("is part of", "double line"),
    "related": ("is related to", "dashed line"),
    "discovered-from": ("was discovered from", "dotted line"),
}


@dataclass(frozen=True, slots=True)
class Box:
    """One issue; `state` is a name of words.STATES."""

    id: str
    title: str
    state: str
    priority: int | None  # None: no such issue
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Line:
    """`start` depends on `end`; `path` leads from what comes first to what comes after."""

    start: str
    kind: str
    end: str
    path: str

    @property
    def style(self) -> str:
        return self.kind if self.kind in KINDS else "related"

    @property
    def words(self) -> str:
        return KINDS.get(self.kind, (self.kind.replace("-", " "), ""))[0]


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes and lines on a plane of that size, in pixels; `left_out` issues did not fit."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: int
    height: int
    left_out: int = 0

    @property
    def styles(self) -> tuple[str, ...]:
        """The kinds of line the legend explains."""
        used = {line.style for line in self.lines}
        return tuple(kind for kind in KINDS if kind in used)


def picture(graph: Graph, ids: Sequence[str]) -> Picture:
    """These issues and every dependency among them."""
    shown = list(dict.fromkeys(ids))[:MOST]
    edges = edges_among(graph, set(shown))
    places = place(shown, edges)
    boxes = tuple(_box(graph, one, places[one]) for one in shown)
    lines = tuple(Line(a, kind, b, _path(places[b], places[a])) for a, kind, b in edges)
    width = max((x for x, _ in places.values()), default=0) + BOX_W + EDGE
    height = max((y for _, y in places.values()), default=0) + BOX_H + EDGE
    return Picture(boxes, lines, width, height, len(set(ids)) - len(shown))


def open_ids(graph: Graph, label: str = "") -> list[str]:
    """Everything unfinished, the most urgent first."""
    found = sorted((i for i in graph if not i.done), key=urgency)
    return [issue.id for issue in found if not label or label in issue.labels]


def place(ids: Sequence[str], edges: Sequence[tuple[str, str, str]]) -> dict[str, tuple[int, int]]:
    """The top left corner of every box: what others wait for on the left, loners in rows below."""
    before: dict[str, list[str]] = {one: [] for one in ids}
    for start, _, end in edges:
        before[start].append(end)
    tied = {one for start, _, end in edges for one in (start, end)}
    layers = _layers([one for one in ids if one in tied], before)
    spots: dict[str, tuple[int, int]] = {}
    for column, layer in enumerate(layers):
        rows = {one: row for one, (_, row) in spots.items()}
        layer.sort(key=lambda one: _middle([rows[b] for b in before[one] if b in rows]))
        spots |= {one: (column, row) for row, one in enumerate(layer)}
    below = max(map(len, layers), default=0)
    across = max(len(layers), 4)
    alone = [one for one in ids if one not in tied]
    spots |= {one: (n % across, below + n // across) for n, one in enumerate(alone)}
    return {
        one: (EDGE + column * (BOX_W + GAP_X), EDGE + row * (BOX_H + GAP_Y))
        for one, (column, row) in spots.items()
    }


def _layers(ids: list[str], before: dict[str, list[str]]) -> list[list[str]]:
    """Each issue one layer after the last of those it depends on; a ring is opened at its first."""
    level: dict[str, int] = {}
    left = dict.fromkeys(ids)
    while left:
        free = [one for one in left if all(b in level for b in before[one])] or [next(iter(left))]
        for one in free:
            level[one] = 1 + max((level[b] for b in before[one] if b in level), default=-1)
            del left[one]
    layers: list[list[str]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for one in ids:
        layers[level[one]].append(one)
    return layers


def _middle(rows: list[int]) -> float:
    return sum(rows) / len(rows) if rows else 0.0


def _box(graph: Graph, issue_id: str, at: tuple[int, int]) -> Box:
    issue = graph.by_id.get(issue_id)
    if issue is None:
        return Box(issue_id, "no such issue", "missing", None, *at)
    state = "waits" if graph.is_blocked(issue) else issue.status
    return Box(issue_id, issue.title, state, issue.priority, *at)


def _path(first: tuple[int, int], then: tuple[int, int]) -> str:
    """A curve from the right side of the first box to the left side of the other."""
    x1, y1 = first[0] + BOX_W, first[1] + BOX_H // 2
    x2, y2 = then[0], then[1] + BOX_H // 2
    bend = max(40, abs(x2 - x1) // 2)
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2 - 7} {y2}"
