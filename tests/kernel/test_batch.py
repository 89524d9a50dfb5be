"""Transactions: who asks holds for one of them only, batches are whole, broken connections are replaced."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest

from aicp.errors import BadInput
from aicp.kernel.db import Actor, Database
from aicp.people import tenants

AT = datetime(2026, 11, 23, tzinfo=UTC)
ADD = (
    "insert into telemetry_events (tenant_id, event_type, status, context, payload_sha, correlation_id,"
    " created_at) values (%s, %s, %s, '{}', '', 'c', %s)"
)


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, name="test", size=3)
    yield database
    database.close()


@pytest.fixture
def actor(db: Database) -> Actor:
    slug = f"t-{uuid4().hex[:12]}"
    with db.service() as conn:
        tenant = tenants.ensure_tenant(conn, slug, slug, at=AT)
        return tenants.add_person(
            conn, tenant, email=f"{slug}@home.example", name="Kim", roles=("operator",), at=AT
        ).actor


def events(db: Database, actor: Actor) -> list[str]:
    with db.transaction(actor) as conn:
        return [str(row[0]) for row in conn.execute("select event_type from telemetry_events order by id")]  # fmt: skip


def test_a_batch_is_committed_as_a_whole(db: Database, actor: Actor) -> None:
    with db.batch(actor) as conn:
        for name in ("a", "b"):
            conn.execute(ADD, (actor.tenant_id, name, "info", AT))
    assert events(db, actor) == ["a", "b"]


def test_nothing_of_a_batch_is_kept_when_the_database_refuses_a_part(
    db: Database, actor: Actor
) -> None:
    """A check constraint in the middle, and row security at the end."""
    for tenant, status in ((actor.tenant_id, "splendid"), (uuid4(), "info")):
        with pytest.raises(psycopg.Error), db.batch(actor) as conn:  # noqa: PT012
            conn.execute(ADD, (actor.tenant_id, "a", "info", AT))
            conn.execute(ADD, (tenant, "b", status, AT))
            conn.execute(ADD, (actor.tenant_id, "c", "info", AT))
        assert events(db, actor) == []


def test_nothing_of_a_batch_is_kept_when_its_block_fails(db: Database, actor: Actor) -> None:
    with pytest.raises(LookupError), db.batch(actor) as conn:  # noqa: PT012
        conn.execute(ADD, (actor.tenant_id, "a", "info", AT))
        raise LookupError
    assert events(db, actor) == []


def test_a_value_that_cannot_be_stored_is_bad_input_in_a_batch_too(
    db: Database, actor: Actor
) -> None:
    with pytest.raises(BadInput), db.batch(actor) as conn:
        conn.execute(ADD, (actor.tenant_id, "nul \x00", "info", AT))
    assert events(db, actor) == []


def test_who_asks_is_forgotten_with_the_transaction(db: Database, actor: Actor) -> None:
    """TR-22: a pooled connection is nobody's, whichever way its transaction ended."""
    with pytest.raises(LookupError), db.transaction(actor):
        raise LookupError
    with db.batch(actor) as conn:
        conn.execute(ADD, (actor.tenant_id, "a", "info", AT))
    for _ in range(3):
        with db.pool.connection() as conn:
            assert conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
            row = conn.execute(
                "select current_user, coalesce(current_setting('request.jwt.claims', true), '')"
            ).fetchone()
        assert row == ("aicp_app", "")


def test_connections_that_broke_while_they_idled_are_replaced_unseen(
    db: Database, actor: Actor, cluster
) -> None:
    """OPS: the database restarted; the next transaction simply works."""
    owner = cluster.owner_url(db.url.rsplit("/", 1)[1])
    with db.transaction(actor) as one, db.transaction(actor) as two:
        pids = [one.info.backend_pid, two.info.backend_pid]
    with psycopg.connect(owner, autocommit=True) as admin:
        for pid in pids:
            admin.execute("select pg_terminate_backend(%s, 5000)", (pid,))
    with db.transaction(actor) as conn:
        assert conn.info.backend_pid not in pids
    assert events(db, actor) == []
