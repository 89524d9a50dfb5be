"""Take issues out as lines and take lines in; a line that goes through both keeps every byte."""

from __future__ import annotations

from aicp.issues.errors import Conflict
from aicp.issues.events import event
from aicp.issues.jsontext import loads
from aicp.issues.lines import Parsed, parse, verdict
from aicp.issues.merge import newest
from aicp.issues.model import UNHEARD, Issue
from aicp.issues.record import Record
from aicp.issues.store import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from aicp.issues.snapshot import Snapshot

# What every reader since the first release accepts; with one unknown type it refuses the file.
_COMPAT = ("bug", "feature", "task", "epic", "chore")


def export(snapshot: Snapshot, issues: Iterable[Issue] | None = None) -> bytes:
    """The chosen lines as they are stored, by id; without a choice, all lines of the file."""
    chosen = sorted(snapshot.issues if issues is None else issues, key=lambda i: i.id)
    others = parse(snapshot.data).others if issues is None and not snapshot.plain else []
    return b"".join(line + b"\n" for line in [*(_line(snapshot, i) for i in chosen), *others])


def export_compat(snapshot: Snapshot, issues: Iterable[Issue] | None = None) -> bytes:
    """Lines that any release of the original tool imports: an incident becomes a bug and
    any other type it does not know a task, with the label `type:…`; a missing description or
    priority is written out. Deleted ones stay behind, with the dependencies on them.
    """
    chosen = sorted(snapshot.issues if issues is None else issues, key=lambda i: i.id)
    gone = {issue.id for issue in snapshot.issues if issue.status in UNHEARD}
    records = (Record(_line(snapshot, issue).decode()) for issue in chosen if issue.id not in gone)
    return b"".join(_compat(record, gone).bytes() for record in records)


class Import:
    """What an import does: `changes` by line, and how many of each kind."""

    __slots__ = ("created", "others", "records", "skipped", "unchanged", "updated")

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.created: list[str] = []
        self.updated: list[str] = []
        self.skipped: list[str] = []
        self.unchanged = 0
        self.others = 0

    def as_dict(self) -> dict[str, object]:
        """The wire form; `skipped` are ids whose line here is newer, or was to be kept."""
        return {
            "created": len(self.created),
            "updated": len(self.updated),
            "unchanged": self.unchanged,
            "skipped": len(self.skipped),
            "skipped_ids": self.skipped[:100],
            "ignored_lines": self.others,
        }


def read(name: str, data: bytes) -> Parsed:
    """The lines to import, all of them sound.

    Raises:
        Damaged, Conflict: they are not; names the lines.
    """
    parsed = parse(data)
    if parsed.problems:
        raise verdict(name, data, parsed.problems)
    return parsed


def plan(
    snapshot: Snapshot,
    data: bytes,
    incoming: Parsed,
    *,
    skip_existing: bool = False,
    force: bool = False,
) -> Import:
    """Decide line by line: new ones come in, newer ones win, older ones are left out."""
    out = Import()
    out.others = len(incoming.others)
    here = {issue.id: issue for issue in snapshot.issues}
    for issue, at in zip(incoming.issues, incoming.offsets, strict=True):
        line = data[at : at + issue.size].rstrip()
        known = here.get(issue.id)
        if known is None:
            out.created.append(issue.id)
        elif snapshot.line(issue.id) == line:
            out.unchanged += 1
            continue
        elif skip_existing or (not force and issue.updated <= known.updated):
            out.skipped.append(issue.id)
            continue
        else:
            _same_issue(known, issue, force=force)
            out.updated.append(issue.id)
        record = Verbatim(issue.id, line, issue)
        out.records.append(record if known is None or force else _united(snapshot, record))
    return out


def change(found: Import, *, by: str, at: int) -> Change:
    """The write of an import: one event for all of it."""
    entry = event(at, by, "imported", "")
    entry.update({"created": len(found.created), "updated": len(found.updated)})
    return Change(found.records, [entry], trailing=True)


class Verbatim(Record):
    """A line that is passed on as it came."""

    __slots__ = ("_id", "_issue", "_line")

    def __init__(self, issue_id: str, line: bytes, issue: Issue) -> None:
        self._id, self._line, self._issue = issue_id, line, issue

    @property
    def id(self) -> str:
        return self._id

    def bytes(self) -> bytes:
        """The line, with one newline."""
        return self._line + b"\n"

    def issue(self) -> Issue:
        """The engine's view, with the size it has here."""
        return Issue((*self._issue[:-1], len(self._line) + 1))


def _united(snapshot: Snapshot, incoming: Verbatim) -> Record:
    """The newer fields, and every label, link and comment of both."""
    mine = Record((snapshot.line(incoming.id) or b"{}").decode())
    return newest([mine, Record(incoming.bytes().decode())])


def _same_issue(known: Issue, issue: Issue, *, force: bool) -> None:
    if known.created and issue.created and known.created != issue.created and not force:
        raise Conflict(
            f"{issue.id} is “{known.title}” here and “{issue.title}” in the import",
            hint="two issues have one id: change one of them, or take the other with --force",
        )


def _line(snapshot: Snapshot, issue: Issue) -> bytes:
    return snapshot.stored(issue)


def _compat(record: Record, gone: set[str]) -> Record:
    kind = record.get("issue_type", "task")
    if kind not in _COMPAT:
        record.set("issue_type", "bug" if kind == "incident" else "task")
        record.set("labels", sorted({*record.get("labels", []), f"type:{kind}"}))
    for key, value in (("description", ""), ("priority", 0), ("status", "open")):
        record.set(key, record.get(key, value))
    links = record.items("dependencies")
    kept = [text for text in links if loads(text)["depends_on_id"] not in gone]
    if kept != links:
        record.set_items("dependencies", kept)
    record.raw.pop("_type", None)
    return record
