"""The stream: everything recorded, in order, once, also across a break; and nobody else's (MI-5)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from aicp import web
from aicp.api import stream as stream_module
from aicp.missions import define
from aicp.people import sessions
from aicp.telemetry.record import record
from aicp.web import SESSION_COOKIE
from api.conftest import Server, bearer
from console_visitor import secret_for
from flight import NOW, Flight, land, take_off


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(web, "SIGNED_IN_SECONDS", 0.3)


@contextmanager
def listening(url: str, path: str, headers: dict[str, str]) -> Iterator[Iterator[Any]]:
    """Frames of a stream: events as dicts, heartbeats as None."""
    client = httpx.Client(trust_env=False, timeout=20)
    with client, client.stream("GET", f"{url}{path}", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _frames(answer)


def _frames(answer: httpx.Response) -> Iterator[Any]:
    seen = ""
    for line in answer.iter_lines():
        if line.startswith("id: "):
            seen = line[4:]
        elif line.startswith("data: "):
            event = json.loads(line[6:])
            assert str(event["id"]) == seen
            yield event
        elif line.startswith(":"):
            yield None


def until_quiet(frames: Iterator[Any]) -> list[dict[str, Any]]:
    """Every event up to the first heartbeat."""
    found = []
    for frame in frames:
        if frame is None:
            return found
        found.append(frame)
    raise AssertionError("the stream ended")


def recorded(flight: Flight) -> list[int]:
    with flight.app.transaction(flight.people["riley"]) as conn:
        return [int(str(r[0])) for r in conn.execute("select id from telemetry_events order by id")]


def write(flight: Flight, n: int, hold: Callable[[], object] | None = None) -> None:
    riley = flight.people["riley"]
    with flight.app.transaction(riley) as conn:
        record(conn, riley, "hold_released", {"action_id": n}, at=NOW)
        if hold:
            hold()


@pytest.mark.usefixtures("brisk")
def test_first_what_was_then_what_happens_in_order_and_resumed_without_loss(
    flight: Flight, live_url: str
) -> None:
    mission = flight.to_plan()
    path, headers = f"/api/missions/{mission}/stream", bearer(flight)
    with listening(live_url, path, headers) as frames:
        before = [event["id"] for event in until_quiet(frames)]
        assert before == recorded(flight)
        flight.select(mission)
        fresh = next(frame for frame in frames if frame)
        assert fresh["id"] > before[-1]
    flight.approve(mission)
    flight.work()
    with listening(live_url, path, headers | {"Last-Event-ID": str(fresh["id"])}) as frames:
        rest = [event["id"] for event in until_quiet(frames)]
    assert [*before, fresh["id"], *rest] == recorded(flight)


@pytest.mark.usefixtures("brisk")
def test_a_quiet_stream_has_a_heartbeat_and_the_tenants_begins_now(
    flight: Flight, live_url: str
) -> None:
    write(flight, 1)
    with listening(live_url, "/api/stream", bearer(flight)) as frames:
        assert next(frames) is None
        write(flight, 2)
        assert next(frame for frame in frames if frame)["context"] == {"action_id": 2}
    with listening(live_url, "/api/stream?after=0", bearer(flight)) as frames:
        assert [event["context"]["action_id"] for event in until_quiet(frames)] == [1, 2]


@pytest.mark.usefixtures("brisk")
def test_an_event_committed_late_is_not_lost_behind_a_later_one(
    flight: Flight, live_url: str
) -> None:
    """Two transactions overlap: the one that began first commits last, and a stream reads in between."""
    wrote, may_end = threading.Event(), threading.Event()

    def slow() -> None:
        write(flight, 1, hold=lambda: (wrote.set(), may_end.wait(20)))

    with listening(live_url, "/api/stream?after=0", bearer(flight)) as frames:
        assert next(frames) is None
        first = threading.Thread(target=slow)
        second = threading.Thread(target=write, args=(flight, 2))
        first.start()
        assert wrote.wait(10)
        second.start()
        second.join(1)  # it waits for the first, or commits before it
        between = until_quiet(frames)
        may_end.set()
        first.join()
        second.join()
        found = [*between]
        for _ in range(50):
            found += until_quiet(frames) if len(found) < 2 else []
    assert sorted(event["context"]["action_id"] for event in found) == [1, 2]
    assert [event["id"] for event in found] == recorded(flight)


@pytest.mark.usefixtures("brisk")
def test_a_strangers_events_never_appear(flight: Flight, live_url: str, tmp_path: Path) -> None:
    strange = take_off(tmp_path / f"x{uuid4().hex[:10]}", flight.url)
    try:
        with listening(live_url, "/api/stream?after=0", bearer(flight)) as frames:
            assert next(frames) is None
            write(strange, 666)
            write(flight, 1)
            write(strange, 667)
            seen = [next(frame for frame in frames if frame), *until_quiet(frames)]
    finally:
        land(strange)
    assert [event["context"]["action_id"] for event in seen] == [1]


@pytest.mark.usefixtures("brisk")
@pytest.mark.parametrize("end", ["signed out", "expired"])
@pytest.mark.parametrize("path", ["/api/stream", "/api/missions/{}/stream"])
def test_a_stream_ends_with_the_session_that_opened_it(
    flight: Flight, live_url: str, path: str, end: str
) -> None:
    path = path.format(flight.new())
    secret = secret_for(flight, "riley", "session")
    with listening(live_url, path, {"Cookie": f"{SESSION_COOKIE}={secret}"}) as frames:
        until_quiet(frames)
        if end == "expired":
            flight.clock.advance(hours=13)
        else:
            with flight.app.db.service() as conn:
                sessions.revoke(conn, secret, at=flight.clock())
        assert [frame for frame in frames if frame] == []  # it ends by itself
        write(flight, 1)


@pytest.mark.parametrize("said", ["9" * 5000, "-1", "x", "1e3", "٣", ""])
def test_an_odd_last_event_id_is_no_reason_to_fall_over(server: Server, said: str) -> None:
    answer = server.ask(
        "GET", "/api/missions/m-none/stream", headers={"Last-Event-ID": said.encode()}
    )
    assert answer.status_code == 404


def test_two_people_of_a_tenant_never_wait_for_one_another_for_ever(flight: Flight) -> None:
    """Recording keeps an order; a mission's row lock held meanwhile must not close a circle."""
    mission = flight.new()
    flight.work()
    begun, errors = threading.Barrier(2, timeout=10), []

    def note() -> None:
        riley = flight.people["riley"]
        with flight.app.transaction(riley) as conn:
            begun.wait()
            record(conn, riley, "hold_released", {"action_id": 1}, at=NOW, mission_id=mission)

    def edit() -> None:
        riley = flight.people["riley"]
        with flight.app.transaction(riley) as conn:
            define.store.get(conn, mission, lock=True)
            begun.wait()
            record(conn, riley, "hold_released", {"action_id": 2}, at=NOW, mission_id=mission)

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  whatever it is, the test shows it
            errors.append(error)

    for _ in range(5):
        pair = [threading.Thread(target=run, args=(work,)) for work in (note, edit)]
        for thread in pair:
            thread.start()
        for thread in pair:
            thread.join()
    assert errors == []
