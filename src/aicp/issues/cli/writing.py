"""Commands that change issues."""

from __future__ import annotations

import os

from aicp.issues.cli.context import Context
from aicp.issues.errors import BadInput
from aicp.issues.model import (
    DONE,
    KINDS,
    check_kind,
    check_labels,
    check_priority,
    check_status,
    check_title,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from aicp.issues.record import Record

_TEXTS = ("description", "assignee", "design", "acceptance_criteria", "notes", "external_ref")
_TIMES = ("due_at", "defer_until")


def create(context: Context) -> None:
    """`bd create`."""
    from aicp.issues.create import parse_edges

    o = context.option
    title = (
        context.text(context.call.words[0]) if context.call.words else context.text(o("title", ""))
    )
    edges = parse_edges(o("deps", []))
    if o("parent"):
        edges.append(("parent-child", o("parent")))
    seed_sandbox(context)
    draft: dict[str, Any] = {
        "kind": o("type", "task"),
        "priority": check_priority(o("priority", "2")),
        "labels": check_labels(o("labels", [])),
        "edges": edges,
        **_fields(context),
    }
    if o("dry_run"):
        return _would(context, title, draft)
    value = context.book.create(
        title, issue_id=o("id", ""), prefix=o("prefix", ""), by=context.actor, **draft
    )
    if context.json:
        return context.json_value(_complete(value))
    return context.put(value["id"] if o("silent") else f"created {value['id']}: {value['title']}")


def update(context: Context) -> None:
    """`bd update`."""
    o = context.option
    fields: dict[str, Any] = _fields(context)
    if o("status"):
        fields["status"] = check_status(o("status"))
    if o("priority"):
        fields["priority"] = check_priority(o("priority"))
    if o("title") is not None:
        fields["title"] = check_title(context.text(o("title")))
    if o("type"):
        fields["issue_type"] = _kind(context, o("type"))
    add, remove = check_labels(o("labels", [])), check_labels(o("remove_labels", []))
    only = check_labels(o("set_labels", [])) if o("set_labels") else None
    if not (fields or add or remove or only or o("claim")):
        raise BadInput("nothing to change", hint="bd update --help lists what can be")
    records = context.book.update(
        context.ids(), fields, add=add, remove=remove, only=only, claim=bool(o("claim")),
        by=context.actor,
    )  # fmt: skip
    return _answer(context, records)


def close(context: Context) -> None:
    """`bd close`."""
    records = context.book.close(
        context.ids(), context.text(context.option("reason", "")), by=context.actor
    )
    _answer(context, records)
    _say_waiting(context, records)


def epic_close(context: Context) -> None:
    """`bd epic close-eligible`."""
    if context.option("dry_run"):
        from aicp.issues.graph import epics

        snapshot = context.book.snapshot()
        ready = [e.issue.id for e in epics(snapshot.graph) if e.eligible]
        return _answer(context, [snapshot.record(one) for one in ready])
    reason = context.text(context.option("reason", "all its children are done"))
    return _answer(context, context.book.close_epics(reason, by=context.actor))


def reopen(context: Context) -> None:
    """`bd reopen`."""
    reason = context.text(context.option("reason", ""))
    return _answer(context, context.book.reopen(context.ids(), reason, by=context.actor))


def delete(context: Context) -> None:
    """`bd delete`."""
    o = context.option
    records = context.book.delete(
        context.ids(), context.text(o("reason", "")), force=bool(o("force")), by=context.actor
    )
    if context.json:
        return context.json_value([_complete(record.value()) for record in records])
    context.put("\n".join(f"deleted {r.id}: {r.get('title')}" for r in records))
    return context.note(f"bring back: bd restore {' '.join(record.id for record in records)}")


def comment(context: Context) -> None:
    """`bd comment` and `bd comments add`."""
    issue_id, *words = context.call.words
    if context.option("file"):
        with open(os.path.join(context.folder, context.option("file")), "rb") as file:
            text = file.read().decode("utf-8", "replace")
    elif context.option("stdin") or words == ["-"]:
        text = context.piped()
    elif words:
        text = " ".join(context.text(word) for word in words)
    else:
        raise BadInput(
            "the text is missing", hint=f'bd comment {issue_id} "what happened"; - for stdin'
        )
    by = context.option("author") or context.actor
    entry = context.book.comment(issue_id, text.rstrip("\n"), by=by)
    return (
        context.json_value(entry)
        if context.json
        else context.put(f"commented on {entry['issue_id']}")
    )


def label_add(context: Context) -> None:
    """`bd label add` and `bd tag`."""
    ids, labels = _ids_and_labels(context)
    records = context.book.update(ids, add=labels, by=context.actor)
    return _labelled(context, records, labels, "added")


def label_remove(context: Context) -> None:
    """`bd label remove`."""
    ids, labels = _ids_and_labels(context)
    records = context.book.update(ids, remove=labels, by=context.actor)
    return _labelled(context, records, labels, "removed")


def _fields(context: Context) -> dict[str, Any]:
    """The text, number and time options that were given."""
    o = context.option
    fields: dict[str, Any] = {n: context.text(o(n)) for n in _TEXTS if o(n) is not None}
    if o("estimated_minutes") is not None:
        fields["estimated_minutes"] = o("estimated_minutes")
    for name in _TIMES:
        if o(name) is not None:
            fields[name] = _time(o(name), name)
    return fields


def _time(text: str, name: str) -> str:
    from aicp.issues.cli.filters import moment
    from aicp.issues.stamps import to_text

    return to_text(moment(text, name)) if text else ""


def _kind(context: Context, given: str) -> str:
    from aicp.issues.config import extra_types

    return check_kind(given, () if given in KINDS else extra_types(context.book.settings()))


def seed_sandbox(context: Context) -> None:
    """`bd --db PATH create` makes the sandbox it names; a repository needs `bd init`."""
    path = context.path
    if context.option("db") and not os.path.lexists(path):
        from aicp.issues.init import init

        init(path, by=context.actor, at=context.book.now())
        context.note(f"made {path}")


def _would(context: Context, title: str, draft: dict[str, Any]) -> None:
    kind = _kind(context, draft.pop("kind"))
    value = {"title": check_title(title), "issue_type": kind, **draft, "dry_run": True}
    return (
        context.json_value(value)
        if context.json
        else context.put(f"would create: {value['title']}")
    )


def _complete(value: dict[str, Any]) -> dict[str, Any]:
    return {**value, **{k: value.get(k) or [] for k in ("labels", "dependencies", "comments")}}


def _answer(context: Context, records: list[Record]) -> None:
    if context.json:
        return context.json_value([_complete(record.value()) for record in records])
    from aicp.issues.cli.text import row

    return context.put("\n".join(row(record.issue()) for record in records))


def _say_waiting(context: Context, records: list[Record]) -> None:
    """Closing is never refused, but what was still open is said."""
    snapshot = context.book.snapshot() if any(r.items("dependencies") for r in records) else None
    for record in records if snapshot else []:
        targets = record.issue().targets("blocks")
        lines = [snapshot.line(one) for one in targets] if snapshot else []
        ends = tuple(f'"status":"{status}"'.encode() for status in DONE)
        still = [
            t for t, x in zip(targets, lines, strict=True) if x and not any(e in x for e in ends)
        ]
        if still:
            context.note(f"{record.id} is closed although it waited for {', '.join(still)}")


def _ids_and_labels(context: Context) -> tuple[list[str], list[str]]:
    """`ID LABEL LABEL` or `ID ID LABEL`: the first word is an id, words that are ids follow."""
    snapshot = context.book.snapshot()
    ids = [context.call.words[0]]
    rest = context.call.words[1:]
    while len(rest) > 1 and snapshot.line(rest[0]) is not None:
        ids.append(rest.pop(0))
    return ids, check_labels(rest)


def _labelled(context: Context, records: list[Record], labels: list[str], status: str) -> None:
    found = [{"issue_id": r.id, "label": x, "status": status} for r in records for x in labels]
    if context.json:
        return context.json_value(found)
    return context.put("\n".join(f"{status} {one['label']}: {one['issue_id']}" for one in found))
