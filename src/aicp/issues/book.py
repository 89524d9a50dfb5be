"""The issue graph for callers: the command, the API and the outbox all come through here.

    book = Book.at(repository)
    issue = book.create("SEV1: API outage", kind="incident", priority=0, labels=["sev1"], by="ann")
    book.comment(issue["id"], "EU tenants only", by="ann")
    [i.id for i in book.snapshot().graph.ready()]

Every method is one write, whole or not at all, durable when it returns. Clock and randomness come
from the constructor.
"""

from __future__ import annotations

import os
import time

from aicp.issues.store import Change, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from aicp.issues.link import Link
    from aicp.issues.record import Record
    from aicp.issues.snapshot import Snapshot


class Book:
    """One issues file.

    Args:
        path: the issues file (`locate.locate` finds it).
        now: nanoseconds since 1970.
        randomness: that many random bytes.
    """

    __slots__ = ("now", "randomness", "store")

    def __init__(
        self,
        path: str,
        *,
        now: Callable[[], int] = time.time_ns,
        randomness: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.store = Store(path)
        self.now, self.randomness = now, randomness

    @classmethod
    def at(cls, folder: str) -> Book:
        """The book of the repository around a folder.

        Raises:
            NotFound: it has none.
        """
        from aicp.issues.locate import locate

        return cls(locate(folder))

    def snapshot(self) -> Snapshot:
        """The graph as it is now (errors: `Store.snapshot`)."""
        return self.store.snapshot()

    def settings(self) -> dict[str, str]:
        """What `.beads/config.json` says."""
        from aicp.issues import config

        return config.read(self.store.folder)

    def new_id(self, snapshot: Snapshot, prefix: str = "") -> str:
        """A free id, of the shape this repository uses."""
        from aicp.issues import ids

        settings = self.settings()
        prefix = prefix or settings.get("prefix", "")
        if not prefix:
            prefix = ids.common_prefix(snapshot, ids.default_prefix(self.store.path))
        if settings.get("ids") == "sequential":
            return ids.next_id(snapshot, prefix)
        return ids.random_id(snapshot, prefix, self.randomness)

    def create(
        self,
        title: str,
        *,
        kind: str = "task",
        priority: int = 2,
        labels: list[str] | None = None,
        edges: list[tuple[str, str]] | None = None,
        issue_id: str = "",
        prefix: str = "",
        by: str,
        **fields: Any,
    ) -> dict[str, Any]:
        """Open an issue; returns it as plain values.

        Args:
            title: one line.
            kind: an issue type.
            priority: 0 (most urgent) to 4.
            labels: labels.
            edges: (type, id) of what it depends on.
            issue_id: its id; a new one by default.
            prefix: what a new id starts with.
            by: who opens it.
            fields: description, design, acceptance_criteria, notes, assignee, external_ref,
                estimated_minutes, due_at, defer_until.

        Raises:
            BadInput: a value is not one of those known.
            Conflict: the id is taken.
            NotFound: an edge leads to no issue.
        """
        from aicp.issues import config, model
        from aicp.issues.create import create

        extra = () if kind in model.KINDS else config.extra_types(self.settings())
        draft = {
            **fields,
            "title": model.check_title(title),
            "issue_type": model.check_kind(kind, extra),
            "priority": model.check_priority(str(priority)),
            "labels": model.check_labels(labels or []),
            "edges": edges,
        }
        wanted = model.check_id(issue_id) if issue_id else ""

        def decide(snapshot: Snapshot) -> tuple[Record, Change]:
            free = wanted or self.new_id(snapshot, prefix)
            return create(snapshot, free, draft, by=by, at=self.now())

        return self._do(decide).value()

    def update(
        self,
        ids: list[str],
        fields: dict[str, Any] | None = None,
        *,
        add: list[str] | None = None,
        remove: list[str] | None = None,
        only: list[str] | None = None,
        claim: bool = False,
        by: str,
    ) -> list[Record]:
        """Change fields and labels of issues (arguments and errors: `update.update`)."""
        from aicp.issues.update import update

        return self._do(
            lambda s: update(s, ids, fields or {}, add=add or [], remove=remove or [], only=only,
                             claim=claim, by=by, at=self.now())
        )  # fmt: skip

    def close(self, ids: list[str], reason: str = "", *, by: str) -> list[Record]:
        """Close issues: all of them or, if one does not exist, none."""
        from aicp.issues.update import close

        return self._do(lambda s: close(s, ids, reason, by=by, at=self.now()))

    def close_epics(self, reason: str, *, by: str) -> list[Record]:
        """Close every epic whose children are all done, as they are at the moment of the write."""
        from aicp.issues.graph import epics
        from aicp.issues.update import close

        def decide(snapshot: Snapshot) -> tuple[list[Record], Change]:
            ids = [epic.issue.id for epic in epics(snapshot.graph) if epic.eligible]
            at = self.now()
            return close(snapshot, ids, reason, by=by, at=at) if ids else ([], Change([], []))

        return self._do(decide)

    def reopen(self, ids: list[str], reason: str = "", *, by: str) -> list[Record]:
        """Open closed issues again."""
        from aicp.issues.update import reopen

        return self._do(lambda s: reopen(s, ids, reason, by=by, at=self.now()))

    def delete(
        self, ids: list[str], reason: str = "", *, force: bool = False, by: str
    ) -> list[Record]:
        """Delete issues softly (errors: `delete.delete`); `bd restore` brings them back."""
        from aicp.issues.delete import delete

        return self._do(lambda s: delete(s, ids, reason, force=force, by=by, at=self.now()))

    def comment(self, issue_id: str, text: str, *, by: str) -> dict[str, Any]:
        """Add a comment; returns {id, issue_id, author, text, created_at}."""
        from aicp.issues.comment import comment

        return self._do(
            lambda s: comment(s, issue_id, text, by=by, at=self.now(), randomness=self.randomness)
        )

    def link(self, issue_id: str, target: str, kind: str = "blocks", *, by: str) -> Link:
        """Make one issue depend on another; for parent-child, name the child first.

        Raises:
            Conflict: it would be a cycle; `facts["cycle"]` names the way round.
        """
        from aicp.issues.link import add
        from aicp.issues.model import check_edge

        checked = check_edge(kind)
        return self._do(lambda s: add(s, issue_id, target, checked, by=by, at=self.now()))

    def unlink(self, issue_id: str, target: str, kind: str | None = None, *, by: str) -> Link:
        """Take dependencies away."""
        from aicp.issues.link import remove

        return self._do(lambda s: remove(s, issue_id, target, kind, by=by, at=self.now()))

    def history(self, issue_id: str = "") -> list[dict[str, Any]]:
        """The audit trail of one issue or of all, oldest first."""
        return self.store.trail.read(issue_id)

    def _do(self, decide: Callable[[Snapshot], tuple[Any, Change]]) -> Any:
        result: list[Any] = []

        def both(snapshot: Snapshot) -> Change:
            answer, change = decide(snapshot)
            result[:] = [answer]
            return change

        self.store.commit(both)
        return result[0]
