"""A call's turn with its toolkit: kill switch, breaker and quotas as one check, and what results do to them.

What is decided is in `limits`; here it is read, once for a call and under a lock that calls of one
tenant to one toolkit share, and kept.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from aicp.kernel.db import Actor, Connection
from aicp.telemetry.record import record
from aicp.toolkits.model import Call
from aicp.trust import limits, stops
from aicp.trust.limits import Breaker, Result, Traffic, Wait
from aicp.trust.objection import Objection
from aicp.trust.plan import Step

if TYPE_CHECKING:
    from aicp.trust.calls import Run

KILLED = "kill-switch"


def turn(conn: Connection, run: Run, step: Step, call: Call) -> Objection | None:
    """The check of `checks.CHECKS`: a pulled switch stops the run, the others tell when to come back.

    It may take the breaker's one probe for this call, so it must be the last of the checks.
    """
    now, quota = run.clock(), run.limits.quota(step.toolkit)
    row = conn.execute(
        "select stop, failed, resume_at, probe, probe_until, tenant_mark, mission_mark"
        " from app.traffic(%s, %s, %s, %s, %s)",
        (run.mission_id, step.toolkit, now - timedelta(seconds=quota.seconds),
         quota.room(run.priority), quota.share),
    ).fetchone()  # fmt: skip
    assert row is not None  # a function without a set gives one row  # noqa: S101
    stop, *known = row
    if isinstance(stop, dict):
        return killed(stop, run.mission_id)
    seen = _seen(*known)
    found = limits.turn(seen, step.toolkit, quota, call.key, now)
    if isinstance(found, Wait):
        return Objection(found.rule, found.why, retry_at=found.until)
    if found != seen.breaker:
        _keep(conn, run.actor, step.toolkit, found)
        if seen.breaker.probe != call.key:  # a probe that was interrupted goes on
            _tell(conn, run, step.toolkit, found, now)
    return None


def killed(stop: dict[str, Any], mission_id: str) -> Objection:
    """The objection of a pulled kill switch."""
    return Objection(
        KILLED, stops.sentence(stop, mission_id), facts={"switch": stop["id"], "scope": stop["scope"]},
        hint="once it is lifted, go on with `aicp mission resume`; undo is possible now",
    )  # fmt: skip


def _seen(
    failed: Any, resume_at: Any, probe: Any, until: Any, tenant_mark: Any, mission_mark: Any
) -> Traffic:
    breaker = Breaker(failed or 0, resume_at, probe or "", until)
    return Traffic(breaker, tenant_mark, mission_mark)


def closed(conn: Connection, run: Run, toolkit: str) -> None:
    """Tell that the toolkit is well again."""
    _tell(conn, run, toolkit, Breaker(), run.clock())


def ended(conn: Connection, run: Run, toolkit: str, key: str, result: Result) -> None:
    """Keep what a call's end means for the breaker, in the transaction that settles the call."""
    now = run.clock()
    conn.execute(
        "insert into breakers (tenant_id, toolkit) values (%s, %s) on conflict do nothing",
        (run.actor.tenant_id, toolkit),
    )
    row = conn.execute(
        "select failed, resume_at, probe, probe_until from breakers"
        " where tenant_id = %s and toolkit = %s for update",
        (run.actor.tenant_id, toolkit),
    ).fetchone()
    before = Breaker(*row) if row else Breaker()  # type: ignore[arg-type]
    after = limits.after(before, key, result, now, run.limits.cooldown)
    if after == before:
        return
    _keep(conn, run.actor, toolkit, after)
    state = after.state(now)
    if state == "open" or (state == "closed" and before.resume_at is not None):
        _tell(conn, run, toolkit, after, now)


def _keep(conn: Connection, actor: Actor, toolkit: str, breaker: Breaker) -> None:
    conn.execute(
        "update breakers set failed = %(failed)s, resume_at = %(resume_at)s, probe = %(probe)s,"
        " probe_until = %(probe_until)s where tenant_id = %(tenant)s and toolkit = %(toolkit)s",
        asdict(breaker) | {"tenant": actor.tenant_id, "toolkit": toolkit},
    )


def _tell(conn: Connection, run: Run, toolkit: str, breaker: Breaker, at: datetime) -> None:
    """The event of a change; its mission is the one whose call brought it about."""
    common: dict[str, Any] = {
        "at": at, "mission_id": run.mission_id, "correlation_id": run.correlation_id, "stage": "Execute",
    }  # fmt: skip
    state = breaker.state(at)
    if state == "open" and breaker.resume_at is not None:
        record(
            conn, run.actor, "toolkit_breaker_opened",
            {"toolkit": toolkit, "failed_calls": breaker.failed,
             "resume_at": breaker.resume_at.isoformat()}, status="error", **common,
        )  # fmt: skip
    elif state == "half_open":
        record(conn, run.actor, "toolkit_breaker_half_open", {"toolkit": toolkit}, **common)
    else:
        record(
            conn, run.actor, "toolkit_breaker_closed", {"toolkit": toolkit}, status="success", **common
        )  # fmt: skip


# For people -----------------------------------------------------------------------------------


def overview(
    conn: Connection, actor: Actor, bounds: limits.Limits, now: datetime
) -> dict[str, Any]:
    """Every toolkit that was called lately or failed: breaker, resume time, quota and what is used of it."""
    rows = conn.execute(
        "with used as (select split_part(tool, '.', 1) as toolkit, started_at from tool_calls"
        " where tenant_id = %(tenant)s and started_at > %(since)s and not (tool like 'mail.%%'"
        " and tool not like 'mail.send@%%' and purpose = 'step')),"
        " kits as (select toolkit from used union select toolkit from breakers)"
        " select k.toolkit, coalesce(b.failed, 0), b.resume_at, coalesce(b.probe, ''), b.probe_until,"
        " array(select started_at from used u where u.toolkit = k.toolkit)"
        " from kits k left join breakers b on b.toolkit = k.toolkit order by k.toolkit",
        {"tenant": actor.tenant_id, "since": now - timedelta(seconds=_longest(bounds))},
    ).fetchall()
    return {"toolkits": [_line(bounds, now, *row) for row in rows], "usual": asdict(bounds.usual)}


def _longest(bounds: limits.Limits) -> int:
    return max(quota.seconds for quota in (bounds.usual, *bounds.own.values()))


def _line(
    bounds: limits.Limits, now: datetime, toolkit: Any, failed: Any, resume_at: Any, probe: Any,
    until: Any, calls: Any,
) -> dict[str, Any]:  # fmt: skip
    breaker, quota = Breaker(failed, resume_at, probe, until), bounds.quota(toolkit)
    since = now - timedelta(seconds=quota.seconds)
    return {
        "toolkit": toolkit, "state": breaker.state(now), "failed_calls": breaker.failed,
        "resume_at": breaker.resume_at, "probing": breaker.probing(now),
        "used": sum(at > since for at in calls), "calls": quota.calls, "seconds": quota.seconds,
    }  # fmt: skip
