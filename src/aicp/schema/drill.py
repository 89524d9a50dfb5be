"""A backup is worth what its restore is worth: restore it beside the database and hold it to its list."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import file_digest
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from aicp.errors import Conflict, UpstreamDown
from aicp.schema.backup import MOST_SECONDS, Backup, Table, contents
from aicp.schema.diff import lasting
from aicp.schema.programs import run
from aicp.schema.snapshot import fingerprint, snapshot

PREFIX = "aicp_drill_"
LOCK = 0x6472696C  # "dril": one drill at a time on a server


@dataclass(frozen=True, slots=True)
class Drill:
    """What a restored copy showed. `problems` is empty when it equals the database that was backed up."""

    backup: Backup
    seconds: float
    problems: list[str] = field(default_factory=list)


def drill(owner_url: str, backup: Backup, *, login: str) -> Drill:
    """Restore a backup into a database of its own, compare it with its list, and drop it again.

    Args:
        owner_url: a login that may make databases.
        login: the login the product runs as, for the fingerprint.

    Raises:
        UpstreamDown: the server does not answer, or no database may be made there.
    """
    started = time.monotonic()
    problems = changed_file(backup)
    if not problems:
        try:
            with _beside(owner_url) as url:
                problems = _restore(url, backup, login)
        except psycopg.Error as error:
            raise UpstreamDown(
                f"no database for the drill: {str(error).strip().splitlines()[0]}",
                hint="use a login that may create databases (AICP_OWNER_DATABASE_URL)",
            ) from error
    return Drill(backup, round(time.monotonic() - started, 2), problems)


def _restore(url: str, backup: Backup, login: str) -> list[str]:
    try:
        name = conninfo_to_dict(url)["dbname"]
        run(
            "pg_restore",
            url,
            "--exit-on-error",
            f"--dbname={name}",
            str(backup.file),
            seconds=MOST_SECONDS,
        )
    except UpstreamDown as error:
        return [error.message]
    with psycopg.connect(url, connect_timeout=5) as conn:
        schema, found = fingerprint(lasting(snapshot(conn, login=login))), contents(conn)
    other = [] if schema == backup.fingerprint else ["the restored schema has another fingerprint"]
    return other + compare(backup.tables, found)


def changed_file(backup: Backup) -> list[str]:
    """Whether the dump file is the one that was written."""
    try:
        with backup.file.open("rb") as dumped:
            same = file_digest(dumped, "sha256").hexdigest() == backup.sha256
    except OSError as error:
        return [f"{backup.file.name} cannot be read: {error.strerror}"]
    return (
        [] if same else [f"{backup.file.name} is not the file that was written: its hash differs"]
    )


def compare(wanted: dict[str, Table], found: dict[str, Table]) -> list[str]:
    """One sentence a table that is missing, too many, or holds other rows."""
    told = [f"{name} is missing" for name in sorted(wanted.keys() - found.keys())]
    told += [f"{name} was not in the backup" for name in sorted(found.keys() - wanted.keys())]
    for name in sorted(wanted.keys() & found.keys()):
        before, after = wanted[name], found[name]
        if before.rows != after.rows:
            told.append(f"{name} has {after.rows} rows instead of {before.rows}")
        elif before != after:
            told.append(f"{name} has {after.rows} rows, but not the same ones")
    return told


@contextmanager
def _beside(owner_url: str) -> Iterator[str]:
    """An empty database on the same server, gone afterwards; what a killed drill left goes first.

    Raises:
        Conflict: another drill is under way.
    """
    name = f"{PREFIX}{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(owner_url, autocommit=True, connect_timeout=5) as admin:
        if admin.execute("select pg_try_advisory_lock(%s)", (LOCK,)).fetchone() != (True,):
            raise Conflict("another restore drill is under way", hint="wait for it to end")
        left = admin.execute(
            "select datname from pg_database where starts_with(datname, %s) and pg_has_role(datdba, 'usage')",
            (PREFIX,),
        ).fetchall()
        for (old,) in left:
            _drop(admin, str(old))
        admin.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        try:
            yield make_conninfo(owner_url, dbname=name)
        finally:
            _drop(admin, name)


def _drop(admin: psycopg.Connection[Any], name: str) -> None:
    admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
