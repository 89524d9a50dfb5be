"""A crowd of missions on two real workers and one flaky toolkit (MI-8, TR-13 to TR-15, I-8).

Everything fails that may: rate limits, calls that break off before or after their effect, an outage.
All the same every mission ends right, no effect is there twice, quotas and breaker hold, and who has
a high priority does not wait for those with a low one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest

import crowd_provider
from aicp.app import App, build
from aicp.kernel.db import Actor
from aicp.missions import control, flow, store
from aicp.people import tenants
from aicp.trust.limits import Quota, quotas
from conftest import Cluster
from crowd_provider import approved
from flight import settings_for

MISSIONS, STEPS, SEED = 50, 2, 7
QUOTAS = "60, crm=30/3"
GRACE = timedelta(milliseconds=500)  # calls that had their turn just before the breaker opened
MOST_SECONDS = 150  # about 25 on two idle cores

pytestmark = pytest.mark.chaos


def test_fifty_missions_on_a_flaky_toolkit_all_end_right_and_in_the_order_of_their_priorities(
    cluster: Cluster, tmp_path: Path
) -> None:
    url = cluster.url(cluster.clone())
    settings = settings_for(
        tmp_path, database_url=url, providers="flaky=crowd_provider:Flaky", quotas=QUOTAS,
        cooldown_seconds="1",
    )  # fmt: skip
    app = build(settings, name="crowd", url=url)
    try:
        actor = _somebody(app)
        missions = _crowd(app, actor, tmp_path)
        with _two_workers(tmp_path, url):
            _until_all_are_over(app, actor, missions)
        _no_effect_is_missing_or_twice(tmp_path, missions)
        with app.transaction(actor) as conn:
            calls = conn.execute("select mission_id, started_at, state from tool_calls").fetchall()
            events = conn.execute(
                "select event_type, created_at, mission_id, context from telemetry_events order by id"
            ).fetchall()
        _the_quota_held(calls)
        _the_breaker_held(calls, events)
        _the_high_priorities_were_not_behind(missions, events)
        _everything_happened(tmp_path, calls, events)
    finally:
        app.close()


# The crowd ------------------------------------------------------------------------------------


def _somebody(app: App) -> Actor:
    at = app.clock()
    with app.db.service() as conn:
        tenant = tenants.ensure_tenant(conn, "crowd", "Crowd", at=at)
        return tenants.add_person(
            conn,
            tenant,
            email="riley@home.example",
            name="Riley",
            roles=("operator", "admin"),
            at=at,
        ).actor


def _crowd(app: App, actor: Actor, folder: Path) -> dict[str, int]:
    """Approved missions in one queue, low priorities first; returns priority by id."""
    made: dict[str, int] = {}
    for n in range(MISSIONS):
        priority = 4 - n * 5 // MISSIONS
        made[approved(app, actor, n, steps=STEPS, priority=priority, place=folder, seed=SEED)] = (
            priority
        )
    with app.transaction(actor) as conn:
        for mission_id in made:
            flow.enqueue_stage(conn, store.get(conn, mission_id), "Execute")
    return made


# The workers and the person -------------------------------------------------------------------


@contextmanager
def _two_workers(folder: Path, url: str) -> Iterator[None]:
    env = os.environ | {
        "DATABASE_URL": url, "AICP_DATA_DIR": str(folder / "data"), "AICP_FILE_ROOTS": str(folder),
        "AICP_PROVIDERS": "flaky=crowd_provider:Flaky", "AICP_QUOTAS": QUOTAS,
        "AICP_COOLDOWN_SECONDS": "1", "AICP_ISSUES_DIR": str(folder / "ops"),
        "PYTHONPATH": os.pathsep.join([str(Path(crowd_provider.__file__).parent), *sys.path]),
    }  # fmt: skip
    with (folder / "workers.log").open("wb") as log:
        words = [sys.executable, "-m", "aicp.worker.main"]
        workers = [subprocess.Popen(words, env=env, stdout=log, stderr=log) for _ in range(2)]
        try:
            yield
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait(30)


def _until_all_are_over(app: App, actor: Actor, missions: dict[str, int]) -> None:
    """A person looks now and then and resumes what the outage paused, as its sentence says."""
    ends = time.monotonic() + MOST_SECONDS
    while time.monotonic() < ends:
        with app.transaction(actor) as conn:
            rows = [store.get(conn, mission) for mission in missions]
        if all(row.run_state == "finished" for row in rows):
            return
        for row in rows:
            if row.run_state == "paused":
                assert "the CRM is out of order" in row.blocking_reason
                with app.transaction(actor) as conn:
                    control.resume(conn, actor, app.services, row.id)
        time.sleep(0.25)
    left = Counter((row.run_state, row.cursor_seq, row.blocking_reason) for row in rows)
    raise AssertionError(f"not over after {MOST_SECONDS} s: {left}")


# What must hold -------------------------------------------------------------------------------


def _no_effect_is_missing_or_twice(folder: Path, missions: dict[str, int]) -> None:
    found = Counter(row["text"] for row in crowd_provider.rows(folder, "ledger"))
    assert found == Counter(f"{n}:{s}" for n in range(len(missions)) for s in range(1, STEPS + 1))


def _the_quota_held(calls: list[Any]) -> None:
    """In no window of its length lie more calls than the quota, or than a mission's share of it."""
    quota = quotas(QUOTAS)[1]["crm"]
    assert _most(sorted(at for _, at, _ in calls), quota) <= quota.calls
    for mission in {mission for mission, _, _ in calls}:
        assert _most(sorted(at for m, at, _ in calls if m == mission), quota) <= quota.share


def _most(times: list[datetime], quota: Quota) -> int:
    window = timedelta(seconds=quota.seconds)
    return max(sum(start <= at < start + window for at in times) for start in times)


def _the_breaker_held(calls: list[Any], events: list[Any]) -> None:
    """While it is open no call is begun; between half open and the end of the probe only the probe."""
    changes = [e for e in events if str(e[0]).startswith("toolkit_breaker_")]
    assert changes[0][0] == "toolkit_breaker_opened"
    assert changes[-1][0] == "toolkit_breaker_closed"
    for (name, at, _, _), (following, until, _, _) in pairwise(changes):
        if name == "toolkit_breaker_opened":
            assert following == "toolkit_breaker_half_open"
            assert until >= at + timedelta(seconds=1)
            assert [c for c in calls if at + GRACE < c[1] < until] == []
        elif name == "toolkit_breaker_half_open":
            assert following in {"toolkit_breaker_opened", "toolkit_breaker_closed"}
            assert len([c for c in calls if at <= c[1] < until]) <= 1


def _the_high_priorities_were_not_behind(missions: dict[str, int], events: list[Any]) -> None:
    over = {str(m): at.timestamp() for name, at, m, _ in events if name == "execution_completed"}
    high = median(over[m] for m, priority in missions.items() if priority <= 1)
    low = median(over[m] for m, priority in missions.items() if priority >= 3)
    assert high <= low, f"high priorities were over {high - low:.1f} s after the low ones"


def _everything_happened(folder: Path, calls: list[Any], events: list[Any]) -> None:
    """The flight was as rough as it was meant to be."""
    kinds = {row["kind"] for row in crowd_provider.rows(folder, "failures")}
    assert kinds == {"busy", "late", "lost", "outage"}
    assert {state for _, _, state in calls} == {"done", "failed"}
    throttled = {context["rule"] for name, _, _, context in events if name == "mission_throttled"}
    assert throttled == {"quota", "breaker"}
