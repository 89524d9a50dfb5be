"""The console in front of a flight: a server in this process, and visitors who sign in by name."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from aicp.api.server import make_server
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
