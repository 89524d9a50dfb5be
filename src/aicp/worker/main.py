"""One worker process: takes jobs until it is told to stop, on this machine or any other."""

from __future__ import annotations

from aicp.app import build, database_url
from aicp.kernel.jobs import work
from aicp.missions.jobs import tasks
from aicp.settings import from_env
from aicp.telemetry.logs import configure


def main() -> None:
    settings = from_env()
    configure("worker", env=settings.env, level=settings.log_level)
    url = database_url(settings)
    app = build(settings, name="worker", url=url)
    try:
        work(
            url,
            tasks(app.services),
            concurrency=4,
            heartbeat_seconds=settings.integer("heartbeat_seconds"),
            stalled_seconds=settings.integer("stalled_seconds"),
        )
    finally:
        app.close()


if __name__ == "__main__":
    main()
