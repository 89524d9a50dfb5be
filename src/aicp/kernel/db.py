"""The database door: a pool, and transactions that carry who is asking.

A transaction is opened by an edge (request, job, command) and by nobody below it. Its first round trip
sets the role and the claims for that transaction only, so pooled connections never leak a tenant.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool, PoolTimeout

from aicp.errors import BadInput, DatabaseDown

Connection = psycopg.Connection[tuple[object, ...]]
_Cursor = psycopg.Cursor[tuple[object, ...]]
NOBODY = UUID(int=0)  # acts where no person does: the system itself


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person of a tenant. Agents act as the mission's owner, under an agent's name."""

    tenant_id: UUID
    person_id: UUID
    roles: tuple[str, ...] = ()
    name: str = ""
    agent: str = ""

    @property
    def claims(self) -> str:
        return json.dumps(
            {
                "sub": str(self.person_id),
                "tenant_id": str(self.tenant_id),
                "roles": list(self.roles),
            }
        )


class Database:
    """A pool of connections of one login.

    Args:
        url: libpq connection string.
        size: most connections at once.
        name: shown as application_name.
        prepares: whether server-side prepared statements may be used; None looks whether a pooler is
            between, whose next transaction may run on another server connection.
        direct: a connection past such a pooler, for what lasts longer than a transaction.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        size: int = 10,
        prepares: bool | None = None,
        direct: str = "",
    ) -> None:
        self.url = url
        self.direct = direct or url
        self.pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            min_size=1,
            max_size=size,
            timeout=10,
            reconnect_timeout=2,  # then the next request tries at once, not after a growing pause
            kwargs={
                "autocommit": True,  # so that psycopg adds no begin: `_opening` has it
                "application_name": f"aicp:{name}",
                "connect_timeout": 5,
                "prepare_threshold": 5 if prepares is not False else None,
            },
            configure=_prepare_nothing_if_pooled if prepares is None else None,
            open=True,
        )

    @contextmanager
    def transaction(self, actor: Actor) -> Iterator[Connection]:
        """One transaction as this person: row security lets through their tenant only (TR-22).

        Raises:
            DatabaseDown: the database does not answer.
        """
        with self._open("authenticated", actor.claims) as conn:
            yield conn

    @contextmanager
    def batch(self, actor: Actor) -> Iterator[Connection]:
        """A transaction that only writes: its statements and its commit go out in one round trip.

        No answer can be read inside; what the database refuses is raised at the end, and nothing is kept.

        Raises:
            DatabaseDown: the database does not answer.
        """
        with self._open("authenticated", actor.claims) as conn, conn.pipeline():
            yield conn
            conn.commit()

    def look(self, actor: Actor, question: sql.SQL | sql.Composed) -> tuple[object, ...] | None:
        """The one row that a question gives to this person, in one round trip.

        Args:
            question: a statement that only reads, its values quoted in it.

        Raises:
            DatabaseDown: the database does not answer.
        """
        asked = sql.SQL("{}; {}; commit").format(_opening("authenticated", actor.claims), question)
        with self._connection(asked) as (_, answers):
            for _ in range(2):  # past the beginning and who is asking
                answers.nextset()
            return answers.fetchone()

    @contextmanager
    def service(self) -> Iterator[Connection]:
        """One transaction across tenants, for signing in, tenants themselves and the queue."""
        with self._open("service_role", "") as conn:
            yield conn

    @contextmanager
    def _open(self, role: str, claims: str) -> Iterator[Connection]:
        with self._connection(_opening(role, claims)) as (conn, _), conn:
            yield conn  # commits when the block ends well, else rolls back

    @contextmanager
    def _connection(self, opening: sql.SQL | sql.Composed) -> Iterator[tuple[Connection, _Cursor]]:
        """A connection of the pool and what its first statements answered."""
        try:
            conn, answers = self._begin(opening)
            try:
                yield conn, answers
            finally:
                self.pool.putconn(conn)
        except PoolTimeout:
            raise DatabaseDown(
                "the database gave no connection within 10 seconds",
                hint="run `aicp doctor`; the system resumes by itself once the database is back",
            ) from None
        except (psycopg.DataError, UnicodeEncodeError) as error:
            raise BadInput(
                f"the request holds a value that cannot be stored ({type(error).__name__})",
                hint="take out control characters and values that are out of range",
            ) from error
        except psycopg.OperationalError as error:
            raise DatabaseDown(
                f"the database connection broke ({type(error).__name__})",
                hint="run `aicp doctor`; the system resumes by itself once the database is back",
            ) from error

    def _begin(self, opening: sql.SQL | sql.Composed) -> tuple[Connection, _Cursor]:
        """A connection with its transaction begun; those that broke while they idled are dropped.

        At most as many can have broken as the pool holds; the one after them is fresh.
        """
        for _ in range(self.pool.max_size + 1):
            conn = self.pool.getconn()
            try:
                answers = conn.execute(opening)
            except BaseException as error:
                broke = isinstance(error, psycopg.OperationalError) and conn.broken
                self.pool.putconn(conn)
                if not broke:
                    raise
            else:
                return conn, answers
        raise psycopg.OperationalError("every connection broke as soon as it was made")

    @contextmanager
    def lease(self, name: str) -> Iterator[bool]:
        """Hold a name for as long as this process and its connection live; False when another holds it.

        A session lock on a connection of its own: a killed process loses it at once, a frozen one keeps
        it, so two never work under one name.

        Raises:
            DatabaseDown: the database does not answer.
            BadInput: only a pooler is known, which would give the lock to whoever comes next.
        """
        try:
            conn = psycopg.connect(
                self.direct, autocommit=True, connect_timeout=5, application_name="aicp:lease"
            )
        except psycopg.OperationalError as error:
            raise DatabaseDown("the database does not answer", hint="run `aicp doctor`") from error
        with conn:
            if self.direct == self.url and is_pooled(conn):
                raise BadInput(
                    "DATABASE_URL goes through a pooler, so a lease would not hold",
                    hint="set DATABASE_DIRECT_URL to the server itself, or to a pooler in session mode",
                )
            row = conn.execute(
                "select pg_try_advisory_lock(hashtextextended(%s, 0))", (name,)
            ).fetchone()
            yield bool(row and row[0])

    def close(self) -> None:
        self.pool.close()


def is_pooled(conn: psycopg.Connection[Any]) -> bool:
    """Whether a pooler is between: it makes up the process id that a client is told."""
    row = conn.execute("select pg_backend_pid()").fetchone()
    return row is None or row[0] != conn.info.backend_pid


def _prepare_nothing_if_pooled(conn: Connection) -> None:
    if is_pooled(conn):
        conn.prepare_threshold = None


@lru_cache(maxsize=4096)
def _opening(role: str, claims: str) -> sql.SQL:
    """The beginning of a transaction and who is asking, in one round trip.

    Only after `begin` do the settings hold for more than their own statement, and never for longer
    than the transaction. The pool ends it: commit when the block ends well, else rollback.
    """
    opening = sql.SQL(
        "begin; select set_config('role', {}, true), set_config('request.jwt.claims', {}, true)"
    ).format(role, claims)
    return sql.SQL(opening.as_string(None))  # type: ignore[arg-type]  # our literals, quoted above
