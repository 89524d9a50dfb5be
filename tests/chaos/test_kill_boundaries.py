"""kill -9 of the worker at every boundary of a whole mission: 0 duplicates, 0 lost (I-8).

A boundary is the moment before or after a commit that wrote something, and before or after an effect.
For each one a forked worker is killed there; a second worker takes over and must bring the mission to
the same end as if nothing had happened. Nothing in the product knows of this test.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chaos.workers import fly_until, take_over, with_app
from flight import ANY_TIME, Flight, take_off

# One account has every kind of boundary: draft, row, event, schedule, release. More only repeats them.
ACCOUNTS = int(os.environ.get("AICP_CHAOS_ACCOUNTS", "1"))
INTENT = ANY_TIME.replace("3 best", f"{ACCOUNTS} best")
LATER = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HALVES = 2

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
            reached = fly_until(flight, boundary)
            take_over(flight)
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
            reached = fly_until(flight, boundary, victim=hangar.cluster.pid())
            hangar.cluster.revive()
            take_over(flight)
            _check(flight, hangar.mission, boundary)
        boundary += HALVES
    assert boundary > 25, "the boundaries were not found: the hooks miss the code"


def _check(flight: Flight, mission: str, boundary: int) -> None:
    """The end state is the one of an undisturbed flight: counted, not believed."""
    doc = with_app(flight, lambda: flight.doc(mission))
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
