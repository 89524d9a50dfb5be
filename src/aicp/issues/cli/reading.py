"""Commands that look: they never write, and never wait for a writer."""

from __future__ import annotations

from aicp.issues.cli.context import Context
from aicp.issues.cli.filters import PLAIN, limited, wishes
from aicp.issues.cli.text import safe, table
from aicp.issues.model import ACTIVE, Issue
from aicp.issues.query import choose, order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aicp.issues.graph import Graph
    from aicp.issues.snapshot import Snapshot


def list_issues(context: Context) -> None:
    """`bd list`."""
    snapshot = context.book.snapshot()
    graph = snapshot.graph
    pool = graph.ready() if context.option("ready") else list(graph)
    found = choose(graph, pool, wishes(context, snapshot))
    by = context.option("sort") or ("urgency" if context.option("ready") else "priority")
    found = order(
        found, _known_order(by, (*PLAIN, "urgency")), reverse=bool(context.option("reverse"))
    )
    found, cut = limited(found, context.option("limit", 0))
    if context.option("format"):
        from aicp.issues.cli.linking import put_picture

        return put_picture(context, graph, [issue.id for issue in found])
    return _answer(context, snapshot, found, cut, "no issue fits")


def ready(context: Context) -> None:
    """`bd ready`: JSON is never cut short unless asked, so that scripts find what is there."""
    snapshot = context.book.snapshot()
    graph = snapshot.graph
    wanted = wishes(context, snapshot)
    statuses = tuple(wanted.statuses or ACTIVE)
    if context.option("explain") or context.call.words:
        return _explained(context, snapshot, statuses)
    wanted.statuses = None
    found = choose(graph, graph.ready(statuses), wanted)
    by = _known_order(
        context.option("sort", "urgency"), ("priority", "oldest", "hybrid", "urgency")
    )
    if by in ("oldest", "hybrid"):
        found = order(found, by, now=context.book.now())
    found, cut = limited(found, context.option("limit", 0 if context.json else 10))
    return _answer(context, snapshot, found, cut, "nothing is ready; bd blocked says why")


def explain_issues(context: Context) -> None:
    """`bd explain`."""
    return _explained(context, context.book.snapshot(), ACTIVE)


def blocked(context: Context) -> None:
    """`bd blocked`."""
    from aicp.issues.explain import explain
    from aicp.issues.jsontext import dumps

    snapshot = context.book.snapshot()
    graph = snapshot.graph
    found, cut = limited(
        choose(graph, graph.blocked(), wishes(context, snapshot)), context.option("limit", 0)
    )
    if not context.json:
        text = "\n".join(f"{table([i])}\n    {safe(explain(graph, i, (i.status,)))}" for i in found)
        context.put(text or "nothing is blocked")
        return _say_cut(context, len(found), cut)
    rows = []
    for issue in found:
        ids = graph.blockers(issue)
        why = dumps(explain(graph, issue, (issue.status,)))
        extra = f',"blocked_by_count":{len(ids)},"blocked_by":{dumps(ids)},"explanation":{why}'
        rows.append(snapshot.shown(issue, extra))
    context.put(b"[\n" + b",\n".join(rows) + b"\n]\n" if rows else b"[]\n")
    return _say_cut(context, len(found), cut)


def show(context: Context) -> None:
    """`bd show`: an array, with the issues it depends on and those that depend on it in full."""
    from aicp.issues.cli.text import full
    from aicp.issues.jsontext import loads

    snapshot = context.book.snapshot()
    issues = [snapshot.find(one) for one in context.ids()]
    values = [loads(snapshot.shown(issue).decode()) for issue in issues]
    if not context.json:
        return context.put("\n\n".join("\n".join(full(v, snapshot.graph)) for v in values))
    for issue, value in zip(issues, values, strict=True):
        value["dependencies"] = [_linked(snapshot, kind, to) for kind, to in issue.edges]
        around = snapshot.graph.dependents(issue.id)
        value["dependents"] = [_linked(snapshot, kind, one) for kind, one in around]
    return context.json_value(values)


def search(context: Context) -> None:
    """`bd search`: every word somewhere in the issue, whatever its case."""
    from aicp.issues.jsontext import loads

    snapshot = context.book.snapshot()
    words = [word.lower() for word in context.call.words]
    chosen = choose(snapshot.graph, snapshot.graph, wishes(context, snapshot))
    found = []
    for issue in chosen:
        value = loads((snapshot.line(issue.id) or b"{}").decode())
        texts = [str(v) for k, v in value.items() if k not in ("dependencies", "comments")]
        texts += [str(remark.get("text", "")) for remark in value.get("comments") or []]
        haystack = "\n".join(texts).lower()
        if all(word in haystack for word in words):
            found.append(issue)
    found, cut = limited(order(found, "priority"), context.option("limit", 0))
    return _answer(context, snapshot, found, cut, "no issue has these words")


def count(context: Context) -> None:
    """`bd count`."""
    snapshot = context.book.snapshot()
    number = len(choose(snapshot.graph, snapshot.graph, wishes(context, snapshot)))
    return context.json_value({"count": number}) if context.json else context.put(str(number))


def stale(context: Context) -> None:
    """`bd stale`."""
    from aicp.issues.query import stale as forgotten

    snapshot = context.book.snapshot()
    before = context.book.now() - context.option("days", 30) * 86_400 * 10**9
    found, cut = limited(forgotten(snapshot.graph, before), context.option("limit", 0))
    return _answer(context, snapshot, found, cut, "nothing was forgotten")


def duplicates(context: Context) -> None:
    """`bd duplicates`."""
    from aicp.issues.query import duplicates as alike

    snapshot = context.book.snapshot()
    groups = alike(snapshot.graph)
    if context.json:
        body = b",\n".join(snapshot.array(group).strip() for group in groups)
        return context.put(b"[" + body + b"]\n")
    return context.put(
        "\n\n".join(table(group) for group in groups) or "no two titles say the same"
    )


def stats(context: Context) -> None:
    """`bd stats`."""
    from aicp.issues.graph import stats as counts

    values = counts(context.book.snapshot().graph)
    if context.json:
        return context.json_value(values)
    return context.put("\n".join(f"{k.replace('_', ' '):<28}{v:>8}" for k, v in values.items()))


def epic_status(context: Context) -> None:
    """`bd epic status`."""
    from aicp.issues.graph import epics

    snapshot = context.book.snapshot()
    only = bool(context.option("eligible_only"))
    found = [epic for epic in epics(snapshot.graph) if epic.eligible or not only]
    if context.json:
        parts = [
            b'{"epic":%b,"total_children":%d,"closed_children":%d,"eligible_for_close":%b}'
            % (snapshot.shown(e.issue), e.children, e.done, b"true" if e.eligible else b"false")
            for e in found
        ]
        return context.put(b"[" + b",\n".join(parts) + b"]\n")
    shown = [
        f"{safe(e.issue.id)}  {e.done}/{e.children} done  {safe(e.issue.title)}"
        + ("  (can be closed)" if e.eligible else "")
        for e in found
    ]
    return context.put("\n".join(shown) or "no open epic")


def history(context: Context) -> None:
    """`bd history`."""
    wanted = context.call.words[0] if context.call.words else ""
    wanted = context.book.snapshot().find(wanted).id if wanted else ""
    found = context.book.history(wanted)
    found = found[-context.option("limit", 0) :]
    if context.json:
        return context.json_value(found)
    shown = [
        f"{e.get('at', '')}  {e.get('actor', '')}  {e.get('event', '')} {e.get('issue', '')}"
        + "".join(f"  {k}: {o} → {n}" for k, (o, n) in (e.get("changes") or {}).items())
        for e in found
    ]
    return context.put("\n".join(map(safe, shown)) or "nothing happened yet")


def comments(context: Context) -> None:
    """`bd comments ID`."""
    from aicp.issues.cli.text import lines

    found = context.book.snapshot().record(context.call.words[0]).get("comments", [])
    if context.json:
        return context.json_value(found)
    shown = [
        "\n".join([safe(f"{c.get('author', '')} {c.get('created_at', '')}:"),
                   *(f"  {line}" for line in lines(str(c.get("text", ""))))])
        for c in found
    ]  # fmt: skip
    return context.put("\n\n".join(shown) or "no comments")


def label_list(context: Context) -> None:
    """`bd label list ID`."""
    labels = list(context.book.snapshot().find(context.call.words[0]).labels)
    return context.json_value(labels) if context.json else context.put(safe(" ".join(labels)))


def label_list_all(context: Context) -> None:
    """`bd label list-all`: the most used first."""
    uses: dict[str, int] = {}
    for issue in context.book.snapshot().graph:
        for label in issue.labels:
            uses[label] = uses.get(label, 0) + 1
    found = sorted(uses.items(), key=lambda pair: (-pair[1], pair[0]))
    if context.json:
        return context.json_value([{"label": label, "count": number} for label, number in found])
    return context.put("\n".join(safe(f"{number:>6}  {label}") for label, number in found))


def _answer(
    context: Context, snapshot: Snapshot, found: list[Issue], cut: int, nothing: str
) -> None:
    if context.json:
        context.put(snapshot.array(found))
    else:
        context.put(table(found) or nothing)
    _say_cut(context, len(found), cut)


def _say_cut(context: Context, shown: int, cut: int) -> None:
    if cut:
        context.note(f"{shown} of {shown + cut} shown; --limit 0 shows all")


def _explained(context: Context, snapshot: Snapshot, statuses: tuple[str, ...]) -> None:
    from aicp.issues.explain import explain

    graph = snapshot.graph
    for issue in (issues := _asked_for(context, snapshot, graph)):
        if not context.json:
            context.put(safe(explain(graph, issue, statuses)))
    if context.json:
        context.json_value([
            {
                "id": issue.id,
                "ready": issue.status in statuses and not graph.is_blocked(issue),
                "blocked_by": graph.blockers(issue),
                "explanation": explain(graph, issue, statuses),
            }
            for issue in issues
        ])  # fmt: skip


def _asked_for(context: Context, snapshot: Snapshot, graph: Graph) -> list[Issue]:
    if context.call.words:
        return [snapshot.find(one) for one in context.ids()]
    wanted = wishes(context, snapshot)
    wanted.statuses = None
    return order(choose(graph, (i for i in graph if not i.done), wanted), "urgency")


def _linked(snapshot: Snapshot, kind: str, issue_id: str) -> dict[str, object]:
    from aicp.issues.jsontext import loads

    issue = snapshot.graph.by_id.get(issue_id)
    value = loads(snapshot.shown(issue).decode()) if issue else {"id": issue_id, "missing": True}
    return {**value, "dependency_type": kind}


def _known_order(name: str, known: tuple[str, ...]) -> str:
    from aicp.issues.errors import BadInput
    from aicp.issues.nearest import did_you_mean

    if name not in known:
        raise BadInput(f"there is no order {name!r}", hint=did_you_mean(name, known))
    return name
