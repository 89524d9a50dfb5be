"""Held mails leave inside their window, whatever the zone and the clock change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aicp.brain.sendtime import Spread
from aicp.trust.windows import first_inside, inside, zone_of

ZONES = st.sampled_from([
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "America/Sao_Paulo",
    "Africa/Casablanca", "Atlantic/Azores", "Asia/Tehran", "Pacific/Chatham", "America/St_Johns", "UTC",
]).map(ZoneInfo)  # fmt: skip
MOMENTS = st.datetimes(datetime(2011, 12, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
HOURS = st.tuples(st.integers(0, 23 * 60), st.integers(1, 60 * 8)).map(
    lambda p: (p[0], min(p[0] + p[1], 1439))
)
DAYS = st.sets(st.integers(1, 7), min_size=1).map(sorted)


def window(days, hours):
    start, until = (f"{m // 60:02}:{m % 60:02}" for m in hours)
    return {"weekdays": days, "from": start, "until": until}


@settings(max_examples=400, deadline=None)
@given(MOMENTS, ZONES, DAYS, HOURS)
def test_the_moment_is_inside_and_none_earlier_would_do(now, zone, days, hours):
    rule = window(days, hours)
    found = first_inside(now, rule, zone)
    if found is None:  # a narrow window on a day the zone skipped, or in a skipped hour
        return
    assert found >= now
    assert inside(found, rule, zone)
    minutes = int((found - now).total_seconds() // 60)
    sampled = (now + timedelta(minutes=m) for m in range(1, minutes, max(1, minutes // 200)))
    assert not any(inside(m, rule, zone) for m in sampled)


@pytest.mark.parametrize(
    ("now", "zone", "expected"),
    [
        (
            "2026-03-29T00:00:00+00:00",
            "Europe/Berlin",
            "2026-03-29T03:00:00+02:00",
        ),  # 02:30 does not exist
        (
            "2026-10-25T00:00:00+00:00",
            "Europe/Berlin",
            "2026-10-25T02:30:00+02:00",
        ),  # 02:30 exists twice
        ("2026-10-25T00:40:00+00:00", "Europe/Berlin", "2026-10-25T02:40:00+02:00"),
        ("2026-10-25T01:00:00+00:00", "Europe/Berlin", "2026-10-25T02:30:00+01:00"),
    ],
)
def test_clock_changes(now, zone, expected):
    rule = {"weekdays": [7], "from": "02:30", "until": "04:00"}
    assert first_inside(datetime.fromisoformat(now), rule, ZoneInfo(zone)).isoformat() == expected


@settings(max_examples=60, deadline=None)
@given(MOMENTS, st.lists(ZONES, min_size=1, max_size=12), DAYS, st.integers(1, 3600))
def test_a_rate_keeps_mails_apart_and_inside(now, zones, days, gap):
    rule, spread = window(days, (9 * 60, 17 * 60)), Spread(timedelta(seconds=gap))
    moments = [spread.first(now, rule, zone) for zone in zones]
    assert all(inside(m, rule, z) for m, z in zip(moments, zones, strict=True))
    ordered = sorted(m.astimezone(UTC) for m in moments)
    assert all(b - a >= timedelta(seconds=gap) for a, b in pairwise(ordered))


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "../../etc/passwd", "Europe/Berlin\r\n", "/etc/localtime"]
)
def test_a_cell_that_is_no_zone_is_none(name):
    assert zone_of(name) is None
