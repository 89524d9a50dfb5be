"""The database door: claims end with their transaction, errors are ours, leases die with their holder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from aicp.errors import BadInput, DatabaseDown
from aicp.kernel.db import Actor, Database

ONE, TWO = Actor(uuid4(), uuid4(), ("operator",)), Actor(uuid4(), uuid4())


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """A pool of one connection: what leaks would be seen by the next."""
    made = Database(database_url, name="test", size=1)
    yield made
    made.close()


def asker(conn: psycopg.Connection[tuple[object, ...]]) -> tuple[object, ...] | None:
    return conn.execute(
        "select current_user::text, current_setting('request.jwt.claims', true), app.tenant_id(), pg_backend_pid()"
    ).fetchone()


def test_claims_do_not_leak_from_one_transaction_to_the_next(db: Database) -> None:
    """TR-22, on the very same connection: after a commit, an error, and a rollback."""
    with db.transaction(ONE) as conn:
        first = asker(conn)
    with pytest.raises(ZeroDivisionError), db.transaction(ONE):
        raise ZeroDivisionError
    with db.service() as conn:
        service = asker(conn)
    with db.transaction(TWO) as conn:
        second = asker(conn)
    with db.pool.connection() as conn:
        bare = conn.execute(
            "select current_user::text, current_setting('request.jwt.claims', true), pg_backend_pid()"
        ).fetchone()
    assert first and service and second and bare  # noqa: PT018  all four looked
    assert {row[3] for row in (first, service, second)} == {bare[2]}
    assert first[:3] == ("authenticated", ONE.claims, ONE.tenant_id)
    assert second[:3] == ("authenticated", TWO.claims, TWO.tenant_id)
    assert service[:3] == ("service_role", "", None)
    assert bare[:2] == ("aicp_app", "")


def test_an_error_inside_rolls_everything_back(db: Database) -> None:
    tenant = uuid4()

    def half() -> None:
        with db.service() as conn:
            conn.execute(
                "insert into tenants values (%s, %s, 'x', now())", (tenant, f"t-{tenant.hex[:8]}")
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    with db.service() as conn:
        assert conn.execute("select from tenants where id = %s", (tenant,)).fetchone() is None


@pytest.mark.parametrize(
    "value", ["a\x00b", "half \ud800", Jsonb({"a": "\x00"}), 10**40, "not a uuid"], ids=repr
)
def test_a_value_that_cannot_be_stored_is_bad_input_and_the_connection_lives_on(
    db: Database, value: object
) -> None:
    kind = {"not a uuid": "uuid", str(10**40): "int"}.get(
        str(value), "jsonb" if isinstance(value, Jsonb) else "text"
    )
    with pytest.raises(BadInput) as caught, db.transaction(ONE) as conn:
        conn.execute(f"select %s::{kind}", (value,))
    assert "cannot be stored" in caught.value.message
    assert caught.value.hint
    with db.transaction(ONE) as conn:
        assert asker(conn)


def test_a_connection_that_dies_in_the_middle_is_the_database_being_away_and_the_next_works(
    db: Database, database_url: str, cluster
) -> None:
    pids = []

    def cut_off() -> None:
        with db.transaction(ONE) as conn:
            pids.append(conn.info.backend_pid)
            with psycopg.connect(cluster.owner_url(database_url.rsplit("/", 1)[1])) as admin:
                admin.execute("select pg_terminate_backend(%s)", (pids[0],))
            conn.execute("select 1")

    with pytest.raises(DatabaseDown) as caught:
        cut_off()
    assert (caught.value.status, caught.value.exit_code) == (503, 7)
    assert "aicp doctor" in caught.value.hint
    with db.transaction(ONE) as conn:
        row = asker(conn)
    assert row and row[3] != pids[0]  # noqa: PT018


def test_an_idle_connection_that_died_is_replaced_before_anybody_notices(
    db: Database, database_url: str, cluster
) -> None:
    with db.transaction(ONE) as conn:
        pid = conn.info.backend_pid
    with psycopg.connect(cluster.owner_url(database_url.rsplit("/", 1)[1])) as admin:
        admin.execute("select pg_terminate_backend(%s)", (pid,))
    with db.transaction(ONE) as conn:
        assert conn.info.backend_pid != pid


# Leases ---------------------------------------------------------------------------------


def test_a_second_holder_is_told_so_and_gets_it_after_the_first(db: Database) -> None:
    with db.lease("mission:m-1") as first:
        with db.lease("mission:m-1") as second, db.lease("mission:m-2") as other:
            assert (first, second, other) == (True, False, True)
        with db.lease("mission:m-1") as third:
            assert third is False
    with db.lease("mission:m-1") as again:
        assert again is True


def test_a_killed_holder_frees_its_lease(db: Database, database_url: str) -> None:
    """kill -9: the server notices the closed socket and lets go."""
    program = (
        "import sys, time\nfrom aicp.kernel.db import Database\n"
        "db = Database(sys.argv[1], name='holder', size=1)\n"
        "with db.lease('mission:m-9') as held:\n print(held, flush=True)\n sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, database_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout
        assert holder.stdout.readline().strip() == "True"
        with db.lease("mission:m-9") as held:
            assert held is False
    finally:
        holder.kill()
        holder.communicate()
    with psycopg.connect(database_url) as conn:  # waits for the server to have noticed, no longer
        conn.execute("set lock_timeout = '5s'")
        conn.execute("select pg_advisory_xact_lock(hashtextextended('mission:m-9', 0))")
    with db.lease("mission:m-9") as held:
        assert held is True


def test_a_lease_without_a_database_is_the_database_being_away() -> None:
    db = Database.__new__(Database)
    db.url = db.direct = "postgresql://nobody@127.0.0.1:1/none"
    with pytest.raises(DatabaseDown), db.lease("x"):
        raise AssertionError("nothing may be held")


def test_the_claims_say_who_asks() -> None:
    actor = Actor(UUID(int=1), UUID(int=2), ("operator", "admin"), "Riley")
    assert actor.claims == (
        '{"sub": "00000000-0000-0000-0000-000000000002",'
        ' "tenant_id": "00000000-0000-0000-0000-000000000001", "roles": ["operator", "admin"]}'
    )
