"""BD-7: ready is trustworthy, explained, and one engine answers every question."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from aicp.issues.cycles import BINDING, cycles, path_between
from aicp.issues.explain import explain
from aicp.issues.graph import stats
from aicp.issues.tree import walk
from issues.stories import a_graph, an_issue, graphs

DONE = ("closed", "tombstone")


def waits(values: dict[str, Any], one: str) -> bool:
    """The definition, spelled out for one issue without any cleverness."""
    me = values[one]
    links = [(d["type"], d["depends_on_id"]) for d in me.get("dependencies", [])]
    return me["status"] not in DONE and any(
        kind == "blocks" and to in values and values[to]["status"] not in DONE for kind, to in links
    )


def ancestors(values: dict[str, Any], one: str) -> set[str]:
    found: set[str] = set()
    front = [one]
    while front:
        at = front.pop()
        for link in values.get(at, {}).get("dependencies", []):
            if link["type"] == "parent-child" and link["depends_on_id"] not in found:
                found.add(link["depends_on_id"])
                front.append(link["depends_on_id"])
    return found & set(values)


@given(graphs())
def test_ready_and_blocked_equal_the_definition_on_any_graph(values: list[dict[str, Any]]) -> None:
    by_id = {v["id"]: v for v in values if v["status"] != "tombstone"}  # deleted ones do not exist
    blocked = {
        one
        for one, value in by_id.items()
        if value["status"] not in DONE
        and any(waits(by_id, x) for x in {one} | ancestors(by_id, one))
    }
    ready = [v for v in values if v["status"] in ("open", "in_progress") and v["id"] not in blocked]
    ready.sort(key=lambda v: (v["priority"], v["created_at"], v["id"]))

    graph = a_graph(*values)

    assert [i.id for i in graph.ready()] == [v["id"] for v in ready]
    assert {i.id for i in graph.blocked()} == blocked
    counts = stats(graph)
    assert (counts["ready_issues"], counts["blocked_issues"]) == (len(ready), len(blocked))
    for issue in graph:
        said = explain(graph, issue)
        assert ("is ready" in said) == (issue.id in {v["id"] for v in ready}), said
        assert said.endswith(".")
        assert "\n" not in said
        if issue.id in blocked:
            assert graph.blockers(issue)


@given(graphs())
def test_cycles_are_found_exactly_where_issues_wait_for_each_other(
    values: list[dict[str, Any]],
) -> None:
    graph = a_graph(*values)
    edges = {
        i.id: [t for k, t in i.edges if k in BINDING and t in graph.by_id]
        for i in graph.by_id.values()
    }

    def reaches(start: str, goal: str) -> bool:
        seen: set[str] = set()
        front = list(edges[start])
        while front:
            at = front.pop()
            if at == goal:
                return True
            if at not in seen:
                seen.add(at)
                front += edges[at]
        return False

    in_a_ring = {one for one in edges if reaches(one, one)}
    rings = cycles(graph)
    for ring in rings:
        for one, after in zip(ring, ring[1:] + ring[:1], strict=True):
            assert after in edges[one]
    assert {one for ring in rings for one in ring} <= in_a_ring
    knots = {
        frozenset({o} | {p for p in in_a_ring if reaches(o, p) and reaches(p, o)})
        for o in in_a_ring
    }
    assert len(rings) == len(knots)


def test_a_parent_that_waits_for_its_own_child_is_a_deadlock() -> None:
    graph = a_graph(
        an_issue("x-epic", on=[("blocks", "x-child")]),
        an_issue("x-child", on=[("parent-child", "x-epic")]),
    )
    assert graph.ready() == []
    assert cycles(graph) == [["x-child", "x-epic"]]
    assert "x-child → x-epic → x-child wait for each other" in explain(graph, graph.by_id["x-epic"])


def test_an_epic_with_open_children_is_ready_and_so_are_they() -> None:
    graph = a_graph(
        an_issue("x-1", issue_type="epic"), an_issue("x-2", on=[("parent-child", "x-1")])
    )
    assert [i.id for i in graph.ready()] == ["x-1", "x-2"]


def test_the_explanation_names_the_ancestor_and_where_to_start() -> None:
    graph = a_graph(
        an_issue("x-child", on=[("parent-child", "x-epic")]),
        an_issue("x-epic", on=[("blocks", "x-db")]),
        an_issue("x-db", on=[("blocks", "x-disk")]),
        an_issue("x-disk", priority=0, status="in_progress", assignee="bob"),
    )
    assert explain(graph, graph.by_id["x-child"]) == (
        "x-child is not ready: its ancestor x-epic waits for x-db “Title of x-db” (P2 open), "
        "which waits in the end for x-disk “Title of x-disk” (P0 in_progress, bob)."
    )


def test_a_chain_of_5000_and_a_tree_200_deep_are_walked_without_recursion() -> None:
    chain = a_graph(
        *(
            an_issue(f"c-{n}", on=[("blocks", f"c-{n + 1}")] if n < 4999 else [])
            for n in range(5000)
        )
    )
    assert [i.id for i in chain.ready()] == ["c-4999"]
    assert len(chain.blocked()) == 4999
    assert cycles(chain) == []
    assert len(path_between(chain, "c-0", "c-4999")) == 5000
    assert walk(chain, "c-0")[-1].depth == 4999
    assert "c-4999" in explain(chain, chain.by_id["c-0"])

    deep = [
        an_issue(f"t-{n}", on=[("parent-child", f"t-{n - 1}")] if n else [("blocks", "t-x")])
        for n in range(200)
    ]
    tree = a_graph(*deep, an_issue("t-x"))
    assert [i.id for i in tree.ready()] == ["t-x"], (
        "a blocked root blocks the leaf 199 levels below"
    )
    assert [node.depth for node in walk(tree, "t-0", up=True)] == list(range(200))
    assert len(walk(tree, "t-199")) == 201


def test_a_ring_of_5000_is_named_once() -> None:
    ring = a_graph(
        *(an_issue(f"r-{n:04}", on=[("blocks", f"r-{(n + 1) % 5000:04}")]) for n in range(5000))
    )
    found = cycles(ring)
    assert len(found) == 1
    assert len(found[0]) == 5000
    assert ring.ready() == []


def test_a_diamond_shows_each_issue_once_and_says_where_more_was_shown() -> None:
    graph = a_graph(
        an_issue("d-1", on=[("blocks", "d-2"), ("blocks", "d-3")]),
        an_issue("d-2", on=[("blocks", "d-4")]),
        an_issue("d-3", on=[("blocks", "d-4")]),
        an_issue("d-4", on=[("blocks", "d-5"), ("related", "d-none")]),
        an_issue("d-5"),
    )
    nodes = [(n.id, n.depth, n.truncated, n.missing) for n in walk(graph, "d-1")]
    assert nodes == [
        ("d-1", 0, False, False),
        ("d-2", 1, False, False),
        ("d-4", 2, False, False),
        ("d-5", 3, False, False),
        ("d-none", 3, False, True),
        ("d-3", 1, False, False),
        ("d-4", 2, True, False),
    ]
    assert [n.truncated for n in walk(graph, "d-1", max_depth=1)] == [False, True, True]
