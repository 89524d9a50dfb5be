"""A server on a flight: in process for single answers, over a real socket for streams."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
import uvicorn
from starlette.testclient import TestClient

from aicp.api.server import make_server
from aicp.people import sessions
from aicp.people.tenants import Person
from flight import Flight


def token(flight: Flight, name: str = "riley") -> str:
    actor = flight.people[name]
    person = Person(actor.person_id, actor.tenant_id, "", name, actor.roles)
    with flight.app.db.service() as conn:
        return sessions.issue(conn, person, "token", at=flight.clock())


def bearer(flight: Flight, name: str = "riley") -> dict[str, str]:
    return {"Authorization": f"Bearer {token(flight, name)}"}


@dataclass
class Server:
    """The flight's server in process; `ask` speaks as a person."""

    flight: Flight
    client: TestClient

    def ask(self, method: str, path: str, *, by: str = "riley", **given) -> httpx.Response:
        headers = (
            bearer(self.flight, by)
            | {"Content-Type": "application/json"}
            | given.pop("headers", {})
        )
        return self.client.request(method, path, headers=headers, **given)


@pytest.fixture
def server(flight: Flight) -> Server:
    """Without its lifespan: single answers need no listening connection."""
    app = make_server(flight.app)
    return Server(flight, TestClient(app, raise_server_exceptions=False))


@pytest.fixture
def live_url(flight: Flight) -> Iterator[str]:
    """A real server on a real socket."""
    config = uvicorn.Config(
        make_server(flight.app), port=0, log_config=None, access_log=False, timeout_graceful_shutdown=1
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    config.load()
    sock = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
