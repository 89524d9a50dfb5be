"""kill -9 of the server while telemetry comes in: what was acknowledged is there, once (OB-4)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from aicp.cli.supervise import free_port
from aicp.people import sessions
from aicp.people.tenants import Person
from flight import Flight

pytestmark = pytest.mark.chaos

SENDERS, BATCH, KILL_AFTER = 4, 20, 12  # batches that were acknowledged before the kill
PATIENCE = 30  # seconds, for a server to start


@dataclass
class Served:
    url: str
    process: subprocess.Popen[bytes]


@pytest.fixture
def served(flight: Flight) -> Iterator[Served]:
    """The real server process on the flight's database."""
    port = free_port("127.0.0.1", 0)
    env = os.environ | {
        "DATABASE_URL": flight.url, "AICP_DATA_DIR": str(flight.folder / "data"), "AICP_PORT": str(port),
        "AICP_ISSUES_DIR": str(flight.folder / "ops"),
    }  # fmt: skip
    with Path(flight.folder, "serve.log").open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "aicp.serve"], env=env, stdout=sink, stderr=sink
        )
        yield Served(f"http://127.0.0.1:{port}", process)
        process.kill()
        process.wait(10)


def test_every_acknowledged_record_survives_the_death_of_the_server(
    flight: Flight, served: Served
) -> None:
    headers = {"Authorization": f"Bearer {_token(flight)}"}
    _until_up(served, headers)
    kept: list[str] = []
    lock = threading.Lock()

    def send(sender: int) -> int:
        """Send until the server is gone; returns how many batches were sent."""
        with httpx.Client(headers=headers, timeout=10) as client:
            for number in range(100_000):
                ids = [f"{sender + 1:04x}{number:08x}{n:04x}" for n in range(BATCH)]
                try:
                    said = client.post(f"{served.url}/v1/traces", json=_batch(ids))
                except httpx.TransportError:
                    return number + 1
                if said.status_code == 200:
                    with lock:
                        kept.extend(ids)
                        if len(kept) == KILL_AFTER * BATCH:
                            os.kill(served.process.pid, signal.SIGKILL)
        raise AssertionError("the server was not killed")

    with ThreadPoolExecutor(SENDERS) as senders:
        sent = sum(senders.map(send, range(SENDERS))) * BATCH
    assert served.process.wait(10) == -signal.SIGKILL
    with flight.app.transaction(flight.people["riley"]) as conn:
        there = [
            str(row[0]) for row in conn.execute("select span_id from telemetry_spans").fetchall()
        ]
    assert set(kept) <= set(there)
    assert len(there) == len(set(there))
    assert KILL_AFTER * BATCH <= len(kept) <= len(there) <= sent
    assert len(there) % BATCH == 0  # a batch is there whole, or not at all


def _token(flight: Flight) -> str:
    """A token by the real clock, which the server has."""
    actor = flight.people["riley"]
    person = Person(actor.person_id, actor.tenant_id, "", "riley", actor.roles)
    with flight.app.db.service() as conn:
        return sessions.issue(conn, person, "token", at=datetime.now(UTC))


def _until_up(served: Served, headers: dict[str, str]) -> None:
    transport = httpx.HTTPTransport(retries=8)  # with growing pauses between
    with httpx.Client(transport=transport, headers=headers, timeout=PATIENCE) as client:
        assert client.get(f"{served.url}/api/missions").status_code == 200


def _batch(ids: list[str]) -> dict[str, Any]:
    now = str(time.time_ns())
    spans = [
        {"traceId": f"{1:032x}", "spanId": one, "name": "chat m-1", "startTimeUnixNano": now,
         "endTimeUnixNano": now}
        for one in ids
    ]  # fmt: skip
    return {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
