"""RB-3: an exhausted database is recognised, what blocks it is ended, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from aicp.kernel import sessions


@pytest.fixture
def place(cluster: Any) -> Iterator[tuple[str, str]]:
    """A database as its owner and as the product."""
    name = cluster.clone()
    yield cluster.owner_url(name), cluster.url(name)
    cluster.drop(name)


def connect(url: str, name: str) -> psycopg.Connection:
    return psycopg.connect(url, application_name=name, autocommit=True)


def test_open_transactions_are_stuck_and_listeners_and_leases_are_not(
    place: tuple[str, str],
) -> None:
    owner, url = place
    with (
        connect(url, "aicp:holder") as holder,
        connect(url, "aicp:listener") as listener,
        connect(owner, "aicp:pool") as door,
    ):
        holder.execute("begin")
        holder.execute("select 1")
        listener.execute("listen anything")
        listener.execute("select pg_advisory_lock(7)")
        found = sessions.sessions(door, "aicp_app")
        assert {one.name: one.in_transaction for one in found} == {
            "aicp:holder": True,
            "aicp:listener": False,
        }
        assert [one.name for one in sessions.stuck(found, older_than=0)] == ["aicp:holder"]
        assert sessions.stuck(found, older_than=3600) == []


def test_ending_the_holder_sets_free_who_waits_for_it(place: tuple[str, str]) -> None:
    owner, url = place
    with (
        connect(url, "aicp:holder") as holder,
        connect(url, "aicp:waiter") as waiter,
        connect(owner, "aicp:pool") as door,
    ):
        holder.execute("begin")
        holder.execute("select pg_advisory_xact_lock(11)")
        with waiter.pipeline():
            waiter.execute("select pg_advisory_xact_lock(11)")
            waiter.pgconn.flush()
            while not (blocking := [s for s in sessions.sessions(door, "aicp_app") if s.blocks]):
                pass
            assert (blocking[0].name, blocking[0].pid) == ("aicp:holder", holder.info.backend_pid)
            assert sessions.use(door).waiting == 1
            assert sessions.end(door, "aicp_app", blocking[0].pid)
        with pytest.raises(psycopg.OperationalError):
            holder.execute("select 1")
        assert sessions.use(door).waiting == 0
        assert not sessions.end(door, "aicp_app", blocking[0].pid)


def test_sessions_of_others_and_of_backups_are_never_ended(place: tuple[str, str]) -> None:
    owner, url = place
    with (
        connect(owner, "psql") as other,
        connect(url, "pg_dump") as dump,
        connect(owner, "aicp:pool") as door,
    ):
        for one in (other, dump):
            one.execute("begin")
        assert sessions.sessions(door, "aicp_app") == []
        for one in (other, dump, door):
            assert not sessions.end(door, "aicp_app", one.info.backend_pid)


def test_the_use_of_the_server_is_counted_against_what_ordinary_logins_may_have(
    place: tuple[str, str],
) -> None:
    owner, url = place
    with connect(owner, "aicp:pool") as door:
        before = sessions.use(door)
        assert before.most == 97  # 100, less the three kept back for a superuser
        with connect(url, "one"), connect(url, "two"):
            assert sessions.use(door).used == before.used + 2
    assert sessions.Use(used=80, most=100, waiting=0).percent == 80.0
    assert sessions.Use(used=1, most=0, waiting=0).percent == 100.0
