"""What the workers do again and again: one row a job, run by whichever worker is free.

Times are UTC cron; the queue starts each once, however many workers there are, and not while it still runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from aicp.app import App
from aicp.telemetry import days, rollup


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job: its name in the queue, when it runs (cron, five fields), and what it does.

    `run` opens its own transaction and may be run again at any time: after a crash it is.
    """

    name: str
    cron: str
    run: Callable[[App], object]


SCHEDULES: tuple[Schedule, ...] = (
    Schedule("telemetry_days", "7 * * * *", lambda app: days.make(app.db, at=app.clock())),
    Schedule("telemetry_rollup", "* * * * *", lambda app: rollup.roll_up(app.db, at=app.clock())),
    Schedule("audit_seal", "23 * * * *", lambda app: app.seal()),
)


def periodic(app: App) -> dict[str, tuple[str, Callable[[], object]]]:
    """The schedules as the queue takes them: name -> (cron, function)."""
    return {s.name: (s.cron, partial(s.run, app)) for s in SCHEDULES}
