"""The file as lines: read all of it or none of it, and name what is wrong with its line numbers."""

from __future__ import annotations

from _operator import lt

from aicp.issues.errors import Conflict, Damaged, IssueError
from aicp.issues.jsontext import loads
from aicp.issues.model import Issue, issue_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from aicp.issues.source import Source

MARKERS = (b"<<<<<<<", b"|||||||", b"=======", b">>>>>>>")
_HEAD = b'{"id":"'


class Problem:
    """One thing wrong with the file: `kind` is marker, truncated, foreign or duplicate."""

    __slots__ = ("kind", "line", "text")

    def __init__(self, kind: str, line: int, text: str) -> None:
        self.kind, self.line, self.text = kind, line, text


class Parsed:
    """Every issue with the offset of its line; `others` are lines that are not issues, kept.

    `plain` says that the file is just as we write it: each line starts with its id, ids ascend,
    every line ends with one newline. Only such a file can be searched and spliced.
    """

    __slots__ = ("issues", "offsets", "others", "plain", "problems")

    def __init__(self) -> None:
        self.issues: list[Issue] = []
        self.offsets: list[int] = []
        self.others: list[bytes] = []
        self.problems: list[Problem] = []
        self.plain = True


def parse(data: bytes) -> Parsed:
    """Take the file apart; `problems` is empty when it can be trusted."""
    out = Parsed()
    at = 0
    for number, line in enumerate(data.split(b"\n"), 1):
        size = min(len(line) + 1, len(data) - at)
        if size:
            _take(out, line, number, at, size)
        at += len(line) + 1
    out.plain = out.plain and (not data or data.endswith(b"\n")) and _ascending(out.issues)
    _find_duplicates(out, data)
    return out


def _take(out: Parsed, line: bytes, number: int, at: int, size: int) -> None:
    if not line.strip():
        out.plain = False
        return
    if line.startswith(MARKERS):
        out.problems.append(Problem("marker", number, line[:40].decode("utf-8", "replace")))
        return
    try:
        record = loads(line.decode("utf-8"))
        _place(out, line, record, at, size)
    except ValueError as error:
        last = size == len(line)  # no newline after it: the file ends in the middle of a write
        out.problems.append(Problem("truncated" if last else "foreign", number, str(error)))


def _place(out: Parsed, line: bytes, record: Any, at: int, size: int) -> None:
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one error for a bad line
    if record.get("_type", "issue") != "issue":
        out.others.append(line)
        out.plain = False
        return
    if not isinstance(record.get("id"), str) or not record["id"]:
        raise ValueError("no id: this is not an issue")
    out.issues.append(issue_of(record, size))
    out.offsets.append(at)
    out.plain = out.plain and is_plain(line, record["id"])


def is_plain(line: bytes, issue_id: str) -> bool:
    """The line starts with its id, spelled without escapes, and ends like a line of ours."""
    return line.startswith(_HEAD + issue_id.encode() + b'"') and line.rstrip(b"\n").endswith(b"}")


def _ascending(issues: list[Issue]) -> bool:
    ids = [issue[0] for issue in issues]
    return all(map(lt, ids, ids[1:]))


def _find_duplicates(out: Parsed, data: bytes) -> None:
    if out.plain or len({issue[0] for issue in out.issues}) == len(out.issues):
        return
    first: dict[str, int] = {}
    for issue, at in zip(out.issues, out.offsets, strict=True):
        number = data.count(b"\n", 0, at) + 1
        if issue.id in first:
            text = f"{issue.id} is also on line {first[issue.id]}"
            out.problems.append(Problem("duplicate", number, text))
        first.setdefault(issue.id, number)


def verdict(name: str, data: bytes, problems: list[Problem]) -> IssueError:
    """The one error for a file that cannot be trusted."""
    kinds = {problem.kind for problem in problems}
    where = ", ".join(f"line {p.line} ({p.text})" for p in problems[:5])
    more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
    facts = {"problems": [{"kind": p.kind, "line": p.line, "text": p.text} for p in problems]}
    if "marker" in kinds:
        return Conflict(
            f"{name} has merge conflict markers: {where}{more}; nothing was read or written",
            hint="resolve them by hand, or let bd doctor --fix merge both sides field by field",
            **facts,
        )
    if data.startswith(b"SQLite format 3"):
        return Damaged(
            f"{name} is a SQLite database, not a list of issues",
            hint="export it with the tool that made it, then: bd import -i FILE",
        )
    if kinds == {"duplicate"}:
        return Conflict(
            f"{name} holds an id twice: {where}{more}; nothing was read or written",
            hint="bd doctor --fix makes one issue of each pair and loses no field",
            **facts,
        )
    what = "ends in the middle of an issue" if kinds == {"truncated"} else "is damaged"
    return Damaged(
        f"{name} {what}: {where}{more}; nothing was read or written",
        hint="bd doctor --fix repairs it from git and keeps the damaged file beside it",
        **facts,
    )


def seek(source: Source, issue_id: str) -> tuple[int, bytes]:
    """(start, line) of an issue in a plain file; b"" and where it belongs when it is not there."""
    key = issue_id.encode()
    low, high = 0, source.size
    while low < high:
        start, line = source.line_at((low + high) // 2)
        here = line[len(_HEAD) : line.find(b'"', len(_HEAD))]
        if here == key:
            return start, line
        low, high = (start + len(line), high) if here < key else (low, start)
    return low, b""
