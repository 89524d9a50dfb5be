"""Live events: a committed event wakes whoever listens, also after the connection was lost."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from aicp.kernel.live import Live
from aicp.telemetry.record import record
from flight import NOW, Flight


def write(flight: Flight, *, commit: bool = True) -> None:
    riley = flight.people["riley"]
    with flight.app.transaction(riley) as conn:
        record(conn, riley, "hold_released", {"action_id": 1}, at=NOW)
        if not commit:
            conn.rollback()


async def next_of(queue: asyncio.Queue[dict[str, Any]], flight: Flight) -> dict[str, Any]:
    """The next wake-up of this tenant; others use the same database."""
    while True:
        event = await asyncio.wait_for(queue.get(), 15)
        if event["tenant_id"] == str(flight.people["riley"].tenant_id):
            return event


async def listening(flight: Flight, *, besides: int = 0) -> int:
    """The process id of the one listening connection, once it is there."""
    for _ in range(200):
        pid = await asyncio.to_thread(_listener, flight)
        if pid and pid != besides:
            return pid
    raise AssertionError("nobody listens")


def _listener(flight: Flight) -> int:
    with psycopg.connect(flight.owner_url) as conn:
        conn.execute("select pg_sleep(0.05)")
        row = conn.execute(
            "select pid from pg_stat_activity where application_name = 'aicp:live' and state = 'idle'"
            " and datname = current_database() order by backend_start desc limit 1"
        ).fetchone()
    return int(row[0]) if row else 0


def kill(flight: Flight, pid: int) -> None:
    with psycopg.connect(flight.owner_url) as conn:
        conn.execute("select pg_terminate_backend(%s)", (pid,))


def test_an_event_wakes_every_subscriber_once_and_a_rolled_back_one_nobody(flight: Flight) -> None:
    async def story() -> None:
        live = Live(flight.url)
        async with live.running(), live.subscribed() as one, live.subscribed() as two:
            await listening(flight)
            await asyncio.to_thread(write, flight, commit=False)
            await asyncio.to_thread(write, flight)
            first, second = await next_of(one, flight), await next_of(two, flight)
            assert first == second
            assert set(first) == {"id", "tenant_id", "mission_id"}
            rows = await asyncio.to_thread(_ids, flight)
            assert [first["id"]] == rows

    asyncio.run(story())


def _ids(flight: Flight) -> list[int]:
    with flight.app.transaction(flight.people["riley"]) as conn:
        return [int(str(row[0])) for row in conn.execute("select id from telemetry_events")]


def test_after_its_connection_was_cut_it_listens_again(flight: Flight) -> None:
    async def story() -> None:
        live = Live(flight.url)
        async with live.running(), live.subscribed() as queue:
            pid = await listening(flight)
            await asyncio.to_thread(kill, flight, pid)
            await listening(flight, besides=pid)
            await asyncio.to_thread(write, flight)
            assert (await next_of(queue, flight))["mission_id"] is None

    asyncio.run(story())


def test_a_slow_subscriber_holds_one_wake_up_and_stops_nobody() -> None:
    async def story() -> None:
        live = Live("")
        async with live.subscribed() as slow, live.subscribed() as quick:
            for n in range(5):
                live._wake({"id": n})
                assert (await quick.get())["id"] == n
            assert slow.qsize() == 1
        assert live._waiting == set()

    asyncio.run(story())


def test_leaving_ends_the_listening(flight: Flight) -> None:
    async def story() -> int:
        live = Live(flight.url)
        async with live.running():
            return await listening(flight)

    pid = asyncio.run(story())
    with psycopg.connect(flight.owner_url, autocommit=True) as conn:
        for _ in range(100):
            row = conn.execute(
                "select pg_sleep(0.05), count(*) from pg_stat_activity where pid = %s", (pid,)
            ).fetchone()
            if row and row[1] == 0:
                return
    pytest.fail("the listening connection stayed open")
