"""A CSV file as bytes with the place of each record, so that an edit touches one record only.

All functions are pure. Everything outside the touched record, its odd quoting, line ends and blank
lines included, stays byte for byte as it was.
"""

from __future__ import annotations

import csv
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, islice
from typing import Any

from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.kinds import kind_of
from aicp.toolkits.providers.local.rows import Clash

DELIMITERS = (",", ";", "\t", "|")
BOM = b"\xef\xbb\xbf"
_ID = re.compile(r"(^|[ _-])(id|uid|uuid|key|code|sku|nr|no|ref|number)$|^id|Id$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The parsed file. Record i is data[starts[i]:ends[i]], without its line end."""

    data: bytes
    encoding: str
    delimiter: str
    newline: bytes
    columns: tuple[str, ...]
    header_end: int
    starts: list[int]
    ends: list[int]
    records: list[list[str]]
    memo: dict[str, Any] = field(default_factory=dict, compare=False)

    def index(self, column: str) -> dict[str, int]:
        """Cell -> record number; shorter than the records when a cell comes twice."""
        known = self.memo.setdefault("index", {})
        if column not in known:
            at = self.columns.index(column)
            known[column] = {record[at]: i for i, record in enumerate(self.records)}
        return known[column]


def parse(data: bytes, name: str) -> Sheet:
    """Read the bytes of a CSV file.

    Raises:
        ProviderError: not a table; names the line and how to fix it.
    """
    _refuse_binary(data, name)
    encoding = _encoding(data)
    lines = data.splitlines(keepends=True)
    delimiter = _delimiter(lines, encoding)
    offsets = [0, *accumulate(map(len, lines))]
    records = _records(lines, encoding, delimiter, name)
    header = next(records, None)
    if header is None:
        raise ProviderError(f"{name} has no header line", hint="name the columns in line 1")
    columns = _columns(header[1], name)
    starts, ends, cells = [], [], []
    for first, found, last in records:
        if len(found) != len(columns):
            raise ProviderError(
                f"{name} line {first + 1} has {len(found)} cells, the header has {len(columns)}",
                hint="quote cells that hold the delimiter, or complete the line",
            )
        starts.append(offsets[first])
        ends.append(_trimmed(data, offsets[last]))
        cells.append(found)
    newline = b"\r\n" if lines[0].endswith(b"\r\n") else b"\n"
    if lines[0].endswith(b"\r"):
        newline = b"\r"
    end = _trimmed(data, offsets[header[2]])
    return Sheet(data, encoding, delimiter, newline, columns, end, starts, ends, cells)


def _refuse_binary(data: bytes, name: str) -> None:
    if not data.removeprefix(BOM).strip():
        raise ProviderError(f"{name} is empty", hint="write a header line with the column names")
    at = data.find(b"\0")
    if at >= 0:
        line = data.count(b"\n", 0, at) + 1
        raise ProviderError(
            f"{name} line {line} holds a NUL byte: this is not plain text",
            hint="save the table as CSV in UTF-8",
        )


def _encoding(data: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "latin-1"


def _delimiter(lines: list[bytes], encoding: str) -> str:
    """The mark that cuts the first records into the same number of cells, the more the better."""

    def score(mark: str) -> tuple[bool, int]:
        widths: list[int] = []
        try:
            for _, found, _ in islice(_records(lines, encoding, mark, ""), 50):
                widths.append(len(found))
        except ProviderError:
            return False, max(widths[:1], default=0)
        return len(set(widths)) == 1 and widths[0] > 1, max(widths[:1], default=0)

    return max(DELIMITERS, key=score)


def _records(
    lines: list[bytes], encoding: str, delimiter: str, name: str
) -> Iterator[tuple[int, list[str], int]]:
    """(first line, cells, line after the last) of each record; blank lines are passed over."""
    text = (line.decode(encoding) for line in _without_bom(lines))
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    first = 0
    try:
        for found in reader:
            if found:
                yield first, found, reader.line_num
            first = reader.line_num
    except csv.Error as error:
        raise ProviderError(
            f"{name} line {first + 1} cannot be read as CSV: {error}",
            hint='close every quote, and write a quote inside a quoted cell twice ("")',
        ) from None


def _without_bom(lines: list[bytes]) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        yield line if number else line.removeprefix(BOM)


def _columns(header: list[str], name: str) -> tuple[str, ...]:
    for number, column in enumerate(header, start=1):
        if not column.strip():
            raise ProviderError(
                f"{name} line 1: column {number} has no name", hint="name every column in line 1"
            )
        if header.index(column) != number - 1:
            raise ProviderError(
                f"{name} line 1 has the column '{column}' twice", hint="rename one of them"
            )
    data = [c for c in header if kind_of("", [c]).name not in {"text", "enum", "bool"}]
    if len(data) * 2 >= len(header):
        raise ProviderError(
            f"{name} line 1 looks like data ('{data[0][:60]}'), not like a header",
            hint="put a line with the column names first",
        )
    return tuple(header)


def _trimmed(data: bytes, end: int) -> int:
    """The end of a record without its line end."""
    return end - len(_line_end_before(data, end))


def _line_end_before(data: bytes, at: int) -> bytes:
    if data[max(0, at - 2) : at] == b"\r\n":
        return b"\r\n"
    last = data[max(0, at - 1) : at]
    return last if last in (b"\n", b"\r") else b""


def _line_end_after(data: bytes, at: int) -> bytes:
    if data[at : at + 2] == b"\r\n":
        return b"\r\n"
    return data[at : at + 1] if data[at : at + 1] in (b"\n", b"\r") else b""


def key_column(sheet: Sheet, name: str, wanted: str = "") -> str:
    """The column that names a row: unique and filled, one that looks like an id first.

    Raises:
        ProviderError: no column is unique, so no row could be named safely.
    """
    if wanted and wanted not in sheet.columns:
        raise ProviderError(f"{name} has no column '{wanted}'", hint="name another key column")
    candidates = [wanted] if wanted else sorted(sheet.columns, key=lambda c: not _ID.search(c))
    for column in candidates:
        if _unique(sheet, column):
            return column
    raise ProviderError(
        f"{name} has no column whose cells are all filled and different: "
        f"{_first_clash(sheet, candidates[0])}",
        hint="add an id column, or make one column unique",
    )


def _unique(sheet: Sheet, column: str) -> bool:
    index = sheet.index(column)
    return len(index) == len(sheet.records) and "" not in index


def _first_clash(sheet: Sheet, column: str) -> str:
    at, seen = sheet.columns.index(column), {}
    for i, record in enumerate(sheet.records):
        cell = record[at]
        if not cell or cell in seen:
            line = sheet.data.count(b"\n", 0, sheet.starts[i]) + 1
            why = f"'{cell[:60]}' comes again" if cell else "is empty"
            return f"in '{column}' the cell of line {line} {why}"
        seen[cell] = i
    return f"'{column}'"


def updated(sheet: Sheet, i: int, cells: dict[str, str]) -> Sheet:
    """Record i with some cells replaced; cells that keep their value keep their bytes."""
    old = sheet.records[i]
    parts = _raw_cells(sheet.data[sheet.starts[i] : sheet.ends[i]], sheet.delimiter.encode())
    new = list(old)
    for column, text in cells.items():
        at = sheet.columns.index(column)
        if text != old[at]:
            quoted = parts[at].startswith(b'"')
            parts[at], new[at] = _encoded(sheet, text, quoted=quoted), text
    return rewritten(sheet, i, sheet.delimiter.encode().join(parts), new)


def rewritten(sheet: Sheet, i: int, raw: bytes, cells: Sequence[str]) -> Sheet:
    """Record i with exactly these bytes."""
    start, end = sheet.starts[i], sheet.ends[i]
    shift = len(raw) - (end - start)
    keep = {c: x for c, x in sheet.memo.get("index", {}).items() if _cell_stays(sheet, i, c, cells)}
    return replace(
        sheet,
        data=sheet.data[:start] + raw + sheet.data[end:],
        starts=sheet.starts[: i + 1] + [at + shift for at in sheet.starts[i + 1 :]],
        ends=sheet.ends[:i] + [at + shift for at in sheet.ends[i:]],
        records=[*sheet.records[:i], list(cells), *sheet.records[i + 1 :]],
        memo={"index": keep},
    )


def _cell_stays(sheet: Sheet, i: int, column: str, cells: Sequence[str]) -> bool:
    at = sheet.columns.index(column)
    return sheet.records[i][at] == cells[at]


def added(sheet: Sheet, cells: Sequence[str]) -> Sheet:
    """A new last record, in the file's own style; a last line without an end stays one."""
    raw = sheet.delimiter.encode().join(_encoded(sheet, cell) for cell in cells)
    lead, tail = around(sheet, len(sheet.data), sheet.newline)
    return put_in(sheet, len(sheet.data), (lead, raw, tail), cells)


def around(sheet: Sheet, at: int, line_end: bytes) -> tuple[bytes, bytes]:
    """What a record placed there needs before and after it to be a line of its own."""
    return (b"", line_end) if _line_end_before(sheet.data, at) else (line_end, b"")


def put_in(sheet: Sheet, at: int, block: tuple[bytes, bytes, bytes], cells: Sequence[str]) -> Sheet:
    """A record (what leads it, its bytes, what ends it) placed at a byte offset."""
    lead, raw, tail = block
    i = bisect_left(sheet.starts, at)
    start, shift = at + len(lead), len(lead) + len(raw) + len(tail)
    return replace(
        sheet,
        data=sheet.data[:at] + lead + raw + tail + sheet.data[at:],
        starts=[*sheet.starts[:i], start, *(s + shift for s in sheet.starts[i:])],
        ends=[*sheet.ends[:i], start + len(raw), *(e + shift for e in sheet.ends[i:])],
        records=[*sheet.records[:i], list(cells), *sheet.records[i:]],
        memo={},
    )


def removed(sheet: Sheet, i: int) -> Sheet:
    """Without record i and the one line end that belongs to it."""
    start, end = cut(sheet, i)
    shift = end - start
    return replace(
        sheet,
        data=sheet.data[:start] + sheet.data[end:],
        starts=sheet.starts[:i] + [at - shift for at in sheet.starts[i + 1 :]],
        ends=sheet.ends[:i] + [at - shift for at in sheet.ends[i + 1 :]],
        records=sheet.records[:i] + sheet.records[i + 1 :],
        memo={},
    )


def cut(sheet: Sheet, i: int) -> tuple[int, int]:
    """The bytes that go with record i: a last line without an end takes the end before it."""
    start, end = sheet.starts[i], sheet.ends[i]
    after = _line_end_after(sheet.data, end)
    if after:
        return start, end + len(after)
    return start - len(_line_end_before(sheet.data, start)), end


def line_end_of(sheet: Sheet, i: int) -> bytes:
    return _line_end_after(sheet.data, sheet.ends[i])


def line_start_after(sheet: Sheet, i: int) -> int:
    """Where the line after record i starts; i = -1 is the header."""
    end = sheet.ends[i] if i >= 0 else sheet.header_end
    return end + len(_line_end_after(sheet.data, end))


def _raw_cells(raw: bytes, delimiter: bytes) -> list[bytes]:
    """The bytes of each cell of one record, quotes included."""
    parts, start, quoted = [], 0, False
    for at in range(len(raw)):
        byte = raw[at : at + 1]
        if byte == b'"' and (quoted or at == start):
            quoted = not quoted
        elif byte == b'"' and raw[at - 1 : at] == b'"' and raw[start : start + 1] == b'"':
            quoted = True  # the second of two quotes inside a quoted cell
        elif byte == delimiter and not quoted:
            parts.append(raw[start:at])
            start = at + 1
    return [*parts, raw[start:]]


def _encoded(sheet: Sheet, text: str, *, quoted: bool = False) -> bytes:
    if "\0" in text:
        raise Clash("a CSV cell cannot hold a NUL character", hint="leave it out")
    if quoted or any(mark in text for mark in (sheet.delimiter, '"', "\r", "\n")):
        text = '"' + text.replace('"', '""') + '"'
    try:
        return text.encode(sheet.encoding)
    except UnicodeEncodeError as error:
        raise Clash(
            f"'{text[error.start]}' cannot be written in the file's encoding ({sheet.encoding})",
            hint="save the file as UTF-8 first",
        ) from None
