"""A table in PostgreSQL as a store of rows; every cell travels as the text of its type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, sql

from aicp.kernel.canonical import sha256
from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.csv_table import as_text
from aicp.toolkits.providers.local.rows import Clash, Row

# One text for one value, whoever asks: the settings that change how values are written.
_OPTIONS = (
    "-c timezone=UTC -c datestyle=ISO,YMD -c intervalstyle=iso_8601 -c extra_float_digits=1"
    " -c bytea_output=hex -c lock_timeout=5s -c statement_timeout=60s"
)
_SHAPE = """
select a.attname, a.attgenerated <> '', coalesce(a.attnum = any(i.indkey), false),
       coalesce(i.indnkeyatts, 0)
from pg_attribute a
left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""
_LINKS = """
select c.conrelid::regclass::text, n.nspname, r.relname,
       (select attname from pg_attribute
        where attrelid = c.conrelid and attnum = c.conkey[1]),
       (select attname from pg_attribute
        where attrelid = c.confrelid and attnum = c.confkey[1]),
       array(select attname from pg_attribute
             where attrelid = c.confrelid and attnum = any(c.confkey))
from pg_constraint c
join pg_class r on r.oid = c.conrelid
join pg_namespace n on n.oid = r.relnamespace
where c.contype = 'f' and c.confrelid = %s and c.conparentid = 0
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the catalogue says of the table."""

    oid: int
    columns: tuple[str, ...]
    key: str
    made: frozenset[str]  # columns the table computes
    referred: frozenset[str]  # columns that foreign keys of other tables refer to
    triggers: bool


class PostgresStore:
    """One table, `name` or `schema.name`. Its primary key, one column, names the rows."""

    def __init__(self, url: str, table: str) -> None:
        self._url = url
        self._parts = tuple(table.split(".", 1))
        self._table = sql.Identifier(*self._parts)
        self._base: psycopg.Connection[Any] | None = None
        self._rehearsed = False
        with self._guarded():
            self._shape = _shape(self._connection(), self._table, table)
        info = self._connection().info
        self.name = f"postgresql://{info.host}:{info.port}/{info.dbname}#{table}"
        self.facts: Json = {
            "database": "postgresql",
            "server": info.parameter_status("server_version"),
        }

    @property
    def exact(self) -> bool:
        """Triggers may do anything; without them a change is what it says."""
        return not self._shape.triggers

    @contextmanager
    def reading(self, key: str = "") -> Iterator[PostgresView]:  # noqa: ARG002, the key is the table's
        with self._guarded(), self._transaction(keep=False) as base:
            yield PostgresView(base, self._table, self._shape, lock=False)

    @contextmanager
    def trial(self) -> Iterator[PostgresView]:
        with self._guarded(), self._transaction(keep=False) as base:
            yield PostgresView(base, self._table, self._shape, lock=True)

    @contextmanager
    def writing(self, key: str = "") -> Iterator[PostgresView]:  # noqa: ARG002, the key is the table's
        with self._guarded(), self._transaction(keep=True) as base:
            yield PostgresView(base, self._table, self._shape, lock=True)

    def content_hash(self) -> str:
        with self.reading() as view:
            lines = (f"{row.key!r} {row.version}\n" for row in view.rows())
            return sha256("".join([repr(view.columns), *lines]).encode())

    @contextmanager
    def copied(self) -> Iterator[PostgresStore]:
        """The table itself inside one transaction that is never committed: others see nothing."""
        twin = PostgresStore(self._url, ".".join(self._parts))
        with twin._guarded(), closing_rollback(twin._connection()):
            twin._rehearsed = True
            yield twin

    def _connection(self) -> psycopg.Connection[Any]:
        if self._base is None or self._base.closed or self._base.broken:
            self._base = psycopg.connect(
                self._url, autocommit=True, connect_timeout=10, options=_OPTIONS
            )
        return self._base

    @contextmanager
    def _transaction(self, *, keep: bool) -> Iterator[psycopg.Connection[Any]]:
        base = self._begun()
        try:
            yield base
            base.execute("set constraints all immediate")  # deferred rules speak now, not later
        except BaseException:
            with suppress(psycopg.Error):
                base.execute(self._end(keep=False))
            raise
        self._finish(base, self._end(keep=keep))

    def _begun(self) -> psycopg.Connection[Any]:
        """An open transaction; the connection is renewed when the server went away meanwhile."""
        begin = b"savepoint step" if self._rehearsed else b"begin"
        base = self._connection()
        try:
            base.execute(begin)
        except psycopg.OperationalError:
            if self._rehearsed:
                raise
            base.close()
            base = self._connection()
            base.execute(begin)
        return base

    def _end(self, *, keep: bool) -> bytes:
        if self._rehearsed:
            return b"release savepoint step" if keep else b"rollback to savepoint step"
        return b"commit" if keep else b"rollback"

    def _finish(self, base: psycopg.Connection[Any], end: bytes) -> None:
        try:
            base.execute(end)
        except psycopg.OperationalError as error:
            raise ProviderError(
                f"PostgreSQL went away during {end.decode()}: {_words(error)}",
                hint="read the row back to see which it was",
                unknown=end == b"commit",
                retryable=end != b"commit",
            ) from None

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        table = ".".join(self._parts)
        try:
            yield
        except (errors.IntegrityError, errors.InvalidParameterValue) as error:
            raise Clash(f"table {table} forbids it: {_words(error)}") from None
        except errors.DataError as error:
            raise ProviderError(
                f"table {table}: {_words(error)}", hint="give a value of the column's type"
            ) from None
        except psycopg.OperationalError as error:
            raise ProviderError(
                f"PostgreSQL: {_words(error)}", hint="check the server and url", retryable=True
            ) from None
        except psycopg.Error as error:
            raise ProviderError(
                f"table {table}: {_words(error)}", hint="check the table and your rights to it"
            ) from None


@contextmanager
def closing_rollback(base: psycopg.Connection[Any]) -> Iterator[None]:
    """A transaction around the block that is always dropped, with its connection."""
    base.execute("begin")
    try:
        yield
    finally:
        with suppress(psycopg.Error):
            base.execute("rollback")
        base.close()


def _shape(base: psycopg.Connection[Any], table: sql.Identifier, name: str) -> Shape:
    oid = base.execute("select to_regclass(%s)::oid", (table.as_string(base),)).fetchone()
    if not oid or oid[0] is None:
        raise ProviderError(f"there is no table '{name}'", hint="name it as schema.table")
    found = base.execute(_SHAPE, oid).fetchall()
    keys = [column for column, _, is_key, _ in found if is_key]
    if len(keys) != 1 or found[0][3] > 1:
        raise ProviderError(
            f"table {name} has no primary key of one column, so its rows cannot be named",
            hint="give it a primary key",
        )
    triggers = base.execute(
        "select exists (select from pg_trigger where tgrelid = %s and not tgisinternal)"
        " or exists (select from pg_rewrite where ev_class = %s and ev_type <> '1')",
        (oid[0], oid[0]),
    ).fetchone()
    columns = tuple(column for column, *_ in found)
    made = frozenset(column for column, is_made, *_ in found if is_made)
    links = base.execute(_LINKS, oid).fetchall()
    referred = frozenset(column for *_, targets in links for column in targets)
    return Shape(oid[0], columns, keys[0], made, referred, bool(triggers and triggers[0]))


class PostgresView:
    """The table inside one transaction."""

    def __init__(
        self,
        base: psycopg.Connection[Any],
        table: sql.Identifier,
        shape: Shape,
        *,
        lock: bool,
    ) -> None:
        self._base, self._table, self._shape = base, table, shape
        self._lock = sql.SQL(" for update" if lock else "")
        self.columns, self.key = shape.columns, shape.key
        self.writable = tuple(name for name in shape.columns if name not in shape.made)
        self.fixed = frozenset({shape.key}) | shape.made | shape.referred
        self.memo: dict[str, Any] = {}

    def rows(self) -> Sequence[Row]:
        query = self._select() + sql.SQL(" order by {}").format(sql.Identifier(self.key))
        return [self._row(cells) for cells in self._base.execute(query)]

    def get(self, key: str) -> Row | None:
        found = self._base.execute(self._select() + self._where() + self._lock, (key,)).fetchone()
        row = self._row(found) if found else None
        return row if row and row.key == key else None

    def image(self, key: str) -> Json:
        row = self.get(key)
        return {"values": row.values} if row else {}

    def update(self, key: str, values: Json) -> None:
        sets = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(c)) for c in values)
        query = sql.SQL("update {} set ").format(self._table) + sets + self._where()
        self._base.execute(query, [*map(as_text, values.values()), key])

    def insert(self, values: Json) -> str:
        given = {name: as_text(v) for name, v in values.items() if name in self.writable}
        query = sql.SQL(
            "insert into {} ({}) overriding system value values ({}) returning {}::text"
        )
        found = self._base.execute(
            query.format(
                self._table,
                sql.SQL(", ").join(map(sql.Identifier, given)),
                sql.SQL(", ").join(sql.Placeholder() for _ in given),
                sql.Identifier(self.key),
            ),
            list(given.values()),
        ).fetchone()
        if found is None:
            raise Clash("the table took no row", hint="look at its rules and triggers")
        return found[0]

    def delete(self, key: str) -> None:
        self._refuse_referenced(key)
        self._base.execute(sql.SQL("delete from {}").format(self._table) + self._where(), (key,))

    def put_back(self, key: str, image: Json) -> None:
        values = {name: image["values"][name] for name in self.writable}
        row = self.get(key)
        if row is None:
            self.insert(values)
            return
        changed = {name: text for name, text in values.items() if text != row.values[name]}
        if changed:
            self.update(key, changed)

    def _select(self) -> sql.Composed:
        cells = sql.SQL(", ").join(
            sql.SQL("{}::text").format(sql.Identifier(c)) for c in self.columns
        )
        return sql.SQL("select ") + cells + sql.SQL(" from {}").format(self._table)

    def _where(self) -> sql.Composed:
        return sql.SQL(" where {} = %s").format(sql.Identifier(self.key))

    def _row(self, cells: Sequence[str | None]) -> Row:
        values = dict(zip(self.columns, cells, strict=True))
        return Row(values[self.key] or "", values)

    def _refuse_referenced(self, key: str) -> None:
        """What the foreign key would do (cascade, set null) is more than one row's change."""
        for child, schema, name, column, target, _ in self._base.execute(
            _LINKS, (self._shape.oid,)
        ):
            query = sql.SQL("select count(*) from {} where {} in (select {} from {}{})").format(
                sql.Identifier(schema, name),
                sql.Identifier(column),
                sql.Identifier(target),
                self._table,
                self._where(),
            )
            count = (self._base.execute(query, (key,)).fetchone() or (0,))[0]
            if count:
                raise Clash(
                    f"{count} rows of {child} refer to row '{key[:80]}'",
                    hint="change those rows first",
                )


def _words(error: psycopg.Error) -> str:
    """The server's own sentence, on one line, without the statement."""
    text = error.diag.message_primary or str(error)
    detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
    return " ".join((text + detail).split())[:300]
