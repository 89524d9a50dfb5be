"""Which database a command means, and how it tells every tenant what it found there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aicp.cli.edge import say
from aicp.errors import AicpError, BadInput, NotFound, UpstreamDown
from aicp.settings import Settings

if TYPE_CHECKING:
    from psycopg import Connection

    from aicp.telemetry.record import Status


@dataclass(frozen=True, slots=True)
class Target:
    """A database to look at: as its owner, as the product, and what to call it.

    Args:
        login: the login that was made for the product.
        runs_as: the login the product really signs in as: another one where only DATABASE_URL is set.
    """

    owner_url: str
    url: str
    login: str
    runs_as: str
    name: str


@contextmanager
def target(settings: Settings) -> Iterator[Target]:
    """DATABASE_URL, or the embedded server of the data folder, started for a moment if need be.

    Raises:
        NotFound: there is no database yet.
    """
    from aicp.kernel import postgres
    from aicp.schema.apply import LOGIN

    owner = settings.owner_database_url or settings.database_url
    if owner:
        login = url_parts(settings.database_url).get("user", "")
        apart = login and login != url_parts(owner).get("user")
        made = login if apart else LOGIN
        yield Target(owner, settings.database_url or owner, made, login or made, place(owner))
        return
    if not (settings.data_dir / "postgres.json").exists():
        raise NotFound(f"there is no database in {settings.data_dir} yet", hint="run `aicp up`")
    ran = postgres.running(settings.data_dir) is not None
    cluster = postgres.start(settings.data_dir)
    try:
        yield Target(
            cluster.owner_url,
            cluster.url,
            LOGIN,
            LOGIN,
            f"the embedded server of {settings.data_dir}",
        )
    finally:
        if not ran:
            postgres.stop(settings.data_dir)


@contextmanager
def connected(
    where: Target, *, name: str = "cli", autocommit: bool = False
) -> Iterator[Connection[Any]]:
    """A connection as the owner; on the embedded server some are kept back for it when all are taken.

    Raises:
        UpstreamDown: the database takes no connection.
    """
    import psycopg

    try:
        conn = psycopg.connect(
            where.owner_url,
            autocommit=autocommit,
            connect_timeout=5,
            application_name=f"aicp:{name}",
        )
    except psycopg.OperationalError as error:
        raise UpstreamDown(
            f"the database takes no connection: {str(error).strip().splitlines()[-1]}",
            hint="start it, check DATABASE_URL, or set AICP_OWNER_DATABASE_URL to a login with reserved connections",
        ) from error
    with conn:
        yield conn


def tell_everybody(
    where: Target,
    settings: Settings,
    event_type: str,
    context: dict[str, Any],
    *,
    status: Status = "error",
) -> None:
    """Record an event of the whole system in every tenant; when that cannot be, it is said."""
    from psycopg import Error

    from aicp.kernel.clock import system_clock
    from aicp.kernel.db import Database
    from aicp.people.tenants import every_tenant
    from aicp.telemetry.logs import configure
    from aicp.telemetry.record import record

    configure("cli", env=settings.env, level="WARNING")  # the event's log line is not our output
    db = Database(where.url, name="cli", size=1)
    try:
        for conn, actor in every_tenant(db):
            record(conn, actor, event_type, context, at=system_clock(), status=status)
    except (AicpError, Error) as error:
        say(f"the event {event_type} could not be recorded: {str(error).splitlines()[0]}")
    finally:
        db.close()


def place(url: str) -> str:
    """Host, port and database of a URL or a libpq string; never its login or password."""
    parts = url_parts(url)
    port = f":{parts['port']}" if "port" in parts else ""
    return f"{parts.get('host') or 'local socket'}{port}/{parts.get('dbname', '')}"


def url_parts(url: str) -> dict[str, str]:
    """What libpq reads out of a URL or a `host=… dbname=…` string.

    Raises:
        BadInput: it is neither.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        return {
            name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None
        }
    except ProgrammingError:
        raise BadInput(
            "DATABASE_URL is not a PostgreSQL URL",
            hint="write postgresql://login@host:5432/database",
        ) from None
