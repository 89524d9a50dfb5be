"""Figures over a window of time: counts, rates, error ratios and percentiles of events (OB-4).

What is settled comes from the rollups, the edges and the newest minutes from the events themselves, so that
counts and sums equal a recount of the events. A percentile is the nearest rank within 4.43 %
(`app.percentile`). Who may see what is the connection's: one tenant for a person, all for the service.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from aicp.errors import BadInput
from aicp.kernel.db import Connection
from aicp.telemetry.rollup import HOUR, LATE, STEP, floor, watermark

Key = Literal["event_type", "toolkit", "stage", "status"]
KEYS: tuple[Key, ...] = ("event_type", "toolkit", "stage", "status")
LONG = timedelta(hours=6)  # beyond it whole hours are read instead of their 5 minutes
_ZERO = timedelta(0)
_CELLS = """
with cell as (
    select tenant_id, bucket as at, event_type, toolkit, stage, status, value_bucket, n, sum_ms
    from telemetry_rollup_1h where bucket >= %(h0)s and bucket < %(h1)s
    union all
    select tenant_id, bucket, event_type, toolkit, stage, status, value_bucket, n, sum_ms
    from telemetry_rollup_5m
    where bucket >= %(m0)s and bucket < %(m1)s and not (bucket >= %(h0)s and bucket < %(h1)s)
    union all
    select tenant_id, created_at, event_type, toolkit, stage, status, app.value_bucket(duration_ms), 1,
           coalesce(duration_ms, 0)
    from telemetry_events where created_at >= %(start)s and created_at < %(head)s
    union all
    select tenant_id, created_at, event_type, toolkit, stage, status, app.value_bucket(duration_ms), 1,
           coalesce(duration_ms, 0)
    from telemetry_events where created_at >= %(tail)s and created_at < %(end)s
), merged as (
    select date_bin(%(step)s, at, %(origin)s) as at,
           case when 'event_type' = any (%(by)s::text[]) then event_type else '' end as event_type,
           case when 'toolkit' = any (%(by)s::text[]) then toolkit else '' end as toolkit,
           case when 'stage' = any (%(by)s::text[]) then stage else '' end as stage,
           case when 'status' = any (%(by)s::text[]) then status else '' end as status,
           value_bucket, sum(n)::bigint as n, (sum(n) filter (where status = 'error'))::bigint as errors,
           sum(sum_ms) as sum_ms
    from cell
    where (%(tenant)s::uuid is null or tenant_id = %(tenant)s::uuid)
      and (%(events)s::text[] is null or event_type = any (%(events)s::text[]))
      and (%(toolkit)s::text is null or toolkit = %(toolkit)s::text)
      and (%(stage)s::text is null or stage = %(stage)s::text)
      and (%(status)s::text is null or status = %(status)s::text)
    group by 1, 2, 3, 4, 5, 6
)
select at, event_type, toolkit, stage, status, sum(n)::bigint, coalesce(sum(errors), 0)::bigint,
       coalesce(sum(n) filter (where value_bucket > -100000), 0)::bigint, sum(sum_ms),
       array(select app.percentile(array_agg(value_bucket), array_agg(n), part)
             from unnest(%(parts)s::float8[]) with ordinality as p (part, nth) order by nth)
from merged group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
"""


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` up to, not including, `end`; both with a time zone.

    Raises:
        BadInput: it is empty or runs backwards.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise BadInput("the window ends before it begins", hint="give a start before its end")

    @property
    def length(self) -> timedelta:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Where:
    """Which events; what is None is not looked at. `tenant` narrows the service's view to one tenant."""

    events: tuple[str, ...] | None = None
    toolkit: str | None = None
    stage: str | None = None
    status: str | None = None
    tenant: UUID | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """Events of one group in one step of the window.

    Args:
        at: when the step begins, never before the window does.
        event_type, toolkit, stage, status: the group; "" for what was not grouped by.
        n: events. errors: those of status error. measured: those that carry a duration.
        sum_ms: all durations together, in milliseconds.
        percentiles: by the part asked for (0.95), in milliseconds; None where nothing was measured.
    """

    at: datetime
    event_type: str
    toolkit: str
    stage: str
    status: str
    n: int
    errors: int
    measured: int
    sum_ms: float
    percentiles: dict[float, float | None]

    @property
    def error_ratio(self) -> float:
        """Errors per event, 0 to 1; a figure has at least one event."""
        return self.errors / self.n

    @property
    def mean_ms(self) -> float | None:
        return self.sum_ms / self.measured if self.measured else None


def figures(
    conn: Connection,
    window: Window,
    *,
    by: Sequence[Key] = (),
    step: timedelta | None = None,
    where: Where = Where(),
    parts: Sequence[float] = (0.5, 0.95, 0.99),
) -> list[Figure]:
    """The figures of a window, in order of time and group; groups and steps without events are left out.

    Args:
        by: what to group by; nothing: everything together.
        step: length of each point of a series; None: the window is one. Steps count from the window's
            start, or from the 5 minutes it lies in when the step is a multiple of 5 minutes.
        parts: which percentiles, each above 0 and at most 1.

    Raises:
        BadInput: a key, step or part is none.
    """
    _check(by, step, parts)
    ranges = plan(window, step, watermark(conn))
    rows = conn.execute(
        _CELLS,
        {**ranges, "by": list(by), "parts": list(parts), "tenant": where.tenant,
         "events": list(where.events) if where.events is not None else None,
         "toolkit": where.toolkit, "stage": where.stage, "status": where.status},
    ).fetchall()  # fmt: skip
    return [_figure(row, window, tuple(parts)) for row in rows]


def total(conn: Connection, window: Window, *, where: Where = Where()) -> int:
    """How many events."""
    return sum(figure.n for figure in figures(conn, window, where=where, parts=()))


def rate(conn: Connection, window: Window, *, where: Where = Where()) -> float:
    """Events a second, over the whole window."""
    return total(conn, window, where=where) / window.length.total_seconds()


@dataclass(frozen=True, slots=True)
class Ratio:
    """`part` of `whole`; `value` is None when there is no whole."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        return self.part / self.whole if self.whole else None


def error_ratio(conn: Connection, window: Window, *, where: Where = Where()) -> Ratio:
    """Events of status error among all of them."""
    found = figures(conn, window, where=where, parts=())
    return Ratio(sum(f.errors for f in found), sum(f.n for f in found))


def ratio(conn: Connection, window: Window, part: Where, whole: Where) -> Ratio:
    """Events of one kind for those of another: discoveries for tool calls, say."""
    return Ratio(total(conn, window, where=part), total(conn, window, where=whole))


def plan(window: Window, step: timedelta | None, rolled_to: datetime | None) -> dict[str, Any]:
    """Where each stretch of a window is read: hours [h0, h1), 5 minutes [m0, m1) around them, and events
    [start, head) and [tail, end). They meet and never overlap; a stretch that is not needed is empty."""
    start, end = window.start, window.end
    m0 = -(-(start - floor(start, STEP)) // STEP) * STEP + floor(start, STEP)
    settled = rolled_to - LATE if rolled_to else start
    m1 = floor(min(end, settled), STEP)
    fine = step is not None and step % STEP != _ZERO
    if fine or m1 <= m0:
        m0 = m1 = start
    h0, h1 = -(-(m0 - floor(m0, HOUR)) // HOUR) * HOUR + floor(m0, HOUR), floor(m1, HOUR)
    whole = step is None or (step % HOUR == _ZERO and floor(start, STEP) == floor(start, HOUR))
    if window.length <= LONG or not whole or h1 <= h0:
        h0 = h1 = m0
    origin = start if step is None or fine else floor(start, STEP)
    return {"start": start, "head": m0, "m0": m0, "m1": m1, "h0": h0, "h1": h1, "tail": m1, "end": end,
            "step": step or window.length + STEP, "origin": origin}  # fmt: skip


def _check(by: Sequence[str], step: timedelta | None, parts: Sequence[float]) -> None:
    if unknown := set(by) - set(KEYS):
        raise BadInput(f"figures are not grouped by {min(unknown)}", hint=f"use {', '.join(KEYS)}")
    if step is not None and step <= _ZERO:
        raise BadInput("the step has no length", hint="give a step of a second or more")
    if any(not 0 < part <= 1 for part in parts):
        raise BadInput("a percentile lies above 0 and at most at 1", hint="write 0.95 for the 95th")


def _figure(row: tuple[Any, ...], window: Window, parts: tuple[float, ...]) -> Figure:
    at, event_type, toolkit, stage, status, n, errors, measured, sum_ms, values = row
    return Figure(
        max(at, window.start), event_type, toolkit, stage, status, n, errors, measured, sum_ms,
        dict(zip(parts, values, strict=True)),
    )  # fmt: skip
