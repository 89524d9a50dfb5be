"""A table in an SQLite file as a store of rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from aicp.kernel.canonical import sha256
from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.files import private_folder, stamp, unreadable
from aicp.toolkits.providers.local.rows import Clash, Row

BUSY = 5.0  # seconds to wait for somebody else's transaction


class SqliteStore:
    """One table of the file at `path`. Its primary key, one column, names the rows."""

    def __init__(self, path: Path, table: str, work_dir: Path) -> None:
        self._path, self._table, self._work_dir = path.resolve(), table, work_dir
        if stamp(path) is None:
            raise unreadable(path, FileNotFoundError())
        self.name = f"{self._path}#{table}"
        self.facts: Json = {"database": "sqlite"}
        with self.reading():  # a missing table or key is told now
            self.exact = self._triggers() == 0

    def _triggers(self) -> int:
        with self._connected() as base:
            found = base.execute(
                "select count(*) from sqlite_master where type = 'trigger'"
                " and tbl_name = ? collate nocase",
                (self._table,),
            )
            return found.fetchone()[0]

    @contextmanager
    def reading(self, key: str = "") -> Iterator[SqliteView]:  # noqa: ARG002, the key is the table's
        with self._transaction("begin", keep=False) as view:
            yield view

    @contextmanager
    def trial(self) -> Iterator[SqliteView]:
        with self._transaction("begin immediate", keep=False) as view:
            yield view

    @contextmanager
    def writing(self, key: str = "") -> Iterator[SqliteView]:  # noqa: ARG002, the key is the table's
        with self._transaction("begin immediate", keep=True) as view:
            yield view

    def content_hash(self) -> str:
        with self.reading() as view:
            lines = (f"{row.key!r} {row.version}\n" for row in view.rows())
            return sha256("".join([repr(view.columns), *lines]).encode())

    @contextmanager
    def copied(self) -> Iterator[SqliteStore]:
        with private_folder(self._work_dir) as folder:
            copy = folder / self._path.name
            with self._connected() as base, closing(sqlite3.connect(copy)) as twin:
                base.backup(twin)
            yield SqliteStore(copy, self._table, folder)

    @contextmanager
    def _transaction(self, begin: str, *, keep: bool) -> Iterator[SqliteView]:
        with self._connected() as base:
            base.execute(begin)
            yield SqliteView(base, self._table)
            base.execute("commit" if keep else "rollback")

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection that ends with the block; whatever was not committed is dropped."""
        address = self._path.as_uri() + "?mode=rw"
        try:
            with closing(
                sqlite3.connect(address, uri=True, isolation_level=None, timeout=BUSY)
            ) as base:
                base.execute("pragma foreign_keys = on")
                base.execute("pragma synchronous = full")
                yield base
        except sqlite3.IntegrityError as error:
            raise Clash(f"table {self._table} forbids it: {error}") from None
        except (sqlite3.Error, OverflowError) as error:
            raise ProviderError(
                f"{self._path.name}: {error}",
                hint="check the file and the table, or try again when nobody else writes",
                retryable="locked" in str(error),
            ) from None


class SqliteView:
    """The table inside one transaction."""

    def __init__(self, base: sqlite3.Connection, table: str) -> None:
        self._base, self._table = base, table
        found = base.execute("select name, pk, hidden from pragma_table_xinfo(?)", (table,))
        shape = found.fetchall()
        if not shape:
            raise ProviderError(f"there is no table '{table}'", hint=_tables(base))
        keys = [name for name, place, _ in shape if place]
        if len(keys) != 1:
            raise ProviderError(
                f"table {table} has no primary key of one column, so its rows cannot be named",
                hint="give it a primary key",
            )
        self.columns = tuple(name for name, _, hidden in shape if hidden in {0, 2, 3})
        self.key = keys[0]
        made = {name for name, _, hidden in shape if hidden in {2, 3}}
        self.writable = tuple(name for name in self.columns if name not in made)
        referred = {target for _, _, target in self._links()}
        self.fixed = frozenset({self.key} | made | referred)
        self.memo: dict[str, Any] = {}

    def rows(self) -> Sequence[Row]:
        found = self._base.execute(f"{self._select()} order by {quoted(self.key)}")
        return [self._row(cells) for cells in found]

    def get(self, key: str) -> Row | None:
        """The row whose key has this text, whether it is stored as a number or as text."""
        found = self._base.execute(
            f"{self._select()} where {quoted(self.key)} = ?1"
            f" or {quoted(self.key)} = cast(?1 as integer)",
            (key,),
        )
        return next((row for cells in found if (row := self._row(cells)).key == key), None)

    def image(self, key: str) -> Json:
        row = self.get(key)
        return {"values": row.values, "classes": row.classes} if row else {}

    def update(self, key: str, values: Json) -> None:
        names = list(values)
        sets = ", ".join(f"{quoted(name)} = ?" for name in names)
        self._write(
            f"update {quoted(self._table)} set {sets} where {self._is()}",
            [*values.values(), self._stored_key(key)],
        )

    def insert(self, values: Json) -> str:
        given = {name: value for name, value in values.items() if name in self.writable}
        names = ", ".join(quoted(name) for name in given)
        marks = ", ".join("?" for _ in given)
        found = self._base.execute(
            f"insert into {quoted(self._table)} ({names}) values ({marks})"
            f" returning {quoted(self.key)}",
            list(given.values()),
        ).fetchone()
        if found[0] is None:
            raise Clash(f"the new row needs a value for '{self.key}'", hint="give it one")
        return _text(found[0])[0] or ""

    def delete(self, key: str) -> None:
        self._refuse_referenced(key)
        self._write(
            f"delete from {quoted(self._table)} where {self._is()}",
            [self._stored_key(key)],
        )

    def put_back(self, key: str, image: Json) -> None:
        cells = zip(image["values"].items(), image["classes"], strict=True)
        values = {name: _value(text, kind) for (name, text), kind in cells}
        if self.get(key) is None:
            self.insert(values)
        else:
            self.update(key, {name: values[name] for name in self.writable if name != self.key})

    def _write(self, sql: str, values: list[Any]) -> None:
        self._base.execute(sql, values)

    def _select(self) -> str:
        columns = ", ".join(quoted(name) for name in self.columns)
        return f"select {columns} from {quoted(self._table)}"

    def _is(self) -> str:
        return f"{quoted(self.key)} = ?"

    def _stored_key(self, key: str) -> Any:
        row = self.get(key)
        if row is None:
            raise ProviderError(f"there is no row with {self.key} '{key[:80]}'")
        return _value(key, row.classes[self.columns.index(self.key)])

    def _row(self, cells: Sequence[Any]) -> Row:
        texts = [_text(cell) for cell in cells]
        values = {name: text for name, (text, _) in zip(self.columns, texts, strict=True)}
        return Row(values[self.key] or "", values, "".join(kind for _, kind in texts))

    def _links(self) -> list[tuple[str, str, str]]:
        """(table, column, our column) of every foreign key that refers to this table."""
        found = self._base.execute(
            'select m.name, f."from", coalesce(f."to", ?) from sqlite_master m'
            " join pragma_foreign_key_list(m.name) f"
            " where m.type = 'table' and f.\"table\" = ? collate nocase",
            (self.key, self._table),
        )
        return found.fetchall()

    def _refuse_referenced(self, key: str) -> None:
        """What the foreign key would do (cascade, set null) is more than one row's change."""
        for child, column, target in self._links():
            self._refuse_link(child, column, target, key)

    def _refuse_link(self, child: str, column: str, target: str, key: str) -> None:
        count = self._base.execute(
            f"select count(*) from {quoted(child)} where {quoted(column)} in"
            f" (select {quoted(target)} from {quoted(self._table)} where {self._is()})",
            (self._stored_key(key),),
        ).fetchone()[0]
        if count:
            raise Clash(
                f"{count} rows of {child} refer to row '{key[:80]}'", hint="change those rows first"
            )


def quoted(name: str) -> str:
    """An SQL identifier, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def _text(value: Any) -> tuple[str | None, str]:
    """A stored value as text, and its storage class in one letter."""
    if value is None:
        return None, "n"
    if isinstance(value, bytes):
        return value.hex(), "b"
    if isinstance(value, str):
        return value, "t"
    return repr(value), "i" if isinstance(value, int) else "r"


def _value(text: str | None, kind: str) -> Any:
    if text is None or kind == "n":
        return None
    return {"i": int, "r": float, "b": bytes.fromhex, "t": str}[kind](text)


def _tables(base: sqlite3.Connection) -> str:
    found = base.execute("select name from sqlite_master where type = 'table' order by name")
    return "its tables: " + ", ".join(name for (name,) in found)
