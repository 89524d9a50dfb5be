"""Figures equal a recount of the events, whatever is rolled up, late or cut off (OB-4)."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicp.errors import BadInput
from aicp.kernel.db import NOBODY, Actor, Database
from aicp.kernel.ids import new_uuid
from aicp.telemetry import days, rollup, series
from aicp.telemetry.series import Where, Window
from conftest import Cluster

NOW = datetime(2026, 11, 23, 9, 2, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Event:
    tenant: UUID
    at: datetime
    event_type: str
    toolkit: str
    stage: str
    status: str
    ms: float | None


@dataclass
class World:
    db: Database
    owner: str
    tenants: tuple[UUID, UUID]
    events: list[Event]

    def add(self, events: list[Event]) -> None:
        self.events += events
        with self.db.service() as conn, conn.cursor() as cur:
            cur.executemany(
                "insert into telemetry_events (tenant_id, event_type, toolkit, stage, status, duration_ms, context,"
                " payload_sha, correlation_id, created_at) values (%s, %s, %s, %s, %s, %s, '{}', '', '', %s)",
                [(e.tenant, e.event_type, e.toolkit, e.stage, e.status, e.ms, e.at) for e in events],
            )  # fmt: skip

    def some(self, rng: random.Random, n: int, since: datetime, until: datetime) -> list[Event]:
        span = (until - since).total_seconds()
        return [
            Event(
                rng.choice(self.tenants), since + timedelta(seconds=rng.random() * span),
                rng.choice(["composio_tool_call", "composio_discovery"]), rng.choice(["", "gmail", "crm"]),
                rng.choice(["", "Plan"]), rng.choice(["success", "error"]),
                rng.choice([None, 0.0, rng.lognormvariate(4, 2)]),
            )
            for _ in range(n)
        ]  # fmt: skip


@pytest.fixture
def world(cluster: Cluster) -> Iterator[World]:
    yield from make_world(cluster)


def make_world(cluster: Cluster) -> Iterator[World]:
    """Two tenants in a database of their own, gone afterwards."""
    name = cluster.clone()
    db = Database(cluster.url(name), name="test", size=2)
    tenants = (new_uuid(), new_uuid())
    with psycopg.connect(cluster.owner_url(name)) as conn:
        for n, tenant in enumerate(tenants):
            conn.execute("insert into tenants values (%s, %s, 'T', now())", (tenant, f"t{n}"))
    yield World(db, cluster.owner_url(name), tenants, [])
    db.close()
    cluster.drop(name)


def recount(events: list[Event], window: Window, key: str) -> dict[str, tuple[int, int, int, float, list[float]]]:  # fmt: skip
    """n, errors, measured, sum and the durations of each group, by brute force."""
    found: dict[str, tuple[int, int, int, float, list[float]]] = {}
    for e in events:
        if window.start <= e.at < window.end:
            n, errors, measured, total, values = found.get(getattr(e, key), (0, 0, 0, 0.0, []))
            here = [] if e.ms is None else [e.ms]
            found[getattr(e, key)] = (
                n + 1, errors + (e.status == "error"), measured + len(here), total + sum(here), values + here,
            )  # fmt: skip
    return found


def assert_equal(world: World, window: Window, key: series.Key, tenant: UUID | None = None) -> None:
    events = [e for e in world.events if tenant in (None, e.tenant)]
    with world.db.service() if tenant is None else world.db.transaction(Actor(tenant, NOBODY)) as c:
        got = series.figures(c, window, by=(key,))
    told = {getattr(f, key): f for f in got}
    expected = recount(events, window, key)
    assert told.keys() == expected.keys()
    for name, (n, errors, measured, total, values) in expected.items():
        figure = told[name]
        assert (figure.n, figure.errors, figure.measured) == (n, errors, measured)
        assert figure.sum_ms == pytest.approx(total)
        for part, value in figure.percentiles.items():
            if not values:
                assert value is None
                continue
            exact = sorted(values)[math.ceil(part * len(values)) - 1]
            assert value == pytest.approx(exact, rel=0.045), (part, name)


WINDOWS = [
    Window(NOW - 15 * MINUTE, NOW),
    Window(NOW - DAY, NOW),
    Window(NOW - 9 * DAY - timedelta(seconds=17), NOW - timedelta(seconds=3)),
    Window(NOW - 8 * DAY, NOW - 7 * HOUR),
    Window(NOW - 3 * MINUTE, NOW - MINUTE),
]


def test_figures_equal_a_recount_before_and_after_rolling_up_and_when_events_come_late(
    world: World,
) -> None:
    rng = random.Random(5)
    with world.db.service() as conn:
        conn.execute("select app.make_days(%s, 11)", ((NOW - 10 * DAY).date(),))
    world.add(world.some(rng, 600, NOW - 10 * DAY, NOW))
    world.add(world.some(rng, 150, NOW - 20 * MINUTE, NOW))
    for _ in range(3):  # never rolled up; rolled up; late events before and after the next run
        for window in WINDOWS:
            assert_equal(world, window, rng.choice(series.KEYS))
            assert_equal(world, window, rng.choice(series.KEYS), tenant=world.tenants[0])
        rollup.roll_up(world.db, at=NOW)
        world.add(world.some(rng, 40, NOW - 10 * MINUTE, NOW))  # late, within what is waited for
        for window in WINDOWS:
            assert_equal(world, window, "event_type")
        world.add(world.some(rng, 40, NOW - 9 * DAY, NOW - HOUR))  # later still
        rollup.roll_up(world.db, at=NOW)


def test_rolling_up_again_changes_nothing_and_counts_the_late(world: World) -> None:
    rng = random.Random(6)
    world.add(world.some(rng, 200, NOW - 3 * HOUR, NOW))
    rollup.roll_up(world.db, at=NOW)
    before = _rollups(world)
    rollup.roll_up(world.db, at=NOW)
    assert _rollups(world) == before
    world.add(world.some(rng, 7, NOW - 2 * HOUR, NOW - HOUR))
    rollup.roll_up(world.db, at=NOW - HOUR)  # a clock that ran back does not take the mark back
    with world.db.service() as conn:
        assert conn.execute("select rolled_to, late from app.telemetry_watermark").fetchone() == (
            rollup.floor(NOW, rollup.STEP),
            7,
        )
    assert sum(n for *_, n in _rollups(world)) == 207 * 2 - 2 * len(_after(world))


def _after(world: World) -> list[Event]:
    return [e for e in world.events if e.at >= rollup.floor(NOW, rollup.STEP)]


def _rollups(world: World) -> list[tuple[object, ...]]:
    with world.db.service() as conn:
        return conn.execute(
            "select 5 as per, bucket, event_type, toolkit, stage, status, value_bucket, tenant_id, n from telemetry_rollup_5m"
            " union all select 60, bucket, event_type, toolkit, stage, status, value_bucket, tenant_id, n"
            " from telemetry_rollup_1h order by 1, 2, 3, 4, 5, 6, 7, 8"
        ).fetchall()


def test_a_series_has_a_point_for_each_step_and_ratios_have_their_counts(world: World) -> None:
    tenant = world.tenants[0]
    call = [
        Event(tenant, NOW - n * MINUTE, "composio_tool_call", "crm", "Plan", s, 100.0)
        for n, s in ((61, "error"), (59, "success"), (3, "success"), (1, "error"), (1, "success"))
    ]
    world.add(call)
    rollup.roll_up(world.db, at=NOW)
    window, eight = Window(NOW - 2 * HOUR, NOW), NOW.replace(hour=8, minute=0, second=0)
    with world.db.transaction(Actor(tenant, NOBODY)) as conn:
        points = series.figures(conn, window, step=HOUR, parts=(0.5,))
        fine = series.figures(conn, Window(NOW - 5 * MINUTE, NOW), step=MINUTE)
        failed = series.error_ratio(conn, window, where=Where(toolkit="crm"))
        none = series.ratio(conn, window, Where(events=("composio_discovery",)), Where(events=()))
        speed = series.rate(conn, window)
    assert [(p.at, p.n, p.errors) for p in points] == [(eight, 3, 1), (eight + HOUR, 2, 1)]
    assert points[1].percentiles[0.5] == pytest.approx(100, rel=0.045)
    assert (points[1].mean_ms, points[1].error_ratio) == (100, 0.5)
    assert [(p.at, p.n) for p in fine] == [(NOW - 3 * MINUTE, 1), (NOW - MINUTE, 2)]
    assert (failed.part, failed.whole, failed.value) == (2, 5, 0.4)
    assert (none.whole, none.value) == (0, None)
    assert speed == pytest.approx(5 / 7200)


def test_a_tenant_sees_its_own_figures_only(world: World) -> None:
    one, two = world.tenants
    world.add(world.some(random.Random(1), 50, NOW - DAY, NOW))
    rollup.roll_up(world.db, at=NOW)
    window = Window(NOW - 2 * DAY, NOW)
    with world.db.transaction(Actor(one, NOBODY)) as conn:
        assert series.total(conn, window) == sum(e.tenant == one for e in world.events)
        assert series.total(conn, window, where=Where(tenant=two)) == 0
    with world.db.service() as conn:
        assert series.total(conn, window) == 50
        assert series.total(conn, window, where=Where(tenant=two)) == sum(e.tenant == two for e in world.events)  # fmt: skip


def test_what_is_no_window_key_step_or_part_is_refused(world: World) -> None:
    window = Window(NOW - HOUR, NOW)
    with pytest.raises(BadInput, match="before it begins"):
        Window(NOW, NOW)
    with world.db.service() as conn:
        with pytest.raises(BadInput, match="tenant_id"):
            series.figures(conn, window, by=("tenant_id",))  # type: ignore[arg-type]
        with pytest.raises(BadInput, match="step"):
            series.figures(conn, window, step=timedelta(0))
        with pytest.raises(BadInput, match="percentile"):
            series.figures(conn, window, parts=(95,))


@given(
    st.integers(1, 20 * 24 * 60), st.integers(1, 20 * 24 * 60),
    st.sampled_from([None, MINUTE, 5 * MINUTE, HOUR, DAY]), st.one_of(st.none(), st.integers(0, 9000)),
)  # fmt: skip
def test_the_stretches_of_a_plan_meet_and_never_overlap(
    begin: int, length: int, step: timedelta | None, rolled: int | None
) -> None:
    start = NOW - begin * MINUTE
    window = Window(start, start + length * MINUTE)
    rolled_to = None if rolled is None else rollup.floor(NOW - rolled * MINUTE, rollup.STEP)
    p = series.plan(window, step, rolled_to)
    assert window.start == p["start"] <= p["head"] == p["m0"] <= p["m1"] == p["tail"] <= p["end"]
    assert p["m0"] <= p["h0"] <= p["h1"] <= p["m1"]
    if p["m0"] < p["m1"]:
        assert rolled_to is not None
        assert p["m1"] <= rolled_to - rollup.LATE
        assert all(rollup.floor(p[n], rollup.STEP) == p[n] for n in ("m0", "m1"))
    if p["h0"] < p["h1"]:
        assert all(rollup.floor(p[n], HOUR) == p[n] for n in ("h0", "h1"))


# Days ---------------------------------------------------------------------------------------


def partitions(world: World) -> dict[str, tuple[bool, bool]]:
    with psycopg.connect(world.owner) as conn:
        rows = conn.execute(
            "select relname, relrowsecurity, relforcerowsecurity from pg_class where relispartition and relkind = 'r'"
        )
        return {name: (on, forced) for name, on, forced in rows}


def test_days_are_made_ahead_once_and_every_partition_forces_row_security(world: World) -> None:
    at = datetime(2031, 2, 26, 23, 30, tzinfo=UTC)
    assert days.make(world.db, at=at) == 3 * 8
    assert days.make(world.db, at=at) == 0
    assert days.make(world.db, at=at + DAY) == 3
    found = partitions(world)
    assert {"telemetry_events_20310226", "telemetry_logs_20310306"} <= found.keys()
    assert set(found.values()) == {(True, True)}


def test_rows_without_a_day_wait_are_reported_and_move_when_it_is_made(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    at = datetime(2031, 2, 26, 23, 59, 59, tzinfo=UTC)
    world.add(world.some(random.Random(2), 9, at, at + timedelta(milliseconds=900)))
    world.add(world.some(random.Random(2), 2, at + 30 * DAY, at + 30 * DAY + MINUTE))
    assert days.strays(world.db) == {"telemetry_events": 11}
    days.make(world.db, at=at)
    assert days.strays(world.db) == {"telemetry_events": 2}
    with psycopg.connect(world.owner) as conn:
        moved = conn.execute("select count(*), count(distinct id) from telemetry_events_20310226")
        assert moved.fetchone() == (9, 9)
    with world.db.transaction(Actor(world.tenants[0], NOBODY)) as conn:
        rows = conn.execute("select distinct tenant_id from telemetry_events").fetchall()
    assert rows == [(world.tenants[0],)]
    assert "no partition" in json.dumps(capsys.readouterr())


def test_a_partition_shows_nobody_anything_by_its_own_name(world: World) -> None:
    world.add(world.some(random.Random(3), 5, NOW - MINUTE, NOW))
    for name in sorted(partitions(world))[:3]:
        for role in ("authenticated", "service_role", "anon"):
            with psycopg.connect(world.owner) as conn:
                conn.execute(f"set role {role}")
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(f"select count(*) from {name}")  # type: ignore[arg-type]
