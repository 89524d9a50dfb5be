"""The server process: JSON and pages from one application, started by `python -m aicp.serve`."""

from __future__ import annotations

import uvicorn

from aicp.api.server import make_server
from aicp.app import build
from aicp.console.pages import routers
from aicp.settings import from_env
from aicp.telemetry.logs import configure


def main() -> None:
    settings = from_env()
    configure("server", env=settings.env, level=settings.log_level)
    app = build(settings, name="server")
    uvicorn.run(
        make_server(app, pages=routers()),
        host=settings.host,
        port=settings.integer("port"),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
        server_header=False,
    )


if __name__ == "__main__":
    main()
