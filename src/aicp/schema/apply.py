"""Apply the one schema file, once; a database built from another file is refused (OP-3)."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from procrastinate.schema import SchemaManager
from psycopg import sql

from aicp.errors import Conflict, UpstreamDown
from aicp.schema.diff import lasting
from aicp.schema.snapshot import fingerprint, is_platform, snapshot, without_platform

LOGIN = "aicp_app"
ROLES: dict[str, LiteralString] = {
    "anon": "nologin noinherit",
    "authenticated": "nologin noinherit",
    "service_role": "nologin noinherit bypassrls",
}
LOCK = 0x61696370  # "aicp": two appliers wait for one another


def schema_sql() -> str:
    """The schema file's text: from the wheel, or from the repository when run in place."""
    packaged = files("aicp.schema") / "0001_init.sql"
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[3] / "supabase/migrations/0001_init.sql").read_text("utf-8")


def schema_sha256() -> str:
    return sha256(schema_sql().encode()).hexdigest()


def apply(owner_url: str, *, login: str = LOGIN, password: str | None = None) -> bool:
    """Make roles, queue and schema. Returns False when this very schema is already there.

    Args:
        owner_url: a login that may create roles and schemas.
        login: the login the product runs as; made with `password` when that is given.

    Raises:
        Conflict: the database was built from another schema file.
        UpstreamDown: the database does not answer or lacks a right.
    """
    try:
        with psycopg.connect(owner_url, connect_timeout=5) as conn:
            conn.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
            if _current(conn):
                return False
            _make_roles(conn, login, password)
            build(conn, login)
            conn.execute(
                "insert into app.meta (schema_sha256, login, fingerprint) values (%s, %s, %s)",
                (schema_sha256(), login, fingerprint_of(conn, login)),
            )
    except psycopg.Error as error:
        what = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UpstreamDown(
            f"the schema could not be applied: {what}",
            hint="check DATABASE_URL, and that its login may create roles and schemas (AICP_OWNER_DATABASE_URL)",
        ) from error
    return True


def build(conn: psycopg.Connection[Any], login: str) -> None:
    """Make queue and schema, once the roles are there."""
    _make_queue(conn, login)
    conn.execute(schema_sql())  # type: ignore[arg-type]  # our own file, many statements


def fingerprint_of(conn: psycopg.Connection[Any], login: str) -> str:
    """The fingerprint of a database's schema: what lasts of it, without what a platform keeps."""
    platform = is_platform(conn)
    found = lasting(snapshot(conn, login=login, platform=platform))
    return fingerprint(without_platform(found) if platform else found)


def applied(url: str) -> bool:
    """Whether this very schema is there, as the product's own login sees it; owner rights are not needed.

    Raises:
        Conflict: the database was built from another schema file.
        UpstreamDown: the database does not answer.
    """
    try:
        with psycopg.connect(url, connect_timeout=5) as conn:
            conn.execute("select set_config('role', 'service_role', true)")  # not past a pooler
            return _current(conn)
    except psycopg.OperationalError as error:
        raise UpstreamDown("the database does not answer", hint="check DATABASE_URL") from error
    except psycopg.Error:  # no such role, or no right: nothing was applied for this login
        return False


def _current(conn: psycopg.Connection) -> bool:
    if conn.execute("select to_regclass('app.meta')").fetchone() == (None,):
        return False
    row = conn.execute("select schema_sha256 from app.meta").fetchone()
    if row and row[0] == schema_sha256():
        return True
    raise Conflict(
        "this database was built from another schema file",
        hint="run the matching version, or start with an empty database; no ad hoc migrations (OP-3)",
        code="schema_drift",
    )


def _make_roles(conn: psycopg.Connection, login: str, password: str | None) -> None:
    present = {row[0] for row in conn.execute("select rolname from pg_roles")}
    for role, attributes in ROLES.items():
        if role not in present:
            conn.execute(sql.SQL("create role {} " + attributes).format(sql.Identifier(role)))
    if password is not None and login not in present:
        conn.execute(
            sql.SQL("create role {} login noinherit password {}").format(
                sql.Identifier(login), sql.Literal(password)
            )
        )
    runner = login if password is not None else _me(conn)
    if not _is_superuser(conn, runner):
        conn.execute(
            sql.SQL("grant authenticated, service_role to {}").format(sql.Identifier(runner))
        )


def _make_queue(conn: psycopg.Connection, login: str) -> None:
    """The queue's own tables in their own schema; it is the library's, not part of the migration."""
    conn.execute("create schema queue")
    conn.execute("set local search_path = queue")
    conn.execute(SchemaManager.get_schema())  # type: ignore[arg-type]  # the library's own file
    conn.execute("set local search_path = public")
    if conn.execute("select 1 from pg_roles where rolname = %s", (login,)).fetchone():
        runner = sql.Identifier(login)
        for statement in (
            "grant usage on schema queue to {}",
            "grant all on all tables in schema queue to {}",
            "grant all on all sequences in schema queue to {}",
            "grant execute on all functions in schema queue to {}",
        ):
            conn.execute(sql.SQL(statement).format(runner))


def _me(conn: psycopg.Connection) -> str:
    row = conn.execute("select current_user").fetchone()
    return str(row[0]) if row else ""


def _is_superuser(conn: psycopg.Connection, role: str) -> bool:
    row = conn.execute("select rolsuper from pg_roles where rolname = %s", (role,)).fetchone()
    return bool(row and row[0])
