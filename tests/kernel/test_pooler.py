"""Behind a pooler in transaction mode: tenants stay apart, missions fly, leases go past it (TR-22, I-10)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import psycopg
import pytest

import pooler
from aicp.app import build
from aicp.errors import BadInput
from aicp.kernel.db import Actor, Database, is_pooled
from aicp.kernel.live import Live
from aicp.schema.apply import applied
from aicp.settings import Settings, from_env
from flight import land, settings_for, take_off

pytestmark = pytest.mark.skipif(not pooler.PROGRAM.exists(), reason=pooler.MISSING)


@pytest.fixture(scope="module")
def url(database_url: str) -> Iterator[str]:
    with pooler.pooled(database_url, size=2) as made:
        yield made


@pytest.fixture
def db(url: str, database_url: str) -> Iterator[Database]:
    made = Database(url, name="test", size=8, direct=database_url)
    yield made
    made.close()


def test_a_pooler_is_noticed_and_a_server_is_not_taken_for_one(url: str, database_url: str) -> None:
    with psycopg.connect(url) as far, psycopg.connect(database_url) as near:
        assert (is_pooled(far), is_pooled(near)) == (True, False)


def test_eight_tenants_on_two_connections_never_meet(db: Database) -> None:
    """Claims last as long as their transaction, so whoever gets the connection next has none."""
    tenants = [Actor(uuid4(), uuid4()) for _ in range(8)]
    with db.service() as conn:
        for n, tenant in enumerate(tenants):
            conn.execute(
                "insert into tenants (id, slug, name, created_at) values (%s, %s, %s, now())",
                (tenant.tenant_id, f"pooled-{uuid4().hex}", str(n)),
            )

    def visit(n: int) -> list[tuple[Any, ...]]:
        chance, seen = Random(n), []
        for _ in range(40):
            who = chance.randrange(8)
            with suppress(ZeroDivisionError), db.transaction(tenants[who]) as conn:
                rows = conn.execute(
                    "select name, app.tenant_id(), (select count(*) from tenants) from tenants"
                ).fetchall()
                seen.append((rows, [(str(who), tenants[who].tenant_id, 1)]))
                assert 1 // chance.randrange(4) >= 0  # some break off, and leave no trace either
        return seen

    with ThreadPoolExecutor(8) as pool:
        visits = [pair for seen in pool.map(visit, range(8)) for pair in seen]
    assert len(visits) == 320
    assert [found for found, own in visits if found != own] == []


def test_statements_that_were_prepared_without_knowing_break_and_ours_do_not(
    db: Database, url: str
) -> None:
    """The same work by eight threads: psycopg's own default fails, a pool that looked does not."""

    def ask(pool: Database) -> list[type]:
        failures = []
        for n in range(12):
            try:
                with pool.service() as conn:
                    conn.execute("select %s::int, pg_backend_pid()", (n,)).fetchone()
            except Exception as error:  # noqa: BLE001  which one is the finding
                failures.append(type(error))
        return failures

    careless = Database(url, name="test", size=8, prepares=True)
    with ThreadPoolExecutor(8) as threads:
        ours = [one for found in threads.map(ask, [db] * 8) for one in found]
        theirs = [one for found in threads.map(ask, [careless] * 8) for one in found]
    careless.close()
    assert ours == []
    assert theirs != []


def test_a_lease_goes_past_the_pooler_and_is_refused_where_nothing_does(
    db: Database, url: str
) -> None:
    with db.lease("one") as first, db.lease("one") as second:
        assert (first, second) == (True, False)
    blind = Database(url, name="test", size=1)
    with pytest.raises(BadInput, match="pooler") as caught, blind.lease("one"):
        pass
    assert "DATABASE_DIRECT_URL" in caught.value.hint
    blind.close()


def test_a_mission_flies_and_is_taken_back_through_the_pooler(
    url: str, database_url: str, tmp_path: Path
) -> None:
    flown = take_off(tmp_path / "pooled", url, database_url=url, direct_database_url=database_url)
    try:
        before = flown.state()
        mission = flown.to_execute()
        flown.work()
        assert flown.doc(mission)["run_state"] in ("held", "finished")
        assert flown.state() != before
        assert flown.undo(mission)["run_state"] == "undone"
        assert flown.state() == before
    finally:
        land(flown)


def test_live_events_are_heard_past_the_pooler(db: Database, url: str) -> None:
    async def hear(listening: str) -> bool:
        live = Live(listening)
        async with live.running(), live.subscribed() as queue:
            await asyncio.sleep(0.3)  # until it listens
            with db.service() as conn:
                conn.execute("select pg_notify('aicp_events', '{\"id\": 1}')")
            try:
                return bool(await asyncio.wait_for(queue.get(), 3))
            except TimeoutError:
                return False

    assert asyncio.run(hear(db.direct))


def test_looking_whether_the_schema_is_there_leaves_no_role_behind(url: str) -> None:
    assert applied(url)
    with psycopg.connect(url) as conn:
        assert conn.execute("select current_user::text").fetchone() == ("aicp_app",)


@pytest.mark.parametrize(
    "address", ["postgresql://me:x@db.example:6543/postgres", "host=db.example port=6543 dbname=x"]
)
def test_the_port_of_transaction_poolers_is_known_and_needs_a_way_past_it(
    address: str, tmp_path: Path
) -> None:
    known = from_env({"DATABASE_URL": address})
    assert (known.pooled, known.prepares) == (True, False)
    with pytest.raises(BadInput, match="port 6543") as caught:
        build(settings_for(tmp_path, database_url=address), name="test")
    assert "5432" in caught.value.hint
    assert from_env({"DATABASE_URL": address, "DATABASE_DIRECT_URL": "postgresql://d"}).direct
    assert Settings(database_url="postgresql://h:5432/x6543").prepares is None
    assert Settings(direct_database_url="postgresql://d").direct == ""
