"""The four dashboards of the playbook as data, and what their panels show now (OB-1, domain.md 8).

Each panel says what it counts, over which window, what is too much or too little, from how many events on
that is judged, and what to do then. A figure of too few events is `thin`, never good; without any, `silent`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from statistics import median
from typing import Any, Literal

import yaml

from aicp.errors import NotFound
from aicp.kernel.db import Connection
from aicp.telemetry import series
from aicp.telemetry.catalogue import catalogue
from aicp.telemetry.series import Where, Window

NAMES = ("system-health", "mission-lifecycle", "agent-performance", "integration-health")
State = Literal["ok", "breach", "thin", "silent", "uncollected"]
WEEK, WEEKS, SAMPLES = (
    timedelta(days=7),
    4,
    3,
)  # a baseline: the same time of the last weeks, if enough of them


@dataclass(frozen=True, slots=True)
class Source:
    """What a panel counts: `count` or `rate` of events, a `ratio` of two sums, or a `percentile` in ms."""

    kind: Literal["count", "rate", "ratio", "percentile", "none"]
    part: tuple[Where, ...] = ()  # of one place, for every kind but ratio
    whole: tuple[Where, ...] = ()
    at: float = 0.95
    why: str = ""  # kind none: why nothing is collected


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure. `baseline` is how many times the usual value is a breach too."""

    name: str
    title: str
    unit: str
    source: Source
    window: timedelta
    threshold: float | None = None
    breach: Literal["above", "below", ""] = ""
    min_count: int = 1
    baseline: float | None = None
    action: str = ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    name: str
    title: str
    watch: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A value and how many events it is made of; None when there is none."""

    value: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A panel as it stands. `usual` is its baseline: the median of the same time in the last weeks."""

    panel: Panel
    reading: Reading
    usual: float | None
    state: State

    def as_dict(self) -> dict[str, Any]:
        panel = self.panel
        return {
            "panel": panel.name, "title": panel.title, "unit": panel.unit, "value": self.reading.value,
            "count": self.reading.count, "state": self.state, "usual": self.usual,
            "threshold": panel.threshold, "breach": panel.breach, "min_count": panel.min_count,
            "baseline": panel.baseline, "window_seconds": int(panel.window.total_seconds()),
            "action": panel.action, "why": panel.source.why,
        }  # fmt: skip


@cache
def dashboard(name: str) -> Dashboard:
    """A dashboard by name.

    Raises:
        NotFound: there is none of that name.
        ValueError: its file is not as it must be.
    """
    if name not in NAMES:
        raise NotFound(f"there is no dashboard {name[:60]}", hint=f"use {', '.join(NAMES)}")
    text = (files("aicp.telemetry") / f"dashboards/{name}.yaml").read_text(encoding="utf-8")
    said = yaml.safe_load(text)
    panels = tuple(_panel(one, given) for one, given in said["panels"].items())
    return Dashboard(name, said["title"], said["watch"], panels)


def show(conn: Connection, name: str, *, at: datetime) -> list[Shown]:
    """Every panel of a dashboard as it stands, for whom the connection is open."""
    return [
        shown(panel, lambda window, one=panel: read(conn, one.source, window), at=at)
        for panel in dashboard(name).panels
    ]


def shown(panel: Panel, reading: Callable[[Window], Reading], *, at: datetime) -> Shown:
    """A panel's figure, its usual value and its state."""
    if panel.source.kind == "none":
        return Shown(panel, Reading(None, 0), None, "uncollected")
    now = reading(Window(at - panel.window, at))
    usual = None
    if panel.baseline is not None:
        before = [reading(Window(at - n * WEEK - panel.window, at - n * WEEK)) for n in range(1, WEEKS + 1)]  # fmt: skip
        usual = usual_of(before, panel.min_count)
    return Shown(panel, now, usual, state_of(panel, now, usual))


def usual_of(readings: list[Reading], least: int) -> float | None:
    """The median of those made of enough events; None with fewer than three of them."""
    values = [one.value for one in readings if one.value is not None and one.count >= least]
    return median(values) if len(values) >= SAMPLES else None


def state_of(panel: Panel, now: Reading, usual: float | None) -> State:
    """What a figure means. Pure."""
    counts = panel.source.kind in ("count", "rate")  # of which nothing is a value too
    if now.value is None or (now.count == 0 and not counts):
        return "silent"
    if not counts and now.count < panel.min_count:
        return "thin"
    over = panel.threshold is not None and (
        now.value > panel.threshold if panel.breach == "above" else now.value < panel.threshold
    )
    odd = usual is not None and panel.baseline is not None and now.value > panel.baseline * usual
    return "breach" if over or odd else "ok"


def read(conn: Connection, source: Source, window: Window) -> Reading:
    """The value of a source over a window."""
    if source.kind == "ratio":
        part, whole = (
            sum(series.total(conn, window, where=one) for one in side)
            for side in (source.part, source.whole)
        )
        return Reading(part / whole if whole else None, whole)
    (where,) = source.part
    if source.kind == "percentile":
        found = series.figures(conn, window, where=where, parts=(source.at,))
        measured = sum(one.measured for one in found)
        return Reading(found[0].percentiles[source.at] if measured else None, measured)
    count = series.total(conn, window, where=where)
    each = window.length.total_seconds() if source.kind == "rate" else 1
    return Reading(count / each, count)


def course(
    conn: Connection, panel: Panel, *, at: datetime, length: timedelta, points: int = 24
) -> list[tuple[datetime, Reading]]:
    """A panel's value step by step, oldest first; the beginnings of the steps are given with them."""
    step = length / points
    begins = [at - length + n * step for n in range(points)]
    return [(begin, read(conn, panel.source, Window(begin, begin + step))) for begin in begins]


def as_dict(found: list[Shown], board: Dashboard) -> dict[str, Any]:
    """The dashboard as JSON has it."""
    told = asdict(board)
    return {
        "name": told["name"], "title": told["title"], "watch": told["watch"],
        "panels": [one.as_dict() for one in found],
    }  # fmt: skip


_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _panel(name: str, said: Mapping[str, Any]) -> Panel:
    given = dict(said)
    window = given.pop("window")
    return Panel(
        name, source=_source(given.pop("source")),
        window=timedelta(**{_UNITS[window[-1]]: int(window[:-1])}), **given,
    )  # fmt: skip


def _source(said: Mapping[str, Any]) -> Source:
    """Raises ValueError where an event is named that the catalogue lacks."""
    given = dict(said)
    one = (given.pop("of"),) if "of" in given else ()
    part, whole = given.pop("part", one), given.pop("whole", ())
    return Source(part=tuple(map(_where, part)), whole=tuple(map(_where, whole)), **given)


def _where(said: Mapping[str, Any]) -> Where:
    named = said.get("events")
    if unknown := sorted(set(named or ()) - catalogue().keys()):
        raise ValueError(f"a dashboard counts {', '.join(unknown)}, which is no event")
    return Where(events=tuple(named) if named else None, status=said.get("status"))
