"""Commands about the store itself."""

from __future__ import annotations

import os
import sys

from aicp.issues import config
from aicp.issues.book import Book
from aicp.issues.cli.context import Context
from aicp.issues.cli.filters import wishes
from aicp.issues.errors import BadInput, IssueError, NotFound
from aicp.issues.query import choose
from aicp.issues.stamps import to_text
from aicp.issues.store import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aicp.issues.record import Record
    from aicp.issues.snapshot import Snapshot


def init(context: Context) -> None:
    """`bd init`."""
    from aicp.issues.init import init as set_up
    from aicp.issues.locate import home, locate

    named = context.option("db") or context.env.get("BEADS_DB") or context.env.get("BEADS_DIR")
    path = (
        locate(context.folder, db=context.option("db", ""), env=context.env)
        if named
        else home(context.folder)
    )
    outcome = set_up(
        path,
        prefix=context.option("prefix", ""),
        ids=context.option("ids", ""),
        by=context.actor,
        at=Book(path).now(),
        bd=_how_git_calls_us(context),
    )
    if context.json:
        return context.json_value(outcome.as_dict())
    if context.option("quiet"):
        return None
    words = {"new": "made", "kept": "kept", "git": "brought back from git:"}[outcome.source]
    done = "".join(f"\n    {step}" for step in outcome.done)
    return context.put(f"{words} {path}, {outcome.issues} issues{done}")


def doctor(context: Context) -> int:
    """`bd doctor`: exit 1 while an error remains."""
    from aicp.issues.doctor import examine, repair

    book = context.book
    if context.option("fix"):
        how = _how_git_calls_us(context)
        findings = repair(book.store, by=context.actor, at=book.now(), bd=how)
    else:
        findings = examine(book.store)
    if context.json:
        context.json_value([finding.as_dict() for finding in findings])
    for one in findings if not context.json else []:
        fix = f"\n         → {one.fix}" if one.fix else ""
        context.put(f"{one.level:<8} {one.text}{fix}")
    return int(any(finding.level == "error" for finding in findings))


def restore(context: Context) -> None:
    """`bd restore`: issues by id, or the whole file; what is replaced stays beside it."""
    if context.call.words:
        return _restore_issues(context, context.ids())
    return _restore_file(context)


def export(context: Context) -> None:
    """`bd export`."""
    from aicp.issues import transfer

    snapshot = context.book.snapshot()
    chosen = _chosen(context, snapshot)
    make = transfer.export_compat if context.option("compat") else transfer.export
    data = make(snapshot, chosen)
    if not context.option("output"):
        return context.put(data)
    path = os.path.join(context.folder, context.option("output"))
    with open(f"{path}.tmp", "wb") as file:
        file.write(data)
    os.replace(f"{path}.tmp", path)
    return context.note(f"wrote {data.count(10)} lines to {path}")


def import_(context: Context) -> None:
    """`bd import`."""
    from aicp.issues import transfer

    name = context.option("input") or (context.call.words[0] if context.call.words else "-")
    data = sys.stdin.buffer.read() if name == "-" else _file(context, name)
    incoming = transfer.read("stdin" if name == "-" else name, data)
    _seed(context)
    book, found = context.book, transfer.Import()

    def decide(snapshot: Snapshot) -> Change:
        nonlocal found
        skip, force = bool(context.option("skip_existing")), bool(context.option("force"))
        found = transfer.plan(snapshot, data, incoming, skip_existing=skip, force=force)
        if context.option("dry_run"):
            return Change([], [])
        return transfer.change(found, by=context.actor, at=book.now())

    book.store.commit(decide)
    if context.json:
        return context.json_value(found.as_dict())
    counts = f"{len(found.created)} new, {len(found.updated)} updated, {found.unchanged} unchanged"
    return context.put(f"{counts}, {len(found.skipped)} skipped because the one here is as new")


def merge(context: Context) -> int:
    """`bd merge OUT BASE OURS THEIRS`: 0 merged, 1 conflicts are left in OUT for a person."""
    from aicp.issues.merge import merge_files

    out, base, ours, theirs = (os.path.join(context.folder, one) for one in context.call.words)
    try:
        merged = merge_files(*(_file(context, one) for one in (base, ours, theirs)))
    except IssueError as error:
        return _merge_as_text(context, error, (out, base, ours, theirs))
    with open(out, "wb") as file:
        file.write(merged.data)
    for conflict in merged.conflicts:
        context.note(conflict)
    if merged.conflicts:
        context.note("both versions are in the file; keep one of each, or: bd doctor --fix")
    return int(bool(merged.conflicts))


def info(context: Context) -> None:
    """`bd info`."""
    from aicp import __version__
    from aicp.issues.ids import default_prefix

    store, settings = context.book.store, context.book.settings()
    count = len(list(context.book.snapshot().graph))
    values = {
        "path": store.path,
        "events": store.trail.path,
        "issues": count,
        "prefix": settings.get("prefix") or default_prefix(store.path),
        "ids": settings.get("ids", "hash"),
        "actor": context.actor,
        "version": __version__,
    }
    if context.json:
        return context.json_value(values)
    return context.put("\n".join(f"{key:<10}{value}" for key, value in values.items()))


def version(context: Context) -> None:
    """`bd version`."""
    from aicp import __version__

    value = {"version": __version__}
    return context.json_value(value) if context.json else context.put(f"bd {__version__}")


def config_get(context: Context) -> None:
    """`bd config get`."""
    key = context.call.words[0]
    value = context.book.settings().get(key)
    if value is None:
        raise NotFound(f"{key} is not set", hint=f"bd config set {key} VALUE")
    return context.json_value({key: value}) if context.json else context.put(value)


def config_set(context: Context) -> None:
    """`bd config set`."""
    key, value = context.call.words
    folder = os.path.dirname(context.path)
    config.write(folder, {**config.read(folder), key: config.check(key, value)})
    return context.json_value({key: value}) if context.json else context.put(f"{key} is {value}")


def config_unset(context: Context) -> None:
    """`bd config unset`."""
    key = context.call.words[0]
    folder = os.path.dirname(context.path)
    config.write(folder, {k: v for k, v in config.read(folder).items() if k != key})
    return context.json_value({key: None}) if context.json else context.put(f"{key} is not set")


def config_list(context: Context) -> None:
    """`bd config list`."""
    settings = context.book.settings()
    if context.json:
        return context.json_value(settings)
    shown = [
        f"{key:<8} {settings.get(key, '(not set)'):<16} {does}" for key, does in config.KEYS.items()
    ]
    return context.put("\n".join(shown))


def _restore_issues(context: Context, ids: list[str]) -> None:
    from aicp.issues.events import event

    book, asked = context.book, context.option("revision", "")
    snapshot = book.snapshot()
    found = [_restored(context, snapshot, issue_id, asked) for issue_id in ids]

    def decide(_: Snapshot) -> Change:
        at = book.now()
        for record in found:
            record.touch(at)
        return Change(found, [event(at, context.actor, "restored", r.id) for r in found])

    book.store.commit(decide)
    return _say_restored(context, found)


def _restored(context: Context, snapshot: Snapshot, issue_id: str, asked: str) -> Record:
    """What `bd delete` took away as it was; anything else from git, newest first."""
    from aicp.issues import git
    from aicp.issues.delete import tombstone, undeleted
    from aicp.issues.rescue import restored

    here = None if asked else tombstone(snapshot, issue_id)
    if here and here.get("original_status"):
        return undeleted(here)
    path = context.book.store.path
    revisions = [asked] if asked else git.revisions(path)
    versions = (restored(git.content(path, one) or b"", issue_id) for one in revisions)
    alive = (one for one in versions if one is not None and one.get("status") != "tombstone")
    record = next(alive, None) or (undeleted(here) if here else None)
    if record is None:
        raise NotFound(f"git has no {issue_id}{f' in {asked}' if asked else ''}", hint="bd list")
    return record


def _restore_file(context: Context) -> None:
    from aicp.issues import git
    from aicp.issues.events import event
    from aicp.issues.lines import parse, verdict

    book = context.book
    revision, store = context.option("revision", "HEAD"), book.store
    data = git.content(store.path, revision)
    if data is None:
        raise NotFound(f"{revision} has no {store.name}", hint="git log -- .beads/issues.jsonl")
    if problems := parse(data).problems:
        raise verdict(f"{revision}:{store.name}", data, problems)
    at = book.now()
    aside = f"{store.path}.before-restore-{to_text(at).replace(':', '')}"
    if os.path.exists(store.path):
        with open(aside, "wb") as file:
            file.write(_file(context, store.path))
        context.note(f"the file as it was is {aside}")
    store.replace(data, [event(at, context.actor, "restored", "")])
    count = len(store.snapshot().issues)
    value = {"restored": count, "from": revision}
    return (
        context.json_value(value)
        if context.json
        else context.put(f"{count} issues from {revision}")
    )


def _say_restored(context: Context, found: list[Record]) -> None:
    if context.json:
        return context.json_value([record.value() for record in found])
    return context.put(
        "\n".join(f"restored {record.id}: {record.get('title')}" for record in found)
    )


def _merge_as_text(context: Context, error: IssueError, files: tuple[str, str, str, str]) -> int:
    """A side that cannot be read is merged as text, so that nothing of it is dropped."""
    import subprocess

    out, base, ours, theirs = files
    context.note(f"{error.message}; merged line by line instead")
    done = subprocess.run(
        ["git", "merge-file", "-p", ours, base, theirs], capture_output=True, check=False
    )
    if not 0 <= done.returncode < 128:
        raise BadInput(
            "git could not merge the files", hint=done.stderr.decode(errors="replace").strip()
        )
    with open(out, "wb") as file:
        file.write(done.stdout)
    return 1


def _chosen(context: Context, snapshot: Snapshot) -> list | None:
    """Everything, tombstones and foreign lines too, unless something was asked for."""
    filters = (
        "status",
        "priority",
        "type",
        "labels",
        "labels_any",
        "assignee",
        "unassigned",
        "parent",
    )
    if not any(context.option(name) for name in filters):
        return None
    return choose(snapshot.graph, snapshot.graph, wishes(context, snapshot))


def _file(context: Context, name: str) -> bytes:
    try:
        with open(os.path.join(context.folder, name), "rb") as file:
            return file.read()
    except (FileNotFoundError, IsADirectoryError):
        raise NotFound(f"there is no file {name}", hint="- reads stdin") from None


def _seed(context: Context) -> None:
    from aicp.issues.cli.writing import seed_sandbox

    seed_sandbox(context)


def _how_git_calls_us(context: Context) -> str:
    """`bd` when git will find it, else where this one is."""
    for folder in context.env.get("PATH", "").split(os.pathsep):
        if os.access(os.path.join(folder, "bd"), os.X_OK):
            return "bd"
    return f"'{os.path.abspath(sys.argv[0])}'"
