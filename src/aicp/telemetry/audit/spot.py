"""`--mode spot`: what was really stored in the last minutes, looked at by other eyes (OB-5, PC-5, DE-2).

Reads only, within bounds; the canary writes in a transaction that is rolled back. An empty sample and too
few events are said and never pass.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from structlog.stdlib import ProcessorFormatter

from aicp.kernel.db import Actor, Connection
from aicp.telemetry import dashboard, detectors, ingest, rollup, series
from aicp.telemetry.audit.findings import Finding, Report
from aicp.telemetry.catalogue import Event, catalogue
from aicp.telemetry.record import record
from aicp.telemetry.series import Where, Window

EACH, MOST = 50, 5000  # events looked at: of one name, and of all
LEAST = 50  # events without which a ratio says nothing
RATIOS: dict[str, tuple[Where, Where]] = {
    "discovery : tool call": (Where(("composio_discovery",)), Where(("composio_tool_call",))),
    "sign-in approved : initiated": (
        Where(("composio_auth_flow",), status="success"), Where(("composio_auth_flow",), status="info"),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stored:
    """One event of the sample."""

    event_id: UUID
    event_type: str
    mission_id: str | None
    correlation_id: str
    context: dict[str, Any]


def spot(conn: Connection, actor: Actor, *, at: datetime, minutes: int = 15) -> Report:
    """Every check on the asker's tenant over the last minutes."""
    report, window = Report("spot"), Window(at - timedelta(minutes=minutes), at)
    conn.execute("set local statement_timeout = '20s'")
    found, known = sample(conn, window), catalogue()
    report.took("schema", len(found), misfits(found, known))
    report.took("personal data", len(found), leaks(found))
    report.took("ids", len(found), without_ids(found, known))
    for name, (part, whole) in RATIOS.items():
        _took_ratio(report, name, conn, part, whole, window)
    counted, wrong = recounted(conn, at)
    report.took("rollup", counted, wrong)
    sent, wrong = canary(conn, actor, at=at)
    report.took("canary", sent, wrong)
    return report


def sample(conn: Connection, window: Window) -> list[Stored]:
    """Events of the window, at random, some of each name so that rare ones are seen."""
    return (
        conn.cursor(row_factory=class_row(Stored))
        .execute(
            "select event_id, event_type, mission_id, correlation_id, context from (select *, row_number()"
            " over (partition by event_type order by random()) as nth from telemetry_events"
            " where created_at >= %s and created_at < %s) e where nth <= %s limit %s",
            (window.start, window.end, EACH, MOST),
        )
        .fetchall()
    )


def misfits(found: Sequence[Stored], known: Mapping[str, Event]) -> list[Finding]:
    """Stored events that are not as the catalogue has them; each kind of wrong once."""
    wrong = Counter(
        known[one.event_type].misfit(one.context) if one.event_type in known
        else f"{one.event_type} is in no catalogue"
        for one in found
    )  # fmt: skip
    return [
        Finding("schema", why.split()[0].rstrip(":"), f"{why} ({count} of the sample)")
        for why, count in sorted(wrong.items())
        if why
    ]


def leaks(found: Sequence[Stored]) -> list[Finding]:
    """What the second detectors suspect in stored contexts: kind, place and hash, never the text."""
    return [
        Finding("personal data", f"{one.event_type} {one.event_id}", f"{hit.kind} at {hit.pointer}, hash {hit.hash}")
        for one in found
        for hit in detectors.suspects(one.context)
    ]  # fmt: skip


def without_ids(found: Sequence[Stored], known: Mapping[str, Event]) -> list[Finding]:
    """Events of missions that name no mission, or no request that they belong to."""
    lacking = Counter(
        (one.event_type, name)
        for one in found
        if one.event_type in known and known[one.event_type].scope == "mission"
        for name, value in (("mission_id", one.mission_id), ("correlation_id", one.correlation_id))
        if not value
    )
    return [
        Finding("ids", event, f"{count} of the sample have no {name}", "warning")
        for (event, name), count in sorted(lacking.items())
    ]


def wilson(part: int, whole: int, z: float = 1.96) -> tuple[float, float]:
    """The score interval of a proportion at 95 % (Wilson, 1927)."""
    share, square = part / whole, z * z / whole
    middle = (share + square / 2) / (1 + square)
    half = z * sqrt(share * (1 - share) / whole + square / (4 * whole)) / (1 + square)
    return middle - half, middle + half


def unlike(now: tuple[int, int], before: tuple[int, int]) -> bool:
    """Whether a ratio moved by more than chance: the intervals of its share do not meet.

    A ratio a : b is looked at as the share a / (a + b), which is a proportion.
    """
    (a, b), (c, d) = now, before
    low, high = wilson(a, a + b)
    usual_low, usual_high = wilson(c, c + d)
    return high < usual_low or low > usual_high


def _took_ratio(
    report: Report, name: str, conn: Connection, part: Where, whole: Where, window: Window
) -> None:
    """A ratio against the same time of the last four weeks; too little is said, and no pass."""
    now = _pair(conn, part, whole, window)
    usual = [
        _pair(conn, part, whole, Window(window.start - n * dashboard.WEEK, window.end - n * dashboard.WEEK))
        for n in range(1, dashboard.WEEKS + 1)
    ]  # fmt: skip
    before = (sum(one[0] for one in usual), sum(one[1] for one in usual))
    if sum(now) < LEAST or sum(before) < LEAST:
        report.unchecked[name] = f"too few events: {sum(now)} now, {sum(before)} in four weeks, {LEAST} needed"  # fmt: skip
        return
    moved = unlike(now, before)
    told = f"{now[0]} : {now[1]} now, {before[0]} : {before[1]} at this time of the last weeks"
    report.took(name, sum(now), [Finding("ratio", name, f"is not on its baseline: {told}")] if moved else [])  # fmt: skip


def _pair(conn: Connection, part: Where, whole: Where, window: Window) -> tuple[int, int]:
    return series.total(conn, window, where=part), series.total(conn, window, where=whole)


def recounted(conn: Connection, at: datetime) -> tuple[int, list[Finding]]:
    """One counted stretch of 5 minutes at random, counted again from its events."""
    until = rollup.watermark(conn)
    row = conn.execute(
        "select bucket, sum(n)::bigint from telemetry_rollup_5m where bucket >= %s and bucket < %s"
        " group by bucket order by random() limit 1",
        (at - timedelta(days=1), (until or at) - rollup.LATE - rollup.STEP),
    ).fetchone()
    if row is None:
        return 0, []
    bucket, counted = row
    again = conn.execute(
        "select count(*) from telemetry_events where created_at >= %s and created_at < %s",
        (bucket, bucket + rollup.STEP),  # type: ignore[operator]
    ).fetchone() or (0,)
    if again[0] == counted:
        return int(str(counted)), []
    return int(str(counted)), [Finding("rollup", str(bucket), f"counts {counted} events, and {again[0]} are there")]  # fmt: skip


def canary(conn: Connection, actor: Actor, *, at: datetime) -> tuple[int, list[Finding]]:
    """Personal data and secrets that were planted must not arrive, by any path; nothing of it is kept.

    Returns:
        how many paths it took, and what arrived as it was.
    """
    planted = _planted()
    text = " ".join(planted.values())
    paths: dict[str, Callable[[], str]] = {
        "record": lambda: _recorded(conn, actor, text, at),
        "HTTP": lambda: _taken_in(actor, text, at),
    }
    if form := _log_form():
        paths["log"] = lambda: _logged(text, form)
    found = [
        Finding("canary", path, f"a planted {name} arrived as it was")
        for path, arrived in ((path, send()) for path, send in paths.items())
        for name, value in planted.items()
        if value in arrived
    ]
    return len(paths), found


def _recorded(conn: Connection, actor: Actor, text: str, at: datetime) -> str:
    """What an event holds of a text once it is stored; then it is taken back."""
    with conn.transaction(force_rollback=True):
        record(
            conn, actor, "coordinator_error", {"error_code": text, "stage": "Plan"}, at=at,
            correlation_id="canary",
        )  # fmt: skip
        row = conn.execute(
            "select context::text from telemetry_events where correlation_id = 'canary'"
            " and created_at = %s order by id desc limit 1",
            (at,),
        ).fetchone()
    return str(row[0]) if row else text  # nothing stored is no proof


def _taken_in(actor: Actor, text: str, at: datetime) -> str:
    """The row that an event sent over HTTP would become."""
    sent = {
        "event_id": str(UUID(int=(int(at.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | secrets.randbits(62))),
        "event": "coordinator_error", "context": {"error_code": text, "stage": "Plan"},
    }  # fmt: skip
    return str(ingest.row_of(sent, tenant=str(actor.tenant_id), at=at))


def _logged(text: str, form: logging.Formatter) -> str:
    """The line that this process would write of a message of somebody else's library."""
    return form.format(logging.LogRecord("canary", logging.INFO, "", 0, text, None, None))


def _log_form() -> logging.Formatter | None:
    """How this process writes its log, when it was configured to."""
    forms = (handler.formatter for handler in logging.getLogger().handlers)
    return next((one for one in forms if isinstance(one, ProcessorFormatter)), None)


def _planted() -> dict[str, str]:
    """New ones each time, of reserved names and published test numbers; none opens anything."""
    return {
        "e-mail address": f"canary.{secrets.token_hex(4)}@example.com",
        "phone number": "+49 30 901820",
        "card number": "4242 4242 4242 4242",
        "key": f"ghp_{secrets.token_hex(18)}",
        "password": f"password=hunter{secrets.token_hex(4)}!",
    }
