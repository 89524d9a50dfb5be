"""Durable jobs on procrastinate: enqueued in our own transaction, taken over when a worker dies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import procrastinate
from psycopg.types.json import Jsonb

from aicp.kernel.db import Connection

QUEUE_SCHEMA = "queue"
log = logging.getLogger("aicp.jobs")


def enqueue(
    conn: Connection,
    task: str,
    args: dict[str, Any],
    *,
    lock: str,
    unique: str | None = None,
    at: datetime | None = None,
    priority: int = 0,
    queue: str = "missions",
) -> None:
    """Queue a job in the caller's transaction: the row and its job commit together or not at all.

    Args:
        lock: jobs of one lock run one at a time, in order.
        unique: while a job of this name waits, another is not added.
        at: not before this time.
        priority: higher first.
    """
    conn.execute(
        "select app.enqueue(%s, %s, %s, %s, %s, %s, %s)",
        (queue, task, lock, unique, Jsonb(args), at, priority),
    )


def queue_app(url: str) -> procrastinate.App:
    """The queue as a worker sees it; its tables live in their own schema."""
    connector = procrastinate.PsycopgConnector(
        conninfo=url,
        kwargs={"options": f"-c search_path={QUEUE_SCHEMA}", "application_name": "aicp:queue"},
        min_size=1,
        max_size=4,
    )
    return procrastinate.App(connector=connector)


def work(
    url: str,
    tasks: dict[str, Callable[..., None]],
    *,
    concurrency: int,
    heartbeat_seconds: int,
    stalled_seconds: int,
    periodic: Mapping[str, tuple[str, Callable[[], object]]] = MappingProxyType({}),
) -> None:
    """Run jobs until SIGTERM or SIGINT. Jobs of workers that fell silent are taken over.

    Args:
        tasks: handler by task name; it gets the job's args as keywords and runs in a thread.
        periodic: what is done again and again, by task name: (cron in UTC, function).
    """
    app = queue_app(url)
    for name, handler in tasks.items():
        retry = procrastinate.RetryStrategy(max_attempts=20, linear_wait=1)
        app.task(name=name, retry=retry)(handler)
    for name, (cron, run) in periodic.items():
        _again_and_again(app, name, cron, run)
    asyncio.run(_work(app, concurrency, heartbeat_seconds, stalled_seconds))


def _again_and_again(
    app: procrastinate.App, name: str, cron: str, run: Callable[[], object]
) -> None:
    """One job each time it is due, whichever worker notices; a failed one is not tried again, the next is."""

    def due(timestamp: int) -> None:  # noqa: ARG001  the queue tells when it was due, by this name
        run()

    task = app.task(name=name, queue="missions", lock=name, queueing_lock=name)(due)
    app.periodic(cron=cron)(task)


async def _work(app: procrastinate.App, concurrency: int, heartbeat: int, stalled: int) -> None:
    async with app.open_async():
        rescuer = asyncio.create_task(_rescue_forever(app, stalled))
        try:
            await app.run_worker_async(
                queues=["missions"],
                concurrency=concurrency,
                fetch_job_polling_interval=2.0,
                update_heartbeat_interval=heartbeat,
                stalled_worker_timeout=stalled,
                delete_jobs="successful",
                shutdown_graceful_timeout=10.0,
            )
        finally:
            rescuer.cancel()


async def _rescue_forever(app: procrastinate.App, stalled: int) -> None:
    while True:
        try:
            await rescue(app, stalled)
        except Exception:  # the database may be restarting: the next round tries again
            log.warning("looking for stalled jobs failed", exc_info=True)
        await asyncio.sleep(max(1.0, stalled / 4))


async def rescue(app: procrastinate.App, stalled_seconds: float) -> int:
    """Give every job of a silent worker back to the queue; returns how many."""
    jobs = list(await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=stalled_seconds))
    for job in jobs:
        log.warning(
            "job taken over from a dead worker", extra={"job": job.id, "task": job.task_name}
        )
        await app.job_manager.retry_job(job)
    return len(jobs)
