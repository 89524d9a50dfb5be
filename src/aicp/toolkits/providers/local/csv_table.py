"""A CSV file as a store of rows."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aicp.kernel.canonical import sha256
from aicp.toolkits.model import Json
from aicp.toolkits.providers.local import csv_sheet as csv
from aicp.toolkits.providers.local.files import (
    Stamp,
    locked,
    private_folder,
    read_bytes,
    replace,
    stamp,
)
from aicp.toolkits.providers.local.rows import Clash, Row


class CsvStore:
    """The file at `path`; parsed once for each state it is in."""

    exact = True

    def __init__(self, path: Path, work_dir: Path, key: str = "") -> None:
        self._path = path.resolve()  # a link stays a link: the file behind it is replaced
        self._work_dir, self._key = work_dir, key
        self._seen: tuple[Stamp, csv.Sheet] | None = None
        self.name = str(self._path)
        self.facts: Json = {}

    @contextmanager
    def reading(self, key: str = "") -> Iterator[CsvView]:
        yield self._view(self._sheet(), key)

    trial = reading  # a view's edits live in memory until they are written

    @contextmanager
    def writing(self, key: str = "") -> Iterator[CsvView]:
        with locked(self._work_dir, self.name):
            sheet = self._sheet()
            view = self._view(sheet, key)
            yield view
            if view.sheet.data != sheet.data:
                seen = replace(self._path, view.sheet.data, self._seen[0] if self._seen else None)
                self._seen = (seen, view.sheet)

    def content_hash(self) -> str:
        return sha256(self._sheet().data)

    @contextmanager
    def copied(self) -> Iterator[CsvStore]:
        data = self._sheet().data
        with private_folder(self._work_dir) as folder:
            (folder / self._path.name).write_bytes(data)
            yield CsvStore(folder / self._path.name, folder, self._key)

    def _view(self, sheet: csv.Sheet, key: str) -> CsvView:
        return CsvView(sheet, csv.key_column(sheet, self._path.name, key or self._key))

    def _sheet(self) -> csv.Sheet:
        now = stamp(self._path)
        if self._seen is None or now is None or self._seen[0] != now:
            sheet = csv.parse(read_bytes(self._path), self._path.name)
            self._seen = (now or (0, 0, 0), sheet)
        return self._seen[1]


class CsvView:
    """A look at one state of the file; edits make the next state in memory."""

    def __init__(self, sheet: csv.Sheet, key: str) -> None:
        self.sheet, self.key = sheet, key
        self.columns = sheet.columns
        self.fixed = frozenset({key})

    @property
    def memo(self) -> dict[str, Any]:
        return self.sheet.memo

    def rows(self) -> Sequence[Row]:
        at = self.columns.index(self.key)
        return [Row(r[at], dict(zip(self.columns, r, strict=True))) for r in self.sheet.records]

    def get(self, key: str) -> Row | None:
        i = self._number(key)
        if i is None:
            return None
        return Row(key, dict(zip(self.columns, self.sheet.records[i], strict=True)))

    def image(self, key: str) -> Json:
        """The record's bytes, its cells, and where it stands: after which row, how far below."""
        i = self._number(key)
        assert i is not None, "only rows that are there have an image"  # noqa: S101
        sheet = self.sheet
        at, line = sheet.starts[i], csv.line_start_after(sheet, i - 1)
        return {
            "cells": sheet.records[i],
            "raw": _text(sheet.data[at : sheet.ends[i]]),
            "line_end": _text(csv.line_end_of(sheet, i)),
            "lead": _text(sheet.data[csv.cut(sheet, i)[0] : at]),
            "after": sheet.records[i - 1][self.columns.index(self.key)] if i else None,
            "gap": at - line,
        }

    def update(self, key: str, values: Json) -> None:
        i = self._number(key)
        if i is not None:
            cells = {column: as_text(value) or "" for column, value in values.items()}
            self.sheet = csv.updated(self.sheet, i, cells)

    def insert(self, values: Json) -> str:
        cells = {column: as_text(value) or "" for column, value in values.items()}
        key = cells.get(self.key) or self._next_key()
        if self._number(key) is not None:
            raise Clash(f"there is a row '{key}' already", hint="choose another key")
        cells[self.key] = key
        self.sheet = csv.added(self.sheet, [cells.get(column, "") for column in self.columns])
        return key

    def delete(self, key: str) -> None:
        i = self._number(key)
        if i is not None:
            self.sheet = csv.removed(self.sheet, i)

    def put_back(self, key: str, image: Json) -> None:
        i = self._number(key)
        raw = b64decode(image["raw"])
        if i is not None:
            self.sheet = csv.rewritten(self.sheet, i, raw, image["cells"])
            return
        previous = self._number(image["after"]) if image["after"] is not None else -1
        if previous is None:
            previous = len(self.sheet.records) - 1  # its neighbour is gone: the end is as good
        at, lead, tail = self._place(previous, image)
        self.sheet = csv.put_in(self.sheet, at, (lead, raw, tail), image["cells"])

    def _place(self, previous: int, image: Json) -> tuple[int, bytes, bytes]:
        """Where a deleted record goes, and what leads and ends it there."""
        line_end = b64decode(image["line_end"])
        if not line_end and previous == len(self.sheet.records) - 1:
            return len(self.sheet.data), b64decode(image["lead"]), b""  # the unended last line
        at = self._below(previous, image["gap"])
        return at, *csv.around(self.sheet, at, line_end or self.sheet.newline)

    def _below(self, previous: int, gap: int) -> int:
        """The same number of blank bytes below the neighbour, when they are still blank."""
        at = csv.line_start_after(self.sheet, previous)
        blank = not self.sheet.data[at : at + gap].strip(b"\r\n")
        return at + gap if blank and at + gap <= len(self.sheet.data) else at

    def _number(self, key: str) -> int | None:
        return self.sheet.index(self.key).get(key)

    def _next_key(self) -> str:
        keys = list(self.sheet.index(self.key))
        if keys and all(key.isascii() and key.isdigit() for key in keys):
            return str(max(map(int, keys)) + 1)
        raise Clash(
            f"the new row needs a value for '{self.key}', the column that names a row",
            hint=f"give '{self.key}' a value no other row has",
        )


def as_text(value: Any) -> str | None:
    """A JSON scalar as the text of a cell."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _text(data: bytes) -> str:
    return b64encode(data).decode()
