"""RB-3: what a real PgBouncer says of itself, and whether it may open more than the server takes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg
import pytest

import pooler
from aicp.errors import UpstreamDown
from aicp.kernel.pgbouncer import Pooler, ask, misfit

needs = pytest.mark.skipif(not pooler.PROGRAM.exists(), reason=pooler.MISSING)


@pytest.fixture
def pooled(cluster: Any) -> Iterator[tuple[str, str]]:
    """The console of a pooler of two server connections, and a fresh database by it."""
    name = cluster.clone()
    with pooler.pooled(cluster.url(name), size=2) as url:
        yield url.rsplit("/", 1)[0] + "/pgbouncer", url
    cluster.drop(name)


@needs
def test_clients_that_wait_are_counted_and_the_size_is_held_against_the_server(
    pooled: tuple[str, str],
) -> None:
    console, url = pooled
    with closing(psycopg.connect(url)) as one, closing(psycopg.connect(url)) as two:
        for holder in (one, two):
            holder.execute("select 1")  # its transaction keeps a server connection
        with (
            closing(psycopg.connect(url, autocommit=True)) as third,
            ThreadPoolExecutor(1) as threads,
        ):
            answer = threads.submit(third.execute, "select 3")
            while not (told := ask(console)).waiting:
                pass
            assert (told.waiting, told.most) == (1, 2)
            one.rollback()
            assert answer.result(10).fetchone() == (3,)
    assert ask(console).waiting == 0
    assert misfit(told, 97) == ""
    assert misfit(told, 1) == "PgBouncer may open 2 connections, and the server takes 1"


@needs
def test_a_console_that_does_not_let_us_look_is_said(pooled: tuple[str, str]) -> None:
    console, _ = pooled
    with pytest.raises(UpstreamDown, match="console does not answer") as caught:
        ask(console.replace("aicp_app:", "aicp_app:x", 1))
    assert "stats_users" in caught.value.hint


def test_each_pool_may_open_its_own_number() -> None:
    pools = [{"cl_waiting": 2}, {"cl_waiting": 1}]
    assert Pooler(pools, 40).waiting == 3
    assert misfit(Pooler(pools, 98), 97)
