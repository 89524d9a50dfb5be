"""The bare two-commit journal: the least that is durable before and after an effect, with no checks.

The table has the columns, defaults and indexes of tool_calls; the pool is the product's own. A
statement is a transaction there, so each commit is one round trip: no journal can be faster.
"""

from __future__ import annotations

from datetime import datetime

import psycopg
from psycopg.types.json import Jsonb

from aicp.kernel.canonical import digest
from aicp.kernel.db import Database
from aicp.toolkits.model import Json

MAKE = """
create schema bench;
create table bench.calls (like public.tool_calls including defaults including identity including indexes);
grant usage on schema bench to public;
grant select, insert, update on bench.calls to public;
"""
INTENT = (
    "insert into bench.calls (tenant_id, mission_id, seq, purpose, key, tool, account, args, args_digest,"
    " mutates, approval_id, before, state, verdicts, worker, started_at)"
    " values (%s, %s, %s, 'step', %s, %s, %s, %s, %s, true, %s, %s, 'intent', %s, %s, %s)"
)
RESULT = (
    "update bench.calls set state = 'done', outcome = %s, finished_at = %s"
    " where mission_id = %s and key = %s and state = 'intent'"
)


def make(owner_url: str) -> None:
    """The journal's table, in a schema of its own."""
    with psycopg.connect(owner_url, autocommit=True) as conn:
        conn.execute(MAKE)


def call(
    db: Database, tenant: object, mission: str, seq: int, tool: str, args: Json, at: datetime
) -> None:
    """Two commits: the intent, then the result. The effect between them is nothing."""
    key = f"{mission}.{seq}"
    with db.pool.connection() as conn:
        conn.execute(
            INTENT,
            (tenant, mission, seq, key, tool, "nothing", Jsonb(args), digest(args), "a",
             Jsonb({"version": "v1", "data": {"values": None}}), Jsonb({"gate": "ok"}), "bench", at),
        )  # fmt: skip
    with db.pool.connection() as conn:
        conn.execute(RESULT, (Jsonb({"data": {"touched": key}, "version": "v2"}), at, mission, key))
