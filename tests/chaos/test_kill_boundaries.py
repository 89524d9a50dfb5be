"""kill -9 of the worker at every boundary of a whole mission: 0 duplicates, 0 lost (I-8).

A boundary is the moment before or after a commit that wrote something, and before or after an effect.
For each one a forked worker is killed there; a second worker takes over and must bring the mission to
the same end as if nothing had happened. Nothing in the product knows of this test.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

import killer
from aicp.app import build
from flight import ANY_TIME, Flight, settings_for, take_off

# One account has every kind of boundary: draft, row, event, schedule, release. More only repeats them.
ACCOUNTS = int(os.environ.get("AICP_CHAOS_ACCOUNTS", "1"))
INTENT = ANY_TIME.replace("3 best", f"{ACCOUNTS} best")
LATER = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HALVES = 2
# The process that workers are forked from finds the test helpers as this one does.
os.environ["PYTHONPATH"] = str(Path(killer.__file__).parent)
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(killer.PRELOAD)

pytestmark = pytest.mark.chaos


@dataclass
class Hangar:
    """An approved mission, its database as a template and its files as a copy."""

    flight: Flight
    mission: str
    template: str
    backup: Path
    cluster: Any

    @contextmanager
    def copy(self) -> Iterator[Flight]:
        """The flight as it was when it was approved, in a database of its own."""
        name = self.cluster.clone(self.template)
        for part in ("sandbox", "data"):
            shutil.rmtree(self.flight.folder / part)
            shutil.copytree(self.backup / part, self.flight.folder / part)
        url = self.cluster.url(name)
        self.flight.url = url
        self.flight.clock.now = LATER
        try:
            yield self.flight
        finally:
            self.cluster.drop(name)


@pytest.fixture(scope="module")
def hangar(own_cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hangar]:
    folder = tmp_path_factory.mktemp("hangar") / "flight"
    name = own_cluster.clone()
    flight = take_off(folder, own_cluster.url(name), hold_seconds="0")
    mission = flight.to_execute(INTENT)
    flight.app.close()
    backup = folder.parent / "backup"
    shutil.copytree(folder, backup)
    yield Hangar(flight, mission, name, backup, own_cluster)
    flight.smtp.stop()


@pytest.mark.parametrize("half", range(HALVES))
def test_a_worker_killed_at_any_boundary_loses_and_repeats_nothing(
    hangar: Hangar, half: int
) -> None:
    boundary, reached = half + 1, True
    while reached:
        with hangar.copy() as flight:
            reached = _fly_until(flight, boundary)
            _take_over(flight)
            _check(flight, hangar.mission, boundary)
        boundary += HALVES
    assert boundary > 25, "the boundaries were not found: the hooks miss the code"


@pytest.mark.parametrize("half", range(HALVES))
def test_a_database_killed_at_any_boundary_loses_and_repeats_nothing(
    hangar: Hangar, half: int
) -> None:
    boundary, reached = half + 1, True
    while reached:
        with hangar.copy() as flight:
            reached = _fly_until(flight, boundary, victim=hangar.cluster.pid())
            hangar.cluster.revive()
            _take_over(flight)
            _check(flight, hangar.mission, boundary)
        boundary += HALVES
    assert boundary > 25, "the boundaries were not found: the hooks miss the code"


def _fly_until(flight: Flight, boundary: int, victim: int = 0) -> bool:
    """A worker (or what it runs on) killed at that boundary; False when it got to the end before."""
    worker = PROCESSES.Process(
        target=killer.fly,
        args=(str(flight.folder), flight.url, flight.people, LATER, boundary, victim),
    )
    worker.start()
    worker.join(60)
    if worker.is_alive():
        worker.kill()
        raise AssertionError(f"the worker hangs at boundary {boundary}")
    assert worker.exitcode in {0, killer.REACHED, -signal.SIGKILL}, (boundary, worker.exitcode)
    return worker.exitcode != 0


def _take_over(flight: Flight) -> None:
    """Another worker: jobs of the dead one return to the queue, as the rescue does it."""
    with psycopg.connect(flight.url, autocommit=True, options="-c search_path=queue") as conn:
        conn.execute(
            "delete from procrastinate_jobs d where status = 'doing' and exists (select 1 from"
            " procrastinate_jobs t where t.status = 'todo' and t.queueing_lock = d.queueing_lock)"
        )
        conn.execute("update procrastinate_jobs set status = 'todo' where status = 'doing'")
    _with_app(flight, flight.work)
    flight.clock.advance(minutes=5)  # an interrupted delivery is judged when the server has settled
    _with_app(flight, flight.work)


def _with_app(flight: Flight, work: Callable[[], Any]) -> None:
    flight.app = build(
        settings_for(flight.folder, hold_seconds="0"),
        name="chaos",
        url=flight.url,
        clock=flight.clock,
    )
    try:
        work()
    finally:
        flight.app.close()


def _check(flight: Flight, mission: str, boundary: int) -> None:
    """The end state is the one of an undisturbed flight: counted, not believed."""
    flight.app = build(
        settings_for(flight.folder, hold_seconds="0"),
        name="check",
        url=flight.url,
        clock=flight.clock,
    )
    try:
        doc = flight.doc(mission)
    finally:
        flight.app.close()
    steps = doc["run"]["steps"]
    assert doc["status"] == "completed", (boundary, doc["blocking_reason"])
    assert [s["state"] for s in steps] == ["done"] * 4 * ACCOUNTS, boundary
    to = Counter(
        line
        for p in flight.delivered()
        for line in p.read_text().splitlines()
        if line.startswith("To:")
    )
    assert sorted(to.values()) == [1] * ACCOUNTS, (boundary, "mails", to)
    rows = (flight.sandbox / "accounts.csv").read_text()
    assert rows.count("Win-back") + rows.count("win-back") == ACCOUNTS, (boundary, "rows")
    events = (flight.sandbox / "calendar.ics").read_bytes().count(b"BEGIN:VEVENT")
    assert events == 2 + ACCOUNTS, (boundary, "events")
    assert not list((flight.sandbox / "mail/held").glob("*")), (boundary, "held")
    assert doc["findings"] == [], (boundary, doc["findings"])
