"""OB-1: each figure equals a recount of the events, and what is too little to judge is never good."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicp.errors import NotFound
from aicp.kernel.db import NOBODY, Actor
from aicp.telemetry import dashboard as boards
from aicp.telemetry import days, rollup
from aicp.telemetry.dashboard import NAMES, Panel, Reading, Source, dashboard, state_of, usual_of
from aicp.telemetry.series import Where, Window
from conftest import Cluster
from telemetry.test_series import NOW, Event, World, make_world

# The playbook's thresholds, and those of domain.md 8 that go with them.
PLAYBOOK = {
    ("system-health", "uptime"): (0.999, "below"), ("system-health", "request_errors"): (0.01, "above"),
    ("system-health", "request_p95"): (200, "above"), ("agent-performance", "executor_errors"): (0.03, "above"),
    ("integration-health", "auth_failures"): (0.1, "above"), ("integration-health", "integration_errors"): (0.1, "above"),
    ("mission-lifecycle", "completion"): (0.85, "below"), ("mission-lifecycle", "undo"): (0.95, "below"),
}  # fmt: skip


def test_the_thresholds_are_those_of_the_playbook() -> None:
    found = {
        (name, panel.name): (panel.threshold, panel.breach)
        for name in NAMES
        for panel in dashboard(name).panels
    }
    assert {key: found[key] for key in PLAYBOOK} == PLAYBOOK
    assert all(panel.action for name in NAMES for panel in dashboard(name).panels if panel.threshold is not None)  # fmt: skip


def test_a_dashboard_that_is_none_is_named() -> None:
    with pytest.raises(NotFound, match="no dashboard nothing") as caught:
        dashboard("nothing")
    assert "system-health" in caught.value.hint
    with pytest.raises(ValueError, match="made_up, which is no event"):
        boards._where({"events": ["made_up"]})


RATIO = Panel("p", "P", "ratio", Source("ratio"), timedelta(minutes=5), 0.03, "above", 50)


@given(st.integers(0, 200), st.floats(0, 1))
def test_too_few_events_are_never_good_and_never_a_breach(count: int, value: float) -> None:
    state = state_of(RATIO, Reading(value if count else None, count), None)
    if count == 0:
        assert state == "silent"
    elif count < 50:
        assert state == "thin"
    else:
        assert state == ("breach" if value > 0.03 else "ok")


def test_the_usual_is_a_median_of_enough_weeks_and_a_multiple_of_it_a_breach() -> None:
    weeks = [Reading(10.0, 60), Reading(12.0, 60), Reading(99.0, 3), Reading(None, 0)]
    assert usual_of(weeks, 50) is None
    assert usual_of([*weeks, Reading(11.0, 50)], 50) == 11.0
    panel = Panel(
        "p", "P", "ms", Source("percentile"), timedelta(minutes=5), baseline=2, min_count=50
    )
    assert state_of(panel, Reading(22.0, 60), 11.0) == "ok"
    assert state_of(panel, Reading(22.1, 60), 11.0) == "breach"
    assert (
        state_of(panel, Reading(500.0, 60), None) == "ok"
    )  # without a baseline there is nothing to say


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[World]:
    yield from make_world(cluster)


def test_every_panel_equals_a_recount(world: World) -> None:
    """On random events of two tenants, partly rolled up; a percentile is within its stated 4.43 %."""
    rng = random.Random(5)
    names = sorted({e for n in NAMES for p in dashboard(n).panels for w in (*p.source.part, *p.source.whole) for e in w.events or ()})  # fmt: skip
    made = [
        Event(
            rng.choice(world.tenants), NOW - timedelta(seconds=rng.random() * 90_000), rng.choice(names),
            rng.choice(["mail", "crm", ""]), "", rng.choice(["success", "warning", "error"]),
            rng.choice([None, rng.random() * 9000]),
        )
        for _ in range(4000)
    ]  # fmt: skip
    days.make(world.db, at=NOW - timedelta(days=2))
    world.add(made)
    rollup.roll_up(world.db, at=NOW - timedelta(hours=3))
    mine = world.tenants[0]

    def fits(one: Event, where: Where, window: Window) -> bool:
        return (
            one.tenant == mine and window.start <= one.at < window.end
            and (where.events is None or one.event_type in where.events)
            and (where.status is None or one.status == where.status)
        )  # fmt: skip

    def count(wheres: tuple[Where, ...], window: Window) -> int:
        return sum(fits(one, where, window) for where in wheres for one in world.events)

    checked = 0
    with world.db.transaction(Actor(mine, NOBODY)) as conn:
        for name in NAMES:
            for one in boards.show(conn, name, at=NOW):
                source, window = one.panel.source, Window(NOW - one.panel.window, NOW)
                if source.kind == "none":
                    assert (one.state, one.reading.value) == ("uncollected", None)
                    continue
                checked += 1
                part, whole = count(source.part, window), count(source.whole, window)
                if source.kind == "ratio":
                    assert one.reading == Reading(part / whole if whole else None, whole)
                elif source.kind == "percentile":
                    times = sorted(e.ms for e in world.events if e.ms is not None and fits(e, source.part[0], window))  # fmt: skip
                    assert one.reading.count == len(times)
                    if times:
                        exact = times[-(-len(times) * 95 // 100) - 1]
                        assert one.reading.value == pytest.approx(exact, rel=0.0443)
                else:
                    assert one.reading.count == part
    assert checked > 12


def test_the_course_of_a_panel_adds_up_to_the_whole(world: World) -> None:
    panel = next(p for p in dashboard("mission-lifecycle").panels if p.name == "started")
    with world.db.transaction(Actor(world.tenants[0], NOBODY)) as conn:
        steps = boards.course(conn, panel, at=NOW, length=timedelta(hours=24))
        whole = boards.read(conn, panel.source, Window(NOW - timedelta(hours=24), NOW))
    assert sum(reading.count for _, reading in steps) == whole.count > 0
    assert [begin for begin, _ in steps] == sorted(begin for begin, _ in steps)
