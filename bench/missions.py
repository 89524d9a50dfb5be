"""Missions a second with one worker process and with two: real workers, real files, one database."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
from bench.report import Line, Table
from bench.series import ratio
from bench.world import World

from aicp.cli.supervise import Supervisor
from aicp.missions import approve, plan
from flight import Flight, settings_for

INTENT = "Win back our 2 best manufacturing accounts (over $50k ARR) that went quiet in Q2."
PATIENCE = 120.0  # seconds for a whole round


def bench(world: World) -> list[Table]:
    """Approve N missions in one commit; the time until the last one is finished, by number of workers."""
    missions, rounds = (6, 1) if world.quick else (20, 3)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    steps = 0
    for number in range(rounds):
        for workers in (1, 2) if number % 2 == 0 else (2, 1):
            taken, steps = _round(world, missions, workers)
            seconds[workers].append(taken)
    return [_table(seconds, missions, steps)]


def _round(world: World, missions: int, workers: int) -> tuple[float, int]:
    """Seconds from the commit of the approvals to the last mission finished; and steps in all."""
    with world.flight() as flight, _supervised(world, flight, workers):
        made = [flight.new(INTENT, **_own_files(flight, n)) for n in range(missions)]
        _until(
            flight,
            "status = 'ready' and current_stage = 'Define' or current_stage <> 'Define'",
            missions,
        )
        for mission in made:
            flight.ack(mission, "riley")
            flight.ack(mission, "gabriela")
        _until(flight, "current_stage = 'Plan' and status = 'ready'", missions)
        owner, services = flight.people["riley"], flight.app.services
        with flight.app.transaction(owner) as conn:
            for mission in made:
                chosen = plan.select(conn, owner, services, mission, 1)
                approve.approve(conn, owner, services, mission, digest=chosen["digest"])
        began = time.perf_counter()
        _until(flight, "run_state in ('held', 'finished') and exists (select from mission_stages s"
                       " where s.mission_id = m.id and s.stage = 'Execute' and s.status = 'completed')",
               missions)  # fmt: skip
        return time.perf_counter() - began, _steps(flight)


@contextmanager
def _supervised(world: World, flight: Flight, workers: int) -> Iterator[None]:
    """The system as `aicp up` starts it, on the run's database, with workers that are warm."""
    settings = replace(
        settings_for(flight.folder), database_url=world.cluster.url, workers=str(workers), port="0"
    )
    os.environ["DATABASE_URL"] = world.cluster.url  # its children read their own environment
    supervisor = Supervisor(settings)
    try:
        supervisor.start()
        yield
    finally:
        supervisor.stop()
        del os.environ["DATABASE_URL"]


def _own_files(flight: Flight, number: int) -> dict[str, object]:
    """A table, a calendar and a mail folder for one mission alone, as separate teams have them."""
    folder = flight.folder / f"team-{number}"
    folder.mkdir()
    for name in ("accounts.csv", "calendar.ics"):
        shutil.copy(flight.sandbox / name, folder / name)
    (folder / "mail").mkdir()
    return {
        "data": (str(folder / "accounts.csv"),), "calendar": str(folder / "calendar.ics"),
        "mail_folder": str(folder / "mail"),
    }  # fmt: skip


def _until(flight: Flight, condition: str, wanted: int) -> None:
    """Wait until that many of the tenant's missions are so; look every 20 ms, say what blocks."""
    tenant = flight.people["riley"].tenant_id
    deadline = time.monotonic() + PATIENCE
    with psycopg.connect(flight.owner_url, autocommit=True) as conn:
        while time.monotonic() < deadline:
            row = conn.execute(
                f"select count(*) filter (where {condition}), max(blocking_reason) filter"  # type: ignore[arg-type]
                " (where status = 'blocked') from missions m where tenant_id = %s",
                (tenant,),
            ).fetchone()
            if row and row[1]:
                raise AssertionError(f"a mission is blocked: {row[1]}")
            if row and row[0] == wanted:
                return
            time.sleep(0.02)
    raise AssertionError(f"not all {wanted} missions came to: {condition}")


def _steps(flight: Flight) -> int:
    tenant = flight.people["riley"].tenant_id
    with psycopg.connect(flight.owner_url, autocommit=True) as conn:
        row = conn.execute(
            "select count(*), count(*) filter (where state = 'done') from tool_calls where tenant_id = %s",
            (tenant,),
        ).fetchone()
    if row is None or row[0] != row[1]:
        raise AssertionError(f"calls and finished calls differ: {row}")
    return int(row[0])


def _table(seconds: dict[int, list[float]], missions: int, steps: int) -> Table:
    lines = [
        Line(f"{n} worker{'s' if n > 1 else ''}", missions * len(s) / sum(s), "missions/s",
             note=f"{steps * len(s) / sum(s):.0f} governed calls/s; rounds of {', '.join(f'{one:.2f}' for one in s)} s")
        for n, s in seconds.items()
    ]  # fmt: skip
    scaled = ratio([[s] for s in seconds[1]], [[s] for s in seconds[2]])
    lines.append(
        Line("2 workers : 1 worker", scaled, "×", note="database and workers share the cores")
    )
    title = f"{missions} missions of {steps // missions} calls, from the last approval to the last finished"
    return Table("missions", title, tuple(lines), rounds={str(n): s for n, s in seconds.items()})
