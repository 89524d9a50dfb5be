"""The schema's fingerprint: the same for the same schema, whoever looks, and cheap to ask for (OP-3, MI-2)."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from aicp.kernel.clock import FixedClock
from aicp.schema.apply import LOGIN, apply, fingerprint_of
from aicp.schema.check import check
from aicp.schema.standing import LOOKS, Watch, standing
from conftest import Cluster
from flight import NOW


@pytest.fixture
def name(cluster: Cluster) -> Iterator[str]:
    made = cluster.clone()
    yield made
    cluster.drop(made)


def as_product(cluster: Cluster, name: str) -> psycopg.Connection:
    conn = psycopg.connect(cluster.url(name), autocommit=True)
    conn.execute("set role service_role")
    return conn


def test_the_product_sees_the_fingerprint_that_was_kept_and_that_a_diff_finds(
    cluster: Cluster, name: str
) -> None:
    with as_product(cluster, name) as conn:
        seen = standing(conn)
    assert seen.state == "ok"
    assert check(cluster.owner_url(name), login=LOGIN).fingerprint == seen.fingerprint


def test_two_databases_of_one_file_have_one_fingerprint_whatever_owner_and_login_are_called(
    cluster: Cluster, name: str
) -> None:
    other = cluster.clone("template0")
    with psycopg.connect(cluster.embedded.owner_url, autocommit=True) as admin:
        admin.execute("create role another_owner superuser login password 'made-up'")
        admin.execute("create role another_login login noinherit password 'made-up'")
    try:
        url = cluster.owner_url(other).replace(
            f"postgres:{cluster.embedded.owner_password}", "another_owner:made-up"
        )
        apply(url, login="another_login", password="made-up")
        with psycopg.connect(url) as conn, psycopg.connect(cluster.owner_url(name)) as first:
            assert fingerprint_of(conn, "another_login") == fingerprint_of(first, LOGIN)
    finally:
        cluster.drop(other)
        with psycopg.connect(cluster.embedded.owner_url, autocommit=True) as admin:
            admin.execute("drop role another_owner, another_login")


def test_what_was_done_to_it_since_is_seen_and_another_file_is_told_apart(
    cluster: Cluster, name: str
) -> None:
    with psycopg.connect(cluster.owner_url(name), autocommit=True) as owner:
        owner.execute("alter table plans no force row level security")
        with as_product(cluster, name) as conn:
            assert standing(conn).state == "changed"
        owner.execute("alter table plans force row level security")
        with as_product(cluster, name) as conn:
            assert standing(conn).state == "ok"
        owner.execute("update app.meta set schema_sha256 = repeat('0', 64)")
        owner.execute("alter table app.meta drop fingerprint")  # as an older version left it
        with as_product(cluster, name) as conn:
            assert standing(conn).state == "drift"


def test_it_is_looked_at_once_a_minute_however_often_it_is_asked_for(
    cluster: Cluster, name: str
) -> None:
    clock = FixedClock(NOW)
    watch = Watch(clock)
    with psycopg.connect(cluster.owner_url(name), autocommit=True) as owner:
        assert watch.standing(owner).state == "ok"
        owner.execute("create index by_hand on missions (title)")
        assert watch.standing(owner).state == "ok"
        clock.advance(seconds=LOOKS.total_seconds())
        assert watch.standing(owner).state == "changed"
