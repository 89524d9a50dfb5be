"""db pool: who holds the database's connections, and setting free those that are stuck (RB-3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from aicp.cli.database import connected, target, tell_everybody
from aicp.cli.edge import Here, asks, json_option, lines, look, pass_here, put, say, suggest
from aicp.cli.render import Look, clean, fields, table
from aicp.errors import BadInput
from aicp.settings import from_env

if TYPE_CHECKING:
    from aicp.kernel.sessions import Session

FULL = 80.0  # percent; from here on the pool counts as exhausted (RB-3: utilisation < 80 %)


@click.command()
@click.option("--clear", is_flag=True, help="End the sessions that are stuck in a transaction.")
@click.option("--older-than", type=float, default=60.0, show_default=True, metavar="SECONDS",
              help="A transaction open for longer is stuck.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="With --clear: say which, and end none.")
@click.option("--yes", is_flag=True, help="With --clear: do not ask.")
@click.option("--pgbouncer", metavar="URL", default="", help="Also ask this PgBouncer's console.")
@json_option
@pass_here
def pool(
    here: Here,
    clear: bool,
    older_than: float,
    dry_run: bool,
    yes: bool,
    pgbouncer: str,
    as_json: bool,
) -> int:
    """Connections in use, who holds them, and which are stuck.

    Works when nothing else does: it opens one connection of its own. Exit 5 while 80 % or more are in use.

    \b
    Examples:
      aicp db pool
      aicp db pool --clear --dry-run
      aicp db pool --clear --older-than 600 --yes
    """
    from aicp.kernel import sessions

    if older_than < 1:
        raise BadInput("--older-than takes one second or more", hint="--older-than 60")
    settings = from_env()
    with target(settings) as where, connected(where, name="pool", autocommit=True) as conn:
        login = where.runs_as
        found = sessions.sessions(conn, login)
        stuck = sessions.stuck(found, older_than=older_than)
        if clear and stuck and not dry_run and not yes and not _agreed(stuck):
            say("nothing was ended")
            return 0
        ended = [
            one for one in stuck if clear and not dry_run and sessions.end(conn, login, one.pid)
        ]
        use = sessions.use(conn)
        if ended:
            tell_everybody(
                where, settings, "pool_cleared",
                {"ended": len(ended), "used": use.used, "most": use.most}, status="warning",
            )  # fmt: skip
    pooler = _pooler(pgbouncer, use.most) if pgbouncer else {}
    if as_json:
        put({"use": asdict(use) | {"percent": use.percent}, "sessions": [asdict(s) for s in found],
             "stuck": [s.pid for s in stuck], "ended": [s.pid for s in ended], "pgbouncer": pooler})  # fmt: skip
    else:
        lines(_told(use, found, stuck, ended, look()))
        lines(fields(pooler.items(), look()) if pooler else ())
        if stuck and not ended:
            suggest(here, f"aicp db pool --clear --older-than {older_than:g}")
    return 5 if use.percent >= FULL or pooler.get("misfit") else 0


def _told(
    use: Any, found: list[Session], stuck: list[Session], ended: list[Session], how: Look
) -> Iterator[str]:
    yield f"{use.used} of {use.most} connections in use ({use.percent:g} %), {use.waiting} waiting for a lock"
    gone, bad = {one.pid for one in ended}, {one.pid for one in stuck}
    rows = [
        (str(one.pid), clean(one.name), one.state, f"{one.seconds:.0f} s", str(one.blocks),
         "ended" if one.pid in gone else "stuck" if one.pid in bad else "")
        for one in found
    ]  # fmt: skip
    yield from table(rows, ("pid", "who", "state", "for", "blocks", ""), how)


def _agreed(stuck: list[Session]) -> bool:
    """Whether somebody said yes.

    Raises:
        BadInput: there is nobody to ask.
    """
    if not asks():
        raise BadInput("nobody is there to ask", hint="add --yes, or --dry-run to look first")
    return click.confirm(f"End {len(stuck)} sessions? Their transactions are rolled back", err=True)


def _pooler(url: str, most: int) -> dict[str, Any]:
    from aicp.kernel.pgbouncer import ask, misfit

    told = ask(url)
    return {
        "waiting clients": told.waiting, "server connections": sum(int(p["sv_active"]) for p in told.pools),
        "most it may open": told.most, "longest wait": f"{max((int(p['maxwait']) for p in told.pools), default=0)} s",
        "misfit": misfit(told, most),
    }  # fmt: skip
