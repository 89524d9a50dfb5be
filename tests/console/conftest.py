"""The console in front of a flight: a server in this process, and visitors who sign in by name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from starlette.testclient import TestClient

from aicp.api.server import make_server
from aicp.cli.supervise import free_port
from aicp.console.pages import routers
from aicp.web import SESSION_COOKIE
from console_visitor import Visitor, secret_for
from flight import Flight


@pytest.fixture
def server(flight: Flight) -> Any:
    return make_server(flight.app, pages=routers())


@pytest.fixture
def visit(flight: Flight, server: Any) -> Any:
    """Sign somebody in by name; "" is somebody nobody knows."""

    def as_(name: str = "") -> Visitor:
        http = TestClient(server, base_url="http://console.test")
        if name:
            http.cookies.set(SESSION_COOKIE, secret_for(flight, name, "session"))
        return Visitor(http)

    return as_


@pytest.fixture
def address(server: Any) -> Iterator[str]:
    """The console on a real port, ended afterwards."""
    port = free_port("127.0.0.1", 0)
    run = uvicorn.Server(uvicorn.Config(server, port=port, log_config=None))
    thread = threading.Thread(target=run.run)
    thread.start()
    while not run.started:
        thread.join(0.02)
        assert thread.is_alive()
    yield f"http://127.0.0.1:{port}"
    run.should_exit = run.force_exit = True
    thread.join(10)
