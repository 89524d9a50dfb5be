"""What a database is made of, from its own catalog, as values that can be compared and hashed (OP-3)."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from aicp.kernel.canonical import digest

Snapshot = dict[str, dict[str, Any]]  # "policy: public.missions.missions_read" -> its fields

# Schemas that Supabase makes and keeps; ours beside them are app, public and queue.
PLATFORM = (
    "_analytics", "_realtime", "_supavisor", "auth", "cron", "extensions", "graphql", "graphql_public",
    "net", "pgbouncer", "pgmq", "pgsodium", "pgsodium_masks", "realtime", "storage",
    "supabase_functions", "supabase_migrations", "vault",
)  # fmt: skip


def snapshot(conn: psycopg.Connection[Any], *, login: str = "", platform: bool = False) -> Snapshot:
    """Every object of the connected database, by kind and name, and the roles the product names.

    Reads the catalog only, so any login will do. A kind that is not modelled is listed as
    `unmanaged <kind>`: there, but not looked into.

    Args:
        login: the login the product runs as; it is called `login`, whatever its name.
        platform: leave out what Supabase itself keeps: its schemas and their defaults.
    """
    # Rolled back, so that the settings do not outlive the question in the caller's transaction.
    with conn.transaction(force_rollback=True), conn.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "select set_config('search_path', '', true), set_config('TimeZone', 'UTC', true),"
            " set_config('aicp.login', %s, true), set_config('aicp.ignored', %s, true)",
            (login, ",".join(PLATFORM) if platform else ""),
        )
        return dict(cursor.execute(_query(), prepare=False).fetchall())


def without_platform(found: Snapshot) -> Snapshot:
    """Without what Supabase decides: who may use the schema public, its extensions and publications."""
    theirs = ("extension: ", "publication: ")
    return {
        key: fields
        for key, fields in found.items()
        if key != "schema: public" and not key.startswith(theirs)
    }


def kind_and_name(key: str) -> tuple[str, str]:
    """The two parts of a snapshot's key."""
    kind, _, name = key.partition(": ")
    return kind, name


def is_platform(conn: psycopg.Connection[Any]) -> bool:
    """Whether this is a Supabase database: its administrator and its schema of accounts are there."""
    row = conn.execute(
        "select to_regrole('supabase_admin') is not null and to_regnamespace('auth') is not null"
    ).fetchone()
    return bool(row and row[0])


def fingerprint(found: Snapshot) -> str:
    """One hash for a schema: equal exactly when the snapshots are (SHA-256, RFC 8785)."""
    return digest(found)


@cache
def _query() -> Any:
    return (files("aicp.schema") / "catalog.sql").read_text(encoding="utf-8")
