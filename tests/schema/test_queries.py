"""Every SQL text of the package is one the schema understands, and its rows fit their class (OP-3)."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from psycopg.pq import ExecStatus

from aicp.missions.store import _CHANGEABLE
from conftest import Cluster
from schema.queries import STATEMENT, Found, found, literals, numbered

FOUND = list(found())

# What is not prepared here, by function, and why. Both ways: what needs no exception must not have one.
EXCEPTIONS = {
    "kernel/db.py:_begin": "the beginning of a transaction, composed; tests/kernel/test_db.py runs it",
    "missions/agent.py:_call": "not SQL: a tool's execution",
    "missions/offered_play.py:_look": "not SQL: a tool's execution",
    "missions/plan.py:_rehearsed": "not SQL: a tool's execution",
    "trust/calls.py:perform": "not SQL: a tool's execution",
    "missions/store.py:change": "columns are named at run time; each is prepared below",
    "schema/apply.py:build": "the schema file itself",
    "schema/apply.py:_make_roles": "makes roles",
    "schema/apply.py:_make_queue": "makes the queue's schema",
    "kernel/pgbouncer.py:ask": "PgBouncer's own console, which speaks no SQL of ours",
    "telemetry/otlp/store.py:_copied": "COPY, whose columns tests/api/test_otlp.py fills",
    "telemetry/audit/spot.py:spot": "sets the time limit of its own transaction",
    "schema/backup.py:_dump": "sets how its transaction reads; tests/schema/test_backup.py runs it",
    "schema/backup.py:_content": "counts and hashes tables it is named at run time",
    "schema/drill.py:_beside": "makes a database",
    "schema/drill.py:_drop": "drops a database",
    "schema/lint.py:_broken": "the rules of lint.toml; tests/schema/test_lint.py runs each",
    "schema/lint.py:_with_extension": "makes an extension",
    "schema/shadow.py:_shadow": "makes a database",
    "schema/shadow.py:_sweep": "drops a database",
    "schema/shadow.py:_prototypes": "makes partitions",
    "schema/snapshot.py:snapshot": "catalog.sql; tests/schema/test_diff.py runs it",
}  # fmt: skip
# Files that speak to databases of missions, not to ours.
ELSEWHERE = (
    "toolkits/providers/local/postgres_table.py",
    "toolkits/providers/local/sqlite_table.py",
)


@pytest.fixture(scope="module")
def conn(cluster: Cluster) -> Iterator[psycopg.Connection]:
    name = cluster.clone()
    with psycopg.connect(cluster.owner_url(name), autocommit=True) as made:
        yield made
    cluster.drop(name)


def ours() -> list[Found]:
    return [one for one in FOUND if one.where.split(":")[0] not in ELSEWHERE]


def prepare(conn: psycopg.Connection, text: str) -> str:
    """What the server says against a statement, "" when nothing."""
    said = conn.pgconn.prepare(b"", numbered(text).encode())
    return "" if said.status == ExecStatus.COMMAND_OK else said.error_message.decode()


def test_every_statement_of_the_package_is_understood_by_the_schema(
    conn: psycopg.Connection,
) -> None:
    texts = [(one, text) for one in ours() for text in one.texts if STATEMENT.match(text)]
    assert len(texts) > 170
    wrong = {
        f"{one.where} line {one.line}": why for one, text in texts if (why := prepare(conn, text))
    }
    assert wrong == {}


def test_what_is_not_prepared_is_listed_with_its_reason_and_nothing_else_is() -> None:
    unread = {
        one.where for one in ours() if not one.texts or not all(map(STATEMENT.match, one.texts))
    }
    assert unread == EXCEPTIONS.keys()


def test_no_statement_hides_in_a_string_that_is_run_elsewhere() -> None:
    """A text that begins like SQL is part of a statement that was prepared."""
    known = "\n".join(text for one in ours() for text in one.texts)
    hidden = {
        (file, text[:60])
        for file, text in literals()
        if file not in ELSEWHERE and text not in known
    }
    assert {file for file, _ in hidden} == HIDDEN.keys(), hidden


HIDDEN = {
    "missions/store.py": "change: each of its columns is prepared below",
    "schema/backup.py": "counts and hashes tables it is named at run time",
    "schema/lint.py": "the words that every rule begins with; tests/schema/test_lint.py runs them",
    "schema/shadow.py": "makes a partition where the schema has a function for it; tests/schema/test_check.py runs it",
    "trust/stops.py": "asked in one round trip with its values in it; prepared below",
}


def test_what_is_composed_at_run_time_is_understood_too(conn: psycopg.Connection) -> None:
    for column in sorted(_CHANGEABLE):
        assert prepare(conn, f"update missions set {column} = %s where id = %s") == "", column
    assert prepare(conn, "select app.stop(%s, %s)") == ""


def test_a_statement_that_does_not_fit_is_refused(conn: psycopg.Connection) -> None:
    """The check can fail: a column, a table or a function that is not there."""
    for text in ("select nothing from missions", "select 1 from nowhere", "select app.none(%s)"):
        assert "does not exist" in prepare(conn, text)


# Rows and their classes ---------------------------------------------------------------------

ROWS = [one for one in FOUND if one.row_class is not None]
ACCEPTS: dict[type, set[str]] = {
    str: {"text", "varchar"}, int: {"int2", "int4", "int8"}, bool: {"bool"}, UUID: {"uuid"},
    float: {"float8", "numeric"}, Decimal: {"numeric"}, datetime: {"timestamptz"}, date: {"date", "timestamptz"},
}  # fmt: skip


def columns(conn: psycopg.Connection, text: str) -> dict[str, str]:
    """The result's columns and their types, without running anything."""
    assert prepare(conn, text) == ""
    told = conn.pgconn.describe_prepared(b"")
    names = {row[0]: row[1] for row in conn.execute("select oid, typname from pg_type").fetchall()}
    return {(told.fname(n) or b"").decode(): names[told.ftype(n)] for n in range(told.nfields)}


@pytest.mark.parametrize("one", ROWS, ids=[f"{one.where}:{one.line}" for one in ROWS])
def test_a_rows_columns_are_the_fields_of_its_class(conn: psycopg.Connection, one: Found) -> None:
    row = one.row_class
    assert row is not None
    assert is_dataclass(row)
    taken = inspect.signature(row).parameters
    needed = {name for name, p in taken.items() if p.default is inspect.Parameter.empty}
    for text in one.texts:
        given = columns(conn, text)
        assert needed <= given.keys() <= taken.keys()
        hints = typing.get_type_hints(row)
        assert {n: given[n] for n in given if not _fits(hints[n], given[n])} == {}


def _fits(hint: object, column: str) -> bool:
    """Whether a column's type is one that the class says; what says nothing of it fits."""
    members = typing.get_args(hint) if typing.get_origin(hint) in UNIONS else (hint,)
    return any(_is(member, column) for member in members)


UNIONS = (typing.Union, types.UnionType)


def _is(member: typing.Any, column: str) -> bool:
    if member is type(None):
        return False
    if typing.get_origin(member) in (list, tuple, dict):
        return column.startswith(("_", "json"))
    return member not in ACCEPTS or column in ACCEPTS[member]


def test_the_rows_that_were_found_are_all_there_are() -> None:
    assert len(ROWS) >= 20
    assert all(one.texts for one in ROWS)
    assert len({f.name for one in ROWS for f in fields(one.row_class)}) > 40  # type: ignore[arg-type]
