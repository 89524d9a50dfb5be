"""The schema as it should be: built from the one file, looked at, and thrown away again (OP-3)."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from aicp.schema.apply import ROLES, build
from aicp.schema.diff import PROTOTYPE, lasting
from aicp.schema.snapshot import Snapshot, snapshot

PREFIX = "aicp_shadow_"
LOCK = 0x61696371  # beside the one of apply.py


class NoShadow(Exception):
    """No shadow database can be made here, and why."""


def expected(owner_url: str, *, login: str) -> Snapshot:
    """What the schema file makes on this very server, with the roles as they are declared.

    It is built in a database of its own, in a transaction that is rolled back, so nothing of it stays.

    Raises:
        NoShadow: the login may not make databases, or a role of the product is missing.
        psycopg.OperationalError: the server does not answer.
    """
    try:
        with _shadow(owner_url) as conn:
            conn.execute(
                "select set_config('TimeZone', 'UTC', true)"
            )  # a day is a day of that zone
            build(conn, login)
            _prototypes(conn)
            found = lasting(snapshot(conn, login=login), prototype=True)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedObject) as error:
        raise NoShadow(str(error).splitlines()[0]) from None
    return declared(found, with_login="role: login" in found)


def declared(found: Snapshot, *, with_login: bool) -> Snapshot:
    """A snapshot with the roles as the product declares them: they are the whole server's, so a
    shadow on it could only show what they happen to be."""
    roles: Snapshot = {f"role: {name}": _role(options) for name, options in ROLES.items()}
    if with_login:
        roles["role: login"] = _role("login noinherit") | {
            "member_of": ["authenticated", "service_role"]
        }
    return {name: fields for name, fields in found.items() if not name.startswith("role: ")} | roles


def _role(options: str) -> dict[str, Any]:
    words = options.split()
    named = ("superuser", "bypassrls", "login", "createdb", "createrole", "replication")
    return {word: word in words for word in named} | {"inherit": "noinherit" not in words}


@contextmanager
def _shadow(owner_url: str) -> Iterator[psycopg.Connection[Any]]:
    name = f"{PREFIX}{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(owner_url, autocommit=True, connect_timeout=5) as admin:
        admin.execute("select pg_advisory_lock(%s)", (LOCK,))  # one at a time, until we leave
        _sweep(admin)
        admin.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        try:
            with psycopg.connect(make_conninfo(owner_url, dbname=name), connect_timeout=5) as conn:
                yield conn
                conn.rollback()
        finally:
            admin.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))


def _sweep(admin: psycopg.Connection[Any]) -> None:
    """Shadows of processes that were killed before they could clear up."""
    left = admin.execute(
        "select datname from pg_database d where starts_with(datname, %s) and datdba = current_user::regrole"
        " and not exists (select from pg_stat_activity a where a.datid = d.oid)",
        (PREFIX,),
    ).fetchall()
    for (name,) in left:
        admin.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))


def _prototypes(conn: psycopg.Connection[Any]) -> None:
    """One partition of each table that is partitioned by day, to hold those of a live database against.

    It is made as the product makes them: by `app.make_partition(regclass, date)` where there is one.
    """
    partitioned = conn.execute(
        "select n.nspname, c.relname from pg_partitioned_table p join pg_class c on c.oid = p.partrelid"
        " join pg_namespace n on n.oid = c.relnamespace where p.partstrat = 'r' and not c.relispartition"
    ).fetchall()
    maker = conn.execute("select to_regprocedure('app.make_partition(regclass, date)')").fetchone()
    for schema, table in partitioned:
        if maker != (None,):
            named = sql.Identifier(schema, table).as_string(conn)
            made = sql.SQL("select app.make_partition({}, '2000-01-01')").format(named)
            conn.execute(made)
            continue
        conn.execute(
            sql.SQL(
                "create table {} partition of {} for values from ('2000-01-01') to ('2000-01-02')"
            ).format(sql.Identifier(schema, f"{table}_{PROTOTYPE}"), sql.Identifier(schema, table))
        )
