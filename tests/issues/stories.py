"""Issues and histories, made up for tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from aicp.issues.graph import Graph
from aicp.issues.jsontext import dumps, loads
from aicp.issues.model import issue_of

DAY = "2025-10-16T12:00:00"


def an_issue(issue_id: str, **fields: Any) -> dict[str, Any]:
    """A stored line as values; `on` lists (type, target) pairs."""
    on = fields.pop("on", [])
    value = {
        "id": issue_id,
        "title": f"Title of {issue_id}",
        "description": "",
        "status": "open",
        "priority": 2,
        "issue_type": "task",
        "created_at": f"{DAY}Z",
        "updated_at": f"{DAY}Z",
        **fields,
    }
    if value["status"] == "closed":
        value.setdefault("closed_at", value["updated_at"])
    if on:
        value["dependencies"] = [
            {"issue_id": issue_id, "depends_on_id": to, "type": kind} for kind, to in on
        ]
    return value


def lines(*values: dict[str, Any]) -> bytes:
    return b"".join(dumps(value).encode() + b"\n" for value in values)


def a_graph(*values: dict[str, Any]) -> Graph:
    return Graph(issue_of(loads(dumps(value)), 0) for value in values)


STATUSES = st.sampled_from(
    ["open", "open", "in_progress", "closed", "deferred", "blocked", "tombstone"]
)
EDGES = st.sampled_from(
    ["blocks", "blocks", "parent-child", "parent-child", "related", "discovered-from"]
)


@st.composite
def graphs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Any small graph, cycles, loops and loose ends included."""
    size = draw(st.integers(1, 12))
    ids = [f"x-{n}" for n in range(size)]
    targets = st.sampled_from([*ids, "x-gone"])
    return [
        an_issue(
            one,
            status=draw(STATUSES),
            priority=draw(st.integers(0, 4)),
            created_at=f"2025-10-{draw(st.integers(10, 28))}T00:00:00Z",
            on=draw(st.lists(st.tuples(EDGES, targets), max_size=3, unique=True)),
        )
        for one in ids
    ]
