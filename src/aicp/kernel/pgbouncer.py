"""What a PgBouncer in front of the database says of itself, and whether its numbers fit the server's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import ClientCursor
from psycopg.rows import dict_row

from aicp.errors import UpstreamDown


@dataclass(frozen=True, slots=True)
class Pooler:
    """One PgBouncer: its pools, and the most server connections it may open.

    `pools` are rows of SHOW POOLS by their own names (cl_active, cl_waiting, sv_active, maxwait, …).
    """

    pools: list[dict[str, Any]]
    most: int

    @property
    def waiting(self) -> int:
        return sum(int(pool["cl_waiting"]) for pool in self.pools)


def ask(url: str) -> Pooler:
    """Ask a PgBouncer's console (a URL whose database is `pgbouncer`).

    Raises:
        UpstreamDown: it does not answer, or the login may not look.
    """
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as conn:
            asked = ClientCursor(
                conn, row_factory=dict_row
            )  # the console knows no extended protocol
            pools = [
                p for p in asked.execute("show pools").fetchall() if p["database"] != "pgbouncer"
            ]
            config = {row["key"]: row["value"] for row in asked.execute("show config").fetchall()}
    except psycopg.Error as error:
        raise UpstreamDown(
            f"PgBouncer's console does not answer: {str(error).strip().splitlines()[0]}",
            hint="name its database `pgbouncer` and a login in its admin_users or stats_users",
        ) from error
    each = int(config["default_pool_size"]) + int(config.get("reserve_pool_size") or 0)
    return Pooler(pools, each * max(1, len(pools)))


def misfit(pooler: Pooler, most: int) -> str:
    """Why its numbers do not fit a server that takes so many connections; "" when they do."""
    if pooler.most > most:
        return f"PgBouncer may open {pooler.most} connections, and the server takes {most}"
    return ""
