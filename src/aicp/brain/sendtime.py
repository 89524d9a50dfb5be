"""Several moments in their windows, kept apart."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aicp.trust.windows import first_inside


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
