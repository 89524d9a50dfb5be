"""Answers for people: plain columns, no colours, nothing a hostile title could do to a terminal."""

from __future__ import annotations

from aicp.issues.model import Issue
from aicp.issues.stamps import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from aicp.issues.graph import Graph
    from aicp.issues.tree import Node


def safe(text: str) -> str:
    """Text without control characters, which could rewrite what a terminal shows."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)


def lines(text: str) -> list[str]:
    """A longer text as safe lines."""
    return [safe(line.replace("\t", "    ")) for line in text.split("\n")]


def row(issue: Issue, width: int = 0) -> str:
    """An issue on one line: id, priority, status, type, title, labels, assignee."""
    labels = f"  [{' '.join(issue.labels)}]" if issue.labels else ""
    who = f"  @{issue.assignee}" if issue.assignee else ""
    head = f"{issue.id:<{width}}  P{issue.priority}  {issue.status:<11}  {issue.kind:<8}"
    return safe(f"{head}  {issue.title}{labels}{who}")


def table(issues: list[Issue]) -> str:
    """Issues under each other, ids aligned."""
    width = max((len(issue.id) for issue in issues), default=0)
    return "\n".join(row(issue, width) for issue in issues)


def when(ns: int) -> str:
    """A time for people: to the second, UTC."""
    return to_text(ns // 10**9 * 10**9).replace("T", " ").replace("Z", " UTC")


def draw(graph: Graph, nodes: list[Node]) -> list[str]:
    """A tree with its branches drawn; beyond 40 levels the depth is written instead."""
    last = _last_ones(nodes)
    out: list[str] = []
    open_levels: list[bool] = []
    for at, node in enumerate(nodes):
        del open_levels[max(node.depth - 1, 0) :]
        bars = "".join("│  " if more else "   " for more in open_levels[:40])
        if len(open_levels) > 40:
            bars += f"… {node.depth} "
        branch = ("└─ " if last[at] else "├─ ") if node.depth else ""
        out.append(bars + branch + _node(graph, node))
        if node.depth:
            open_levels.append(not last[at])
    return out


def _last_ones(nodes: list[Node]) -> list[bool]:
    """For each node in preorder: is it the last child of its parent?"""
    last = [True] * len(nodes)
    later: dict[int, bool] = {}
    for at in range(len(nodes) - 1, -1, -1):
        depth = nodes[at].depth
        last[at] = not later.get(depth, False)
        later = {d: True for d in later if d < depth} | {depth: True}
    return last


_EDGE_WORDS = {
    ("blocks", False): "waits for ",
    ("blocks", True): "blocks ",
    ("parent-child", False): "part of ",
    ("parent-child", True): "child ",
    ("discovered-from", False): "discovered from ",
    ("discovered-from", True): "led to ",
    ("related", False): "related to ",
    ("related", True): "related to ",
}


def _node(graph: Graph, node: Node) -> str:
    words = _EDGE_WORDS.get((node.edge, node.up), f"{node.edge} " if node.edge else "")
    if node.missing:
        return f"{words}{safe(node.id)} (no such issue)"
    issue = graph.by_id[node.id]
    more = "  … (shown above, or deeper than --max-depth)" if node.truncated else ""
    blocked = ", blocked" if graph.is_blocked(issue) else ""
    return (
        safe(f"{words}{issue.id} {issue.title} (P{issue.priority} {issue.status}{blocked})") + more
    )


def picture(graph: Graph, edges: Iterable[tuple[str, str, str]], ids: list[str], how: str) -> str:
    """The graph as Graphviz `dot` or Mermaid text; arrows lead from an issue to what it needs."""
    names = {one: f"n{number}" for number, one in enumerate(ids)}
    labels = {one: _caption(graph, one) for one in ids}
    if how == "dot":
        nodes = [f'  {names[one]} [label="{labels[one]}"];' for one in ids]
        arrows = [f'  {names[a]} -> {names[b]} [label="{kind}"];' for a, kind, b in edges]
        return "\n".join(["digraph issues {", "  node [shape=box];", *nodes, *arrows, "}"])
    nodes = [f'  {names[one]}["{labels[one]}"]' for one in ids]
    arrows = [f"  {names[a]} -->|{kind}| {names[b]}" for a, kind, b in edges]
    return "\n".join(["graph TD", *nodes, *arrows])


def _caption(graph: Graph, issue_id: str) -> str:
    issue = graph.by_id.get(issue_id)
    title = f"{issue_id} {issue.title} ({issue.status})" if issue else issue_id
    return safe(title).replace("\\", "/").replace('"', "'")


def full(value: dict[str, Any], graph: Graph) -> list[str]:
    """One issue with everything, for `show`."""
    issue = graph.by_id[value["id"]]
    out = [row(issue), *_facts(value)]
    for key in ("description", "design", "acceptance_criteria", "notes"):
        if value.get(key):
            out += [
                "",
                f"{key.replace('_', ' ').capitalize()}:",
                *(f"  {x}" for x in lines(value[key])),
            ]
    for title, links in (("Depends on", issue.edges), ("Needed by", graph.dependents(issue.id))):
        if links:
            out += ["", f"{title}:", *(f"  {kind}  {_other(graph, one)}" for kind, one in links)]
    for remark in value.get("comments") or []:
        head = f"{remark.get('author', '')} {remark.get('created_at', '')}"
        out += ["", safe(head) + ":", *(f"  {x}" for x in lines(str(remark.get("text", ""))))]
    return out


def _facts(value: dict[str, Any]) -> list[str]:
    shown = ("created_at", "created_by", "updated_at", "started_at", "closed_at", "close_reason",
             "external_ref", "due_at", "defer_until", "estimated_minutes")  # fmt: skip
    return [safe(f"  {key.replace('_', ' ')}: {value[key]}") for key in shown if value.get(key)]


def _other(graph: Graph, issue_id: str) -> str:
    issue = graph.by_id.get(issue_id)
    return row(issue) if issue else f"{safe(issue_id)} (no such issue)"
