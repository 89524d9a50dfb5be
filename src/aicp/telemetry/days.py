"""The partitions of telemetry: made ahead, and what waits without one is told (OB-4)."""

from __future__ import annotations

from datetime import UTC, datetime

from aicp.kernel.db import Database
from aicp.telemetry.logs import log

AHEAD = 7  # days besides today


def make(db: Database, *, at: datetime) -> int:
    """Make the partitions of today and the days ahead; returns how many were missing.

    Rows that found no partition are reported in the log: a clock is wrong, or no worker ran for a week.
    """
    with db.service() as conn:
        row = conn.execute(
            "select app.make_days(%s, %s)", (at.astimezone(UTC).date(), AHEAD + 1)
        ).fetchone()
    if stray := strays(db):
        log.error("telemetry has rows of days that have no partition", context={"rows": stray})
    return int(str(row[0])) if row else 0


def strays(db: Database) -> dict[str, int]:
    """Rows in the default partitions by table; those without any are left out."""
    with db.service() as conn:
        rows = conn.execute(
            "select 'telemetry_events', count(*) from telemetry_events where tableoid = 'telemetry_events_rest'::regclass"
            " union all"
            " select 'telemetry_spans', count(*) from telemetry_spans where tableoid = 'telemetry_spans_rest'::regclass"
            " union all"
            " select 'telemetry_logs', count(*) from telemetry_logs where tableoid = 'telemetry_logs_rest'::regclass"
        ).fetchall()
    return {str(table): int(str(n)) for table, n in rows if n}
