"""The queue: a job commits with its row, waits once under one name, and outlives its worker."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from procrastinate.sql import queries

from aicp.kernel.db import Actor, Database
from aicp.kernel.ids import new_uuid
from aicp.kernel.jobs import enqueue
from conftest import Cluster

ACTOR = Actor(new_uuid(), new_uuid())
WORKER = """
import sys, time
from pathlib import Path
from aicp.kernel.jobs import work

url, log, name = sys.argv[1:4]

def slow(n):
    with open(log, "a") as sink:
        print(f"{name} began {n}", file=sink, flush=True)
    if name == "first":
        time.sleep(600)
    with open(log, "a") as sink:
        print(f"{name} finished {n}", file=sink, flush=True)

def fragile(n):
    tried = Path(log).read_text().count("tried") if Path(log).exists() else 0
    with open(log, "a") as sink:
        print("tried", file=sink, flush=True)
    if tried < 1:
        raise RuntimeError("not yet")

def ticked():
    with open(log, "a") as sink:
        print(f"{name} ticked", file=sink, flush=True)

periodic = {"tick": ("* * * * * *", ticked)} if name.startswith("clock") else {}
work(url, {"slow": slow, "fragile": fragile}, concurrency=2, heartbeat_seconds=1, stalled_seconds=2,
     periodic=periodic)
"""


@pytest.fixture
def database(cluster: Cluster) -> Iterator[tuple[Database, str, str]]:
    """A database whose queue nobody else works on."""
    name = cluster.clone()
    db = Database(cluster.url(name), name="test", size=2)
    yield db, cluster.url(name), cluster.owner_url(name)
    db.close()
    cluster.drop(name)


def jobs(owner_url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(owner_url) as conn:
        return conn.execute(
            "select task_name, lock, queueing_lock, args, priority, status::text, scheduled_at is not null"
            " from queue.procrastinate_jobs order by id"
        ).fetchall()


def add(db: Database, n: int, **given: Any) -> None:
    with db.transaction(ACTOR) as conn:
        enqueue(conn, given.pop("task", "slow"), {"n": n}, **({"lock": f"l-{n}"} | given))


def test_a_job_commits_and_rolls_back_with_its_transaction(
    database: tuple[Database, str, str],
) -> None:
    db, _, owner = database
    add(db, 1, priority=3, unique="u-1")
    with pytest.raises(ZeroDivisionError), db.transaction(ACTOR) as conn:
        _enqueue_then_fail(conn)
    assert jobs(owner) == [("slow", "l-1", "u-1", {"n": 1}, 3, "todo", False)]


def _enqueue_then_fail(conn: Any) -> None:
    enqueue(conn, "slow", {"n": 2}, lock="l-2")
    raise ZeroDivisionError


def test_a_second_job_of_a_waiting_name_is_not_added_and_spoils_nothing(
    database: tuple[Database, str, str],
) -> None:
    db, _, owner = database
    with db.transaction(ACTOR) as conn:
        for n in (1, 2):
            enqueue(conn, "slow", {"n": n}, lock="l", unique="one")
        enqueue(conn, "slow", {"n": 3}, lock="l")
    add(db, 4, unique="one")
    assert [row[3]["n"] for row in jobs(owner)] == [1, 3]


def test_a_job_whose_time_has_not_come_holds_nobody_of_its_lock_back(
    database: tuple[Database, str, str],
) -> None:
    """By the very statement workers take jobs with; what is due or runs still holds the lock."""
    db, url, _ = database
    with db.transaction(ACTOR) as conn:
        enqueue(
            conn,
            "timer",
            {"n": 1},
            lock="m",
            at=datetime.now(UTC) + timedelta(hours=24),
            priority=9,
        )
        enqueue(conn, "now", {"n": 2}, lock="m")
        enqueue(conn, "next", {"n": 3}, lock="m")
    taken: list[Any] = []
    with psycopg.connect(url, autocommit=True, options="-c search_path=queue") as conn:
        for _ in range(2):
            row = conn.execute(queries["fetch_job"], {"queues": None, "worker_id": None}).fetchone()
            assert row is not None
            taken += [name for name in row if name in ("timer", "now", "next")]
    assert taken == ["now"]


def test_the_job_of_a_killed_worker_is_taken_over_and_finishes(
    database: tuple[Database, str, str], tmp_path: Path
) -> None:
    """kill -9 in the middle of a job: another worker notices the silence and does it again."""
    db, url, owner = database
    log = tmp_path / "log"
    add(db, 7)
    first = _worker(url, log, "first")
    second = None
    try:
        _wait_for(owner, log, lambda text: "first began 7" in text)
        first.kill()
        first.wait()
        second = _worker(url, log, "second")
        add(db, 8, task="fragile")
        _wait_for(owner, log, lambda text: "second finished 7" in text and text.count("tried") == 2)
        second.terminate()
        assert second.wait(timeout=20) == 0
    finally:
        for process in (first, second):
            if process and process.poll() is None:
                process.kill()
                process.wait()
    lines = log.read_text().splitlines()
    assert lines.count("first began 7") == lines.count("second began 7") == 1
    assert "first finished 7" not in lines
    assert jobs(owner) == []


def _worker(url: str, log: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, url, str(log), name], stderr=subprocess.DEVNULL, text=True
    )


def _wait_for(owner: str, log: Path, seen: Any) -> None:
    """Look again whenever the queue says that something happened, for at most half a minute."""
    with psycopg.connect(owner, autocommit=True) as conn:
        for _ in range(150):
            if log.exists() and seen(log.read_text()):
                return
            conn.execute("select pg_sleep(0.2)")
    left = json.dumps(jobs(owner), default=str)
    raise AssertionError(f"not seen: {log.read_text() if log.exists() else ''} {left}")


def test_what_is_scheduled_runs_once_each_time_whatever_the_number_of_workers(
    database: tuple[Database, str, str], tmp_path: Path
) -> None:
    _, url, owner = database
    log = tmp_path / "log"
    began = time.monotonic()
    workers = [_worker(url, log, name) for name in ("clock-1", "clock-2")]
    try:
        _wait_for(owner, log, lambda text: text.count("ticked") >= 2)
        ticks = log.read_text().count("ticked")
        assert ticks <= time.monotonic() - began + 1  # two workers, one job a second
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
