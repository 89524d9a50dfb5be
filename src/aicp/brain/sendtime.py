"""When a mail may leave: the first moment inside a window, in its zone, through clock changes."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LOOKAHEAD = 15  # days: every weekday twice, and a day a clock change swallows


def zone_of(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, or None: cells may say anything."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def inside(moment: datetime, window: Mapping[str, Any], zone: ZoneInfo) -> bool:
    """Whether a moment lies in the window: its weekdays, from <= local time < until."""
    local = moment.astimezone(zone)
    start, end = time.fromisoformat(window["from"]), time.fromisoformat(window["until"])
    return local.isoweekday() in window["weekdays"] and start <= local.time() < end


def first_inside(moment: datetime, window: Mapping[str, Any], zone: ZoneInfo) -> datetime | None:
    """The first whole second at or after `moment` inside the window, in the zone; None if never."""
    earliest = _whole_second(moment)
    if inside(earliest, window, zone):
        return earliest.astimezone(zone)
    day = earliest.astimezone(zone).date()
    for ahead in range(LOOKAHEAD):
        opening = datetime.combine(day + timedelta(days=ahead), time.fromisoformat(window["from"]))
        for opens in _openings(opening, window, zone):
            if opens >= earliest and inside(opens, window, zone):
                return opens.astimezone(zone)
    return None


def _openings(wall: datetime, window: Mapping[str, Any], zone: ZoneInfo) -> tuple[datetime, ...]:
    """The moments a wall time can mean: one, two when the clock goes back, or the gap's end."""
    first, second = (wall.replace(tzinfo=zone, fold=f).astimezone(UTC) for f in (0, 1))
    if first <= second:
        return first, second
    # The clock skips this wall time: the window opens where the skipped stretch ends.
    seconds = range(int((first - second).total_seconds()) + 1)
    at = bisect_left(
        seconds, x=True, key=lambda n: inside(second + timedelta(seconds=n), window, zone)
    )
    return (second + timedelta(seconds=at),)


def _whole_second(moment: datetime) -> datetime:
    up = timedelta(seconds=1) if moment.microsecond else timedelta()
    return (moment.replace(microsecond=0) + up).astimezone(UTC)


class Spread:
    """Keeps the moments handed out at least `gap` apart, each in its own window."""

    def __init__(self, gap: timedelta) -> None:
        self.gap = gap
        self.taken: list[datetime] = []

    def first(self, moment: datetime, window: Mapping[str, Any], zone: ZoneInfo) -> datetime | None:
        """The first moment inside the window that keeps its distance from all earlier ones."""
        found = first_inside(moment, window, zone)
        while found is not None:
            near = self._near(found.astimezone(UTC))
            if near is None:
                insort(self.taken, found.astimezone(UTC))
                return found
            found = first_inside(near + self.gap, window, zone)
        return None

    def _near(self, moment: datetime) -> datetime | None:
        at = bisect_left(self.taken, moment)
        close = [t for t in self.taken[max(0, at - 1) : at + 1] if abs(t - moment) < self.gap]
        return max(close, default=None)
