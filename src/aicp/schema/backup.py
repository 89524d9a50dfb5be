"""A backup of the whole database, with a list of what it must contain (PC-4).

The dump and its list come from one snapshot of the database, so that a restored copy can be held
against the list row by row: `drill.py` does.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from aicp.errors import BadInput, UpstreamDown
from aicp.schema.apply import schema_sha256
from aicp.schema.diff import lasting
from aicp.schema.programs import run
from aicp.schema.snapshot import fingerprint, snapshot

NAME = re.compile(r"^aicp-\d{8}T\d{6}Z\.dump$")
MOST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Table:
    """How many rows a table holds, and one number made of them all, whatever their order."""

    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Backup:
    """One dump file and what it must contain; `tables` by schema-qualified name."""

    file: Path
    sha256: str
    size_bytes: int
    taken_at: str
    seconds: float
    schema_sha256: str
    fingerprint: str
    tables: dict[str, Table]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())


def back_up(owner_url: str, folder: Path, *, login: str, at: datetime) -> Backup:
    """Dump the database into a folder; file and list appear together, or not at all.

    Args:
        owner_url: a login that may read every row.
        login: the login the product runs as, for the fingerprint.

    Raises:
        UpstreamDown: the database or pg_dump fails, or the disk is full; nothing is left behind.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = folder / f"aicp-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}.dump"
    part = place.with_suffix(".part")
    try:
        made = _dump(owner_url, part, login)
        backup = replace(made, file=place, taken_at=at.astimezone(UTC).isoformat())
        _write(listing(place), json.dumps(asdict(backup) | {"file": place.name}, indent=1))
        part.rename(place)
        _sync(folder)
    except psycopg.OperationalError as error:
        raise UpstreamDown(
            f"the database broke off: {_first(error)}", hint="run it again"
        ) from error
    except OSError as error:
        raise UpstreamDown(
            f"the backup cannot be written: {error.strerror}", hint=f"free space in {folder}"
        ) from error
    finally:
        part.unlink(missing_ok=True)
        if not place.exists():
            listing(place).unlink(missing_ok=True)
    return backup


def _dump(owner_url: str, part: Path, login: str) -> Backup:
    started = time.monotonic()
    part.touch(mode=0o600)
    with psycopg.connect(owner_url, connect_timeout=5) as conn:
        conn.execute("set transaction isolation level repeatable read, read only")
        (shared,) = conn.execute("select pg_export_snapshot()").fetchone() or ("",)
        run(
            "pg_dump", owner_url, "--format=custom", f"--snapshot={shared}", f"--file={part}",
            seconds=MOST_SECONDS,
        )  # fmt: skip
        tables, schema = contents(conn), fingerprint(lasting(snapshot(conn, login=login)))
    with part.open("rb") as dumped:
        os.fsync(dumped.fileno())
        sha256 = file_digest(dumped, "sha256").hexdigest()
    return Backup(
        part, sha256, part.stat().st_size, "", round(time.monotonic() - started, 2), schema_sha256(),
        schema, tables,
    )  # fmt: skip


def contents(conn: psycopg.Connection[Any]) -> dict[str, Table]:
    """Rows and digest of every table outside the system's own schemas."""
    found = conn.execute(
        "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname !~ '^(pg_|information_schema)'"
        " order by 1, 2"
    ).fetchall()
    with conn.transaction():
        conn.execute(
            "select set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true),"
            " set_config('extra_float_digits', '1', true), set_config('search_path', '', true)"
        )
        return {f"{schema}.{name}": _content(conn, schema, name) for schema, name in found}


def _content(conn: psycopg.Connection[Any], schema: str, name: str) -> Table:
    question = sql.SQL(
        "select count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text from {} t"
    ).format(sql.Identifier(schema, name))
    rows, digest = conn.execute(question).fetchone() or (0, "0")
    return Table(rows, digest)


def backups(folder: Path) -> list[Path]:
    """The dump files of a folder that have their list beside them, oldest first."""
    there = folder.glob("aicp-*.dump") if folder.is_dir() else ()
    return sorted(p for p in there if NAME.match(p.name) and listing(p).exists())


def read(file: Path) -> Backup:
    """A backup by its dump file.

    Raises:
        BadInput: there is no such file, or its list is missing or damaged.
    """
    try:
        told = json.loads(listing(file).read_text(encoding="utf-8"))
        told["tables"] = {name: Table(**table) for name, table in told["tables"].items()}
        return Backup(**told | {"file": file})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{file} is no backup with its list beside it ({type(error).__name__})",
            hint="name a file that `aicp db backup` wrote, and keep its .json beside it",
        ) from None


def prune(folder: Path, keep: int) -> list[Path]:
    """Remove all but the newest backups; returns what went.

    Raises:
        BadInput: less than one was to be kept.
    """
    if keep < 1:
        raise BadInput("at least one backup is kept", hint="--keep 1 or more")
    return list(_removed(backups(folder)[:-keep]))


def _removed(files: list[Path]) -> Iterator[Path]:
    for file in files:
        file.unlink()
        listing(file).unlink()
        yield file


def listing(file: Path) -> Path:
    """Where the list of a dump file is."""
    return file.with_suffix(".json")


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    with path.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
