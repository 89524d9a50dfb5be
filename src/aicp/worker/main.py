"""One worker process: takes jobs until it is told to stop, on this machine or any other."""

from __future__ import annotations

from threading import Thread

from aicp.app import build
from aicp.kernel.clock import Clock
from aicp.kernel.jobs import work
from aicp.missions import followups
from aicp.missions.jobs import tasks
from aicp.settings import from_env
from aicp.telemetry.logs import configure, log
from aicp.tracker import Tracker
from aicp.worker.followups import reactions
from aicp.worker.schedules import periodic


def main() -> None:
    settings = from_env()
    configure("worker", env=settings.env, level=settings.log_level)
    app = build(settings, name="worker")
    Thread(target=warm_up, args=(app.clock,), name="warm-up", daemon=True).start()
    try:
        with app.db.service() as conn:
            followups.replay(conn)
        work(
            app.db.direct,
            tasks(app.services) | reactions(app.services, Tracker(settings.issues_dir)),
            concurrency=4,
            heartbeat_seconds=settings.integer("heartbeat_seconds"),
            stalled_seconds=settings.integer("stalled_seconds"),
            periodic=periodic(app),
        )
    finally:
        app.close()


def warm_up(clock: Clock) -> None:
    """Load the agents and the parsers of words while the worker already waits for its first job.

    They take seconds to import. A small intent read by the rules touches all of them and nothing else:
    no database, no file, no network. If it fails, the first job will say why.
    """
    try:
        from aicp.brain.agents import run_intake

        run_intake("Write to all accounts that went quiet in Q2.", [], now=clock())
    except Exception:  # noqa: BLE001
        log.warning("the agents could not be loaded ahead", exc_info=True)


if __name__ == "__main__":
    main()
