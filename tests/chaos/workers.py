"""Workers in processes of their own that are killed, and the one that takes over."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

import killer
from aicp.app import build
from flight import Flight, settings_for

# The process that workers are forked from finds the test helpers as this one does.
_FOLDERS = (str(Path(killer.__file__).parent), os.environ.get("PYTHONPATH"))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, _FOLDERS))
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(killer.PRELOAD)


def fly_until(flight: Flight, boundary: int | str, victim: int = 0) -> bool:
    """A worker (or what it runs on) killed at that boundary; False when it got to the end before.

    Args:
        boundary: the number of a boundary, or the name of one: its first time (`killer`).
    """
    worker = PROCESSES.Process(
        target=killer.fly,
        args=(str(flight.folder), flight.url, flight.people, flight.clock(), boundary, victim),
    )
    worker.start()
    worker.join(60)
    if worker.is_alive():
        worker.kill()
        raise AssertionError(f"the worker hangs at boundary {boundary}")
    assert worker.exitcode in {0, killer.REACHED, -signal.SIGKILL}, (boundary, worker.exitcode)
    return worker.exitcode != 0


def take_over(flight: Flight) -> None:
    """Another worker: jobs of the dead one return to the queue, as the rescue does it."""
    with psycopg.connect(flight.url, autocommit=True, options="-c search_path=queue") as conn:
        conn.execute(
            "delete from procrastinate_jobs d where status = 'doing' and exists (select 1 from"
            " procrastinate_jobs t where t.status = 'todo' and t.queueing_lock = d.queueing_lock)"
        )
        conn.execute("update procrastinate_jobs set status = 'todo' where status = 'doing'")
    with_app(flight, flight.work)
    flight.clock.advance(minutes=5)  # an interrupted delivery is judged when the server has settled
    with_app(flight, flight.work)


def with_app(flight: Flight, work: Callable[[], Any]) -> Any:
    """Do something with an app of its own, which is closed afterwards."""
    flight.app = build(
        settings_for(flight.folder, hold_seconds="0"),
        name="chaos",
        url=flight.url,
        clock=flight.clock,
    )
    try:
        return work()
    finally:
        flight.app.close()
