"""A slow or absent database: senders are told when to come again, in bounded time, memory and threads (OB-4)."""

from __future__ import annotations

import dataclasses
import gc
import os
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from aicp.api import intake
from aicp.kernel.db import Database
from api.conftest import Server, bearer
from api.test_otlp import TRACE, rows, span, traces
from flight import Flight

BATCHES, SENDERS, MORE = 200, 16, 40 << 20


def rss() -> int:
    """Resident bytes of this process, which is the server's too."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def locked(flight: Flight) -> Iterator[psycopg.Connection]:
    """Somebody holds the table of spans."""
    with psycopg.connect(flight.owner_url) as conn:
        conn.execute("lock table telemetry_spans in share mode")  # it is still read
        yield conn


def a_batch(number: int) -> dict[str, Any]:
    note = [{"key": "note", "value": {"stringValue": "far away " * 200}}]
    return traces(*(span(spanId=f"{number:08x}{n + 1:08x}", attributes=note) for n in range(100)))


def test_a_slow_database_fills_neither_memory_nor_threads(
    flight: Flight, live_url: str, locked: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "WAIT_SECONDS", 0.25)
    headers = bearer(flight)
    body = a_batch(0)
    with httpx.Client(headers=headers, timeout=20) as client:

        def send(_: int) -> tuple[int, str]:
            said = client.post(f"{live_url}/v1/traces", json=body)
            return said.status_code, said.headers.get("retry-after", "")

        with ThreadPoolExecutor(SENDERS) as senders:
            list(
                senders.map(send, range(SENDERS))
            )  # everything is loaded and every thread is there
            gc.collect()
            before, threads = rss(), threading.active_count()
            answers = list(senders.map(send, range(BATCHES)))
            most = threading.active_count()
            gc.collect()
            grown = rss() - before
            assert client.get(f"{live_url}/api/missions").status_code == 200  # others are served
    assert set(answers) == {(429, "1"), (503, "5")}, Counter(answers)
    assert grown < MORE, f"{grown >> 20} MB more"
    assert most <= threads + 4
    locked.rollback()
    again = httpx.post(f"{live_url}/v1/traces", json=body, headers=headers, timeout=20)
    assert again.status_code == 200
    assert len(rows(flight, "telemetry_spans")) == 100


def test_a_database_that_is_away_is_told_in_time(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = bearer(server.flight)
    away = Database("postgresql://nobody@127.0.0.1:1/none", name="away", size=1)
    away.pool.timeout = 0.2
    state: Any = server.client.app.state  # type: ignore[attr-defined]
    monkeypatch.setattr(state, "aicp", dataclasses.replace(server.flight.app, db=away))
    for path, body in (("/v1/traces", traces(span())), ("/v1/logs", {}), ("/api/telemetry", [])):
        said = server.client.post(path, json=body, headers=headers)
        assert (path, said.status_code, said.headers["retry-after"]) == (path, 503, "5")
    away.pool.close()


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs", "/api/telemetry"])
def test_a_full_house_is_told_at_once_and_opens_again(server: Server, path: str) -> None:
    body: Any = [] if path.startswith("/api") else {}
    doors = server.client.app.state.doors = intake.Doors(1)  # type: ignore[attr-defined]
    with doors.enter():
        said = server.ask("POST", path, json=body)
    assert (said.status_code, said.headers["retry-after"]) == (429, "1")
    for _ in range(3):
        assert server.ask("POST", path, json=body).status_code == 200
    server.client.post(path, json=body)  # nobody is signed in
    assert doors.inside == 0


def test_a_body_that_does_not_come_in_frees_its_place(
    flight: Flight, live_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "WAIT_SECONDS", 0.1)
    ended = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield b"{"
        ended.wait(5)

    headers = bearer(flight) | {"Content-Type": "application/json"}
    said: list[int] = []
    sender = threading.Thread(
        target=lambda: said.append(
            httpx.post(f"{live_url}/v1/traces", content=slowly(), headers=headers).status_code
        )
    )
    sender.start()
    try:
        for _ in range(100):
            answer = httpx.post(f"{live_url}/v1/traces", json=traces(span()), headers=headers)
            if answer.status_code == 200:
                break
    finally:
        ended.set()
        sender.join(10)
    assert rows(flight, "telemetry_spans")[0]["trace_id"] == TRACE
    assert said == [400]
