"""The issue graph as the rest of the product sees it: one place on disk, our errors, bd's own JSON.

The graph belongs to the installation, not to a tenant: it lives in the operators' git repository, and
everybody who is signed in may read it. Who may change it is decided here, in one set of roles. It is kept
in git, for good: texts are redacted before they are written (OP-4).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aicp import errors
from aicp.errors import AicpError, BadInput, Forbidden, NotFound
from aicp.issues import locate, model, query
from aicp.issues.book import Book
from aicp.issues.cli.text import draw
from aicp.issues.errors import IssueError
from aicp.issues.errors import NotFound as NoStore
from aicp.issues.explain import explain
from aicp.issues.jsontext import loads
from aicp.issues.link import Link
from aicp.issues.model import ACTIVE, Issue
from aicp.issues.snapshot import Snapshot
from aicp.issues.tree import Node, edges_among, walk
from aicp.telemetry.redaction import redact

WRITERS = frozenset({"operator", "oncall", "admin", "governance"})
MISSING = "issues_missing"


class Damaged(AicpError):
    """The list of issues cannot be trusted; nothing was read from it and nothing written."""

    code, status, exit_code = "issues_damaged", 503, 1


_OURS: dict[int, type[AicpError]] = {
    1: Damaged,
    2: errors.BadInput,
    3: errors.NotFound,
    6: errors.Conflict,
    8: errors.TimedOut,
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a list is narrowed to; empty is everything.

    Args:
        statuses: comma-separated; `all` is every one.
        labels: all of them must be there.
        priorities: comma-separated, 0 (most urgent) to 4.
        limit: the most that are returned; 0 is no limit.
    """

    statuses: str = ""
    labels: tuple[str, ...] = ()
    priorities: str = ""
    limit: int = 0


class Tracker:
    """The issues of one installation.

    Args:
        named: AICP_ISSUES_DIR: a repository, its `.beads` folder, or a list; "" looks around `start`.
        start: where the process was started.
        book: makes the book of a path.
    """

    def __init__(
        self, named: str = "", *, start: str = "", book: Callable[[str], Book] = Book
    ) -> None:
        self.named, self.start, self._book = named, start or str(Path.cwd()), book

    def book(self) -> Book:
        """The book, looked for each time: `bd init` may have made it a moment ago.

        Raises:
            NotFound: there is none; its code is MISSING.
        """
        try:
            path = self._path()
        except NoStore as error:
            raise _missing(f"there is no issue list at {self.start}: {error.message}") from error
        if not os.path.lexists(path):
            raise _missing(f"there is no issue list: {path} is missing")
        return self._book(path)

    def stamp(self) -> str:
        """Names the state of the list on disk; "none" when there is none. Never raises."""
        try:
            info = os.stat(self._path())  # noqa: PTH116 - a path as text, as the graph has it
        except (IssueError, AicpError, OSError):
            return "none"
        return f"{info.st_mtime_ns}-{info.st_ctime_ns}-{info.st_size}-{info.st_ino}"

    def snapshot(self) -> Snapshot:
        """The graph as it is now (errors: `book`, and Damaged)."""
        with ours():
            return self.book().snapshot()

    def _path(self) -> str:
        if not self.named:
            return locate.locate(self.start)
        with ours():
            return locate.sandbox(os.path.expanduser(self.named))  # noqa: PTH111

    def listed(self, wish: Wish, *, ready: bool = False) -> list[dict[str, Any]]:
        """Issues in the order of `bd list`, or of `bd ready`; filters first, the limit last.

        Raises:
            BadInput: a status or priority is none.
        """
        with ours():
            snapshot = self.snapshot()
            return [_value(snapshot, issue) for issue in chosen(snapshot, wish, ready=ready)]

    def show(self, issue_id: str) -> dict[str, Any]:
        """One issue with what hangs on it.

        Returns:
            {issue, ready, why, blocked_by, dependents, tree, tree_text, edges}: `tree` is the flat
            list of `bd dep tree` both ways, `edges` are (from, type, to) among its nodes.
        """
        with ours():
            snapshot = self.snapshot()
            return _document(snapshot, snapshot.find(issue_id))

    def create(
        self, title: str, *, by: str, kind: str = "task", priority: int = 2,
        labels: tuple[str, ...] = (), description: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """Open an issue; returns it."""
        with ours():
            book = self.book()
            made = book.create(
                redact(title), kind=kind, priority=priority, labels=list(labels),
                description=redact(description), by=by,
            )  # fmt: skip
            return _again(book, made["id"])

    def comment(self, issue_id: str, text: str, *, by: str) -> dict[str, Any]:
        """Say something on an issue; returns the comment."""
        with ours():
            return self.book().comment(issue_id, redact(text), by=by)

    def close(self, issue_id: str, reason: str, *, by: str) -> dict[str, Any]:
        """Close an issue; unlike `bd close` a reason is needed, because nobody else sees the terminal.

        Raises:
            BadInput: the reason is empty.
        """
        if not reason.strip():
            raise BadInput("say why it is closed", hint="one sentence: what was done about it")
        with ours():
            book = self.book()
            return _again(book, book.close([issue_id], redact(reason.strip()), by=by)[0].id)

    def reopen(self, issue_id: str, reason: str = "", *, by: str) -> dict[str, Any]:
        """Open a closed issue again; returns it. One that is not closed is refused."""
        with ours():
            book = self.book()
            return _again(book, book.reopen([issue_id], redact(reason.strip()), by=by)[0].id)

    def update(self, issue_id: str, change: dict[str, Any], *, by: str) -> dict[str, Any]:
        """Change fields by JSON key, and labels by `add_labels` and `remove_labels`.

        Raises:
            BadInput: nothing is asked for, or a value is not one of those known.
        """
        with ours():
            fields = {key: _CHECKS[key](value) for key, value in change.items() if key in _CHECKS}
            add = model.check_labels(change.get("add_labels") or [])
            remove = model.check_labels(change.get("remove_labels") or [])
            if not (fields or add or remove):
                raise BadInput("nothing to change", hint="give a title, status, priority or label")
            book = self.book()
            return _again(
                book, book.update([issue_id], fields, add=add, remove=remove, by=by)[0].id
            )

    def link(self, issue_id: str, target: str, kind: str, *, by: str) -> Link:
        """Make one issue depend on another; a ring is refused and its way named (UX-83)."""
        with ours():
            return self.book().link(issue_id, target, kind, by=by)

    def unlink(self, issue_id: str, target: str, kind: str = "", *, by: str) -> Link:
        """Take a dependency away; without a kind, all between the two."""
        with ours():
            return self.book().unlink(issue_id, target, kind or None, by=by)


def may_write(roles: tuple[str, ...]) -> str:
    """Why these roles may not change issues, "" when they may."""
    if WRITERS & set(roles):
        return ""
    return "only operators, on-call, governance and admins change issues"


def need_writer(roles: tuple[str, ...]) -> None:
    """Raises Forbidden for everybody else."""
    if why := may_write(roles):
        raise Forbidden(why, hint="ask one of them, or an admin for the role")


def _missing(message: str) -> NotFound:
    return NotFound(
        message,
        hint="run `bd init` in the repository: it brings the list back from git or makes a new one;"
        " AICP_ISSUES_DIR names another repository",
        code=MISSING,
    )


@contextmanager
def ours() -> Iterator[None]:
    """What goes wrong in the graph, as our errors with the same exit codes."""
    try:
        yield
    except IssueError as error:
        kind = _OURS.get(error.exit_code, AicpError)
        code = None if kind is Damaged else error.code
        raise kind(error.message, hint=error.hint, code=code, facts=dict(error.facts)) from error
    except OSError as error:
        raise Damaged(
            f"the issue list cannot be used ({error.strerror or error}: {error.filename})",
            hint="mend its permissions or the disk; `bd doctor` says what it finds",
        ) from error


def chosen(snapshot: Snapshot, wish: Wish, *, ready: bool = False) -> list[Issue]:
    """The issues of a wish, ordered by the same engine as `bd` (UX-84)."""
    graph, statuses = snapshot.graph, _statuses(wish.statuses)
    wanted = query.Filter(
        labels=model.check_labels(list(wish.labels)),
        priorities={model.check_priority(one) for one in wish.priorities.split(",") if one},
    )
    if ready:
        found = query.choose(graph, graph.ready(tuple(statuses or ACTIVE)), wanted)
    else:
        wanted.statuses = statuses
        found = query.order(query.choose(graph, graph, wanted), "priority")
    return found[: wish.limit] if wish.limit else found


def _statuses(text: str) -> set[str] | None:
    words = {word for word in text.split(",") if word.strip()}
    return None if words in (set(), {"all"}) else {model.check_status(word) for word in words}


def _document(snapshot: Snapshot, issue: Issue) -> dict[str, Any]:
    graph = snapshot.graph
    down, up = walk(graph, issue.id), walk(graph, issue.id, up=True)
    nodes = [*down, *up[1:]]
    return {
        "issue": _value(snapshot, issue),
        "ready": issue.status in ACTIVE and not graph.is_blocked(issue),
        "why": explain(graph, issue),
        "blocked_by": graph.blockers(issue),
        "dependents": [{"id": one, "type": kind} for kind, one in graph.dependents(issue.id)],
        "tree": [_node(snapshot, node) for node in nodes],
        "tree_text": draw(graph, nodes),
        "edges": edges_among(graph, {node.id for node in nodes}),
    }


def _node(snapshot: Snapshot, node: Node) -> dict[str, Any]:
    issue = snapshot.graph.by_id.get(node.id)
    told = (
        {"title": issue.title, "status": issue.status, "priority": issue.priority} if issue else {}
    )
    return {
        "id": node.id, **told, "missing": node.missing, "depth": node.depth,
        "parent_id": node.parent, "edge_from_parent": node.edge,
        "direction": "up" if node.up else "down", "truncated": node.truncated,
    }  # fmt: skip


def _value(snapshot: Snapshot, issue: Issue) -> dict[str, Any]:
    return loads(snapshot.shown(issue).decode())


def _again(book: Book, issue_id: str) -> dict[str, Any]:
    snapshot = book.snapshot()
    return _value(snapshot, snapshot.find(issue_id))


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "title": lambda value: model.check_title(redact(value)),
    "status": model.check_status,
    "priority": lambda value: model.check_priority(str(value)),
    "assignee": str,
    "description": lambda value: redact(str(value)),
}
