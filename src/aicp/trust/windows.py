"""When something may leave: the first moment inside a window, in its zone, through clock changes. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LOOKAHEAD = 15  # days: every weekday twice, and a day a clock change swallows
Window = Mapping[str, Any]  # {"weekdays": [1..7], "from": "09:00", "until": "17:00", "zone": …}


def zone_of(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, or None: cells may say anything."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zone_for(window: Window, recipient: str) -> ZoneInfo | None:
    """The zone a window is kept in: its own, else the recipient's; None when that is not known."""
    named = window.get("zone") or "recipient"
    said = recipient if named == "recipient" else named
    return zone_of(str(said)) if said else None


def inside(moment: datetime, window: Window, zone: ZoneInfo) -> bool:
    """Whether a moment lies in the window: its weekdays, from <= local time < until."""
    local = moment.astimezone(zone)
    opens, closes = time.fromisoformat(window["from"]), time.fromisoformat(window["until"])
    days = window.get("weekdays") or range(1, 8)
    return local.isoweekday() in days and opens <= local.time() < closes


def first_inside(moment: datetime, window: Window, zone: ZoneInfo) -> datetime | None:
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


def next_opening(window: Window, recipient: str, after: datetime) -> datetime | None:
    """The first moment inside, in UTC, for a recipient's zone; None if never or the zone is unknown."""
    zone = zone_for(window, recipient)
    found = first_inside(after, window, zone) if zone else None
    return found.astimezone(UTC) if found else None


def _openings(wall: datetime, window: Window, zone: ZoneInfo) -> tuple[datetime, ...]:
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
