"""`bd dep …`: dependencies, trees, pictures and cycles."""

from __future__ import annotations

from aicp.issues.cli.context import Context
from aicp.issues.cli.text import draw, picture, row
from aicp.issues.errors import BadInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aicp.issues.graph import Graph
    from aicp.issues.link import Link
    from aicp.issues.snapshot import Snapshot
    from aicp.issues.tree import Node

_WAYS = {"down": (False,), "up": (True,), "both": (False, True)}


def add(context: Context) -> None:
    """`bd dep add`."""
    issue_id, target = context.call.words
    kind = context.option("type", "blocks")
    link = context.book.link(issue_id, target, kind, by=context.actor)
    words = {"blocks": "waits for", "parent-child": "is part of"}.get(kind, f"is {kind}")
    already = " already" if link.status == "present" else " now"
    return _answer(context, link, f"{link.issue_id}{already} {words} {link.depends_on_id}")


def remove(context: Context) -> None:
    """`bd dep remove`."""
    issue_id, target = context.call.words
    link = context.book.unlink(issue_id, target, context.option("type"), by=context.actor)
    return _answer(
        context, link, f"{link.issue_id} no longer depends on {link.depends_on_id} ({link.kind})"
    )


def tree(context: Context) -> None:
    """`bd dep tree`: text shows both ways; JSON goes down unless told, as scripts expect."""
    from aicp.issues.tree import walk

    snapshot = context.book.snapshot()
    root = snapshot.find(context.call.words[0]).id
    ways = _ways(context)
    depth = context.option("max_depth", 0)
    walks = [walk(snapshot.graph, root, up=up, max_depth=depth) for up in ways]
    nodes = [*walks[0], *(node for more in walks[1:] for node in more[1:])]
    if context.option("format"):
        return put_picture(context, snapshot.graph, list(dict.fromkeys(n.id for n in nodes)))
    if context.json:
        return context.put(_array([_json_node(snapshot, node) for node in nodes]))
    return context.put("\n".join(draw(snapshot.graph, nodes)))


def cycles(context: Context) -> None:
    """`bd dep cycles`: exit 0 either way, as the original."""
    from aicp.issues.cycles import cycles as rings

    snapshot = context.book.snapshot()
    graph = snapshot.graph
    found = rings(graph)
    if context.json:
        return context.put(
            _array([snapshot.array(graph.by_id[x] for x in r).strip() for r in found])
        )
    shown = [" → ".join([*ring, ring[0]]) + _members(graph, ring) for ring in found]
    return context.put("\n".join(shown) or "no cycles")


def put_picture(context: Context, graph: Graph, ids: list[str]) -> None:
    """The issues and the edges among them as dot or mermaid."""
    from aicp.issues.tree import edges_among

    how = context.option("format")
    how = "dot" if how == "digraph" else how
    if how not in ("dot", "mermaid"):
        raise BadInput(f"there is no format {how!r}", hint="one of: dot mermaid")
    context.put(picture(graph, edges_among(graph, set(ids)), ids, how))


def _ways(context: Context) -> tuple[bool, ...]:
    way = context.option("direction") or ("up" if context.option("reverse") else "")
    if way and way not in _WAYS:
        raise BadInput(f"there is no direction {way!r}", hint="one of: down up both")
    return _WAYS[way or ("down" if context.json else "both")]


def _json_node(snapshot: Snapshot, node: Node) -> bytes:
    from aicp.issues.jsontext import dumps

    extra = f',"depth":{node.depth},"truncated":{dumps(node.truncated)}'
    extra += f',"parent_id":{dumps(node.parent)},"edge_from_parent":{dumps(node.edge)}'
    extra += f',"direction":"{"up" if node.up else "down"}"'
    if node.missing:
        return f'{{"id":{dumps(node.id)},"missing":true{extra}}}'.encode()
    return snapshot.shown(snapshot.graph.by_id[node.id], extra)


def _array(rows: list[bytes]) -> bytes:
    return b"[\n" + b",\n".join(rows) + b"\n]\n" if rows else b"[]\n"


def _members(graph: Graph, ring: list[str]) -> str:
    return "".join(f"\n    {row(graph.by_id[one])}" for one in ring)


def _answer(context: Context, link: Link, text: str) -> None:
    return context.json_value(link.as_dict()) if context.json else context.put(text)
