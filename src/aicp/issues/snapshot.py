"""One state of the graph, whole and verified; reads from it never see a later write."""

from __future__ import annotations

from itertools import accumulate

from aicp.issues.errors import Conflict, NotFound
from aicp.issues.lines import seek
from aicp.issues.model import UNHEARD, Issue
from aicp.issues.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aicp.issues.graph import Graph
    from aicp.issues.source import Source

    Rows = tuple[list[Issue], list[int] | None]

_MANY = 200  # lines to show, from which on reading the whole file is faster


class Snapshot:
    """The bytes of the file, and its issues once somebody asks for them.

    A plain file is searched by id without looking at the rest of it, so that writing one issue
    costs the same for ten issues and ten thousand.
    """

    __slots__ = ("_graph", "_load", "_offsets", "_rows", "plain", "source")

    def __init__(self, source: Source, plain: bool, load: Callable[[], Rows]) -> None:
        self.source = source
        self.plain = plain
        self._load = load
        self._rows: list[Issue] | None = None
        self._offsets: dict[str, int] | None = None
        self._graph: Graph | None = None

    @property
    def data(self) -> bytes:
        """The whole file."""
        return self.source.data

    @property
    def issues(self) -> list[Issue]:
        """Every issue in the order of the file."""
        if self._rows is None:
            self._fill()
        return self._rows or []

    @property
    def graph(self) -> Graph:
        """The engine over these issues."""
        if self._graph is None:
            from aicp.issues.graph import Graph

            self._graph = Graph(self.issues)
        return self._graph

    def line(self, issue_id: str) -> bytes | None:
        """The line of an issue as stored, without its newline."""
        if self.plain:
            return seek(self.source, issue_id)[1][:-1] or None
        start = self.offsets.get(issue_id)
        if start is None:
            return None
        return self.data[start : start + self.graph.by_id[issue_id].size].rstrip(b"\r\n")

    @property
    def offsets(self) -> dict[str, int]:
        """Where each issue's line starts."""
        if self._offsets is None:
            self._fill()
        return self._offsets or {}

    def record(self, issue_id: str) -> Record:
        """An issue, ready to be edited; a unique beginning of an id is enough.

        Raises:
            NotFound: there is none, or it was deleted.
            Conflict: several ids begin like this.
        """
        line = self.line(issue_id)
        if line is None:
            line = self.line(self._complete(issue_id))
        record = Record((line or b"{}").decode())
        if record.get("status") in UNHEARD:
            raise NotFound(f"{issue_id} was deleted", hint=f"bring it back: bd restore {issue_id}")
        return record

    def find(self, issue_id: str) -> Issue:
        """The engine's view of an issue, by id or a unique beginning of it (errors: `record`)."""
        found = self.graph.by_id.get(issue_id) or self.graph.by_id[self._complete(issue_id)]
        if found.status in UNHEARD:
            raise NotFound(f"{issue_id} was deleted", hint=f"bring it back: bd restore {issue_id}")
        return found

    def stored(self, issue: Issue) -> bytes:
        """The line of an issue whose place is known, without what follows it."""
        start = self.offsets[issue.id]
        return self.source.part(start, start + issue.size).rstrip()

    def shown(self, issue: Issue, extra: str = "") -> bytes:
        """The issue as JSON for a reader: the stored line, what it leaves out, and `extra`."""
        line = self.stored(issue)
        return line[:-1] + (issue.tail + extra).encode() + b"}"

    def array(self, issues: Iterable[Issue]) -> bytes:
        """Issues as one JSON array, a line each."""
        issues = list(issues)
        if len(issues) > _MANY:
            self.source.data  # noqa: B018 - one read instead of thousands
        body = b",\n".join(self._shown_plainly(issues) if self.plain else map(self.shown, issues))
        return b"[\n" + body + b"\n]\n" if body else b"[]\n"

    def _shown_plainly(self, issues: Iterable[Issue]) -> list[bytes]:
        """`shown` for many lines that all end in `}` and one newline."""
        part, offsets = self.source.part, self.offsets
        ends: dict[str, bytes] = {}
        out = []
        for issue in issues:
            start = offsets[issue[0]]
            end = ends.get(issue[11]) or ends.setdefault(issue[11], issue[11].encode() + b"}")
            out.append(part(start, start + issue[12] - 2) + end)
        return out

    def _fill(self) -> None:
        self._rows, offsets = self._load()
        if offsets is None:
            offsets = list(accumulate((row[12] for row in self._rows), initial=0))
        self._offsets = dict(zip((row[0] for row in self._rows), offsets, strict=False))

    def _complete(self, start: str) -> str:
        """The one id that begins like this, or whose part after the dash does."""
        ids = [issue.id for issue in self.issues if _abbreviates(start, issue.id)]
        if len(ids) == 1:
            return ids[0]
        if ids:
            shown = ", ".join(ids[:5]) + (" …" if len(ids) > 5 else "")
            raise Conflict(f"{start} could be {shown}", hint="write more of the id", ids=ids[:50])
        raise NotFound(f"there is no issue {start}", hint="bd list shows them all")


def _abbreviates(start: str, issue_id: str) -> bool:
    """Three letters of a hash are enough; a number is never cut short: ops-1 is not ops-12."""
    tail = issue_id.rpartition("-")[2]
    wanted = start.rpartition("-")[2]
    same_prefix = "-" not in start or issue_id.startswith(start)
    return same_prefix and len(wanted) >= 3 and not tail.isdigit() and tail.startswith(wanted)
