"""Who holds the database's connections, and how the ones that block it are ended (RB-3).

Sessions of other logins, and those of backups, are counted and never touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg.rows import class_row

_OURS: LiteralString = (
    "a.usename = %s and a.datname = current_database() and a.backend_type = 'client backend'"
    " and a.pid <> pg_backend_pid() and a.application_name !~ '^pg_(dump|restore|basebackup)'"
)


@dataclass(frozen=True, slots=True)
class Use:
    """How full the server is: connections in use, of how many for ordinary logins."""

    used: int
    most: int
    waiting: int  # sessions that wait for a lock

    @property
    def percent(self) -> float:
        return round(100 * self.used / self.most, 1) if self.most else 100.0


@dataclass(frozen=True, slots=True)
class Session:
    """One session of our login.

    `seconds` counts from the begin of its transaction, or of its state when it has none; `blocks` is
    how many other sessions wait for it. Its query text is not among this: it may hold people's data.
    """

    pid: int
    name: str
    state: str
    seconds: float
    in_transaction: bool
    blocks: int


def use(conn: psycopg.Connection[Any]) -> Use:
    """The server's connections against its limit for logins without special rights."""
    row = conn.execute(
        # These two views show every login the same; pg_stat_activity hides other people's sessions.
        "select (select coalesce(sum(numbackends), 0)::int from pg_stat_database where datid <> 0),"
        " (select count(distinct pid)::int from pg_locks where not granted),"
        " current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
        " - coalesce(current_setting('reserved_connections', true), '0')::int"
    ).fetchone() or (0, 0, 0)
    return Use(used=row[0], most=row[2], waiting=row[1])


def sessions(conn: psycopg.Connection[Any], login: str) -> list[Session]:
    """The sessions of the product's login in this database, those that block others first, then the oldest.

    Args:
        conn: a connection of that login, or of one that may look at and end its sessions.
    """
    rows = conn.cursor(row_factory=class_row(Session)).execute(
        "select a.pid, coalesce(nullif(a.application_name, ''), '(no name)') as name,"
        " coalesce(a.state, 'other') as state,"
        " extract(epoch from clock_timestamp() - coalesce(a.xact_start, a.state_change, a.backend_start))::float8 as seconds,"
        " a.xact_start is not null as in_transaction,"
        " (select count(*)::int from pg_stat_activity w where a.pid = any (pg_blocking_pids(w.pid))) as blocks"
        " from pg_stat_activity a"
        f" where {_OURS} order by blocks desc, seconds desc",
        (login,),
    )
    return rows.fetchall()


def stuck(found: list[Session], *, older_than: float) -> list[Session]:
    """Those that hold a connection and do no good with it: a transaction open for too long.

    Listeners, leases and idle pooled connections have no transaction open, so they are never among them.
    """
    return [one for one in found if one.in_transaction and one.seconds >= older_than]


def end(conn: psycopg.Connection[Any], login: str, pid: int) -> bool:
    """End one session of the product's login; its transaction is rolled back. False when it is already gone."""
    row = conn.execute(
        f"select pg_terminate_backend(a.pid, 5000) from pg_stat_activity a where {_OURS} and a.pid = %s",
        (login, pid),
    ).fetchone()
    return bool(row and row[0])
