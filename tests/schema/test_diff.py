"""Drift is found, whatever its kind, and only drift: held against pg_dump's verdict (OP-3, PC-4)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from aicp.kernel import postgres
from aicp.schema.diff import Change, compare
from aicp.schema.snapshot import Snapshot, fingerprint, snapshot
from conftest import Cluster
from schema.drifts import BASE, DRIFTS, MENDS, MORE, SILENT, UNSEEN


@dataclass(frozen=True)
class Shop:
    """The database with one of everything, as it should be."""

    cluster: Cluster
    name: str
    snapshot: Snapshot
    dump: str

    def drifted(self, statements: str) -> str:
        """A copy of it in which the statements were run."""
        self.cluster.made += 1
        name = f"drift_{self.cluster.made}"
        with psycopg.connect(self.cluster.embedded.owner_url, autocommit=True) as conn:
            conn.execute(f"create database {name} template {self.name}")
        with psycopg.connect(self.cluster.owner_url(name), autocommit=True) as conn:
            for statement in statements.split("; "):
                conn.execute(statement)
        return name

    def changes(self, name: str) -> list[Change]:
        return compare(self.snapshot, look(self.cluster.owner_url(name)))


def look(url: str) -> Snapshot:
    with psycopg.connect(url) as conn:
        return snapshot(conn, login="aicp_app")


def dump(url: str) -> str:
    """The schema as pg_dump writes it, without the parts that name the run."""
    command = [postgres.WHEEL / "bin/pg_dump", "--schema-only", "--restrict-key=same", url]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> Iterator[Shop]:
    name = cluster.clone("template0")
    url = cluster.owner_url(name)
    with psycopg.connect(url) as conn:
        conn.execute(BASE)
    yield Shop(cluster, name, look(url), dump(url))
    with psycopg.connect(cluster.embedded.owner_url, autocommit=True) as admin:
        made = admin.execute("select datname from pg_database where datname like 'drift%'")
        for (copy,) in [*made.fetchall(), (name,)]:
            admin.execute(f"drop database {copy}")


def told(changes: list[Change]) -> set[str]:
    """`+ table x`, and `~ table x field` for each field."""
    heads = {
        f"{change.sign} {change.kind} {change.name}" for change in changes if not change.fields
    }
    return heads | {
        f"~ {change.kind} {change.name} {name}" for change in changes for name in change.fields
    }


@pytest.mark.parametrize("kind", DRIFTS)
def test_every_kind_of_drift_is_named_and_pg_dump_agrees(shop: Shop, kind: str) -> None:
    statements, expected = DRIFTS[kind]
    name = shop.drifted(statements)
    assert expected in told(shop.changes(name))
    assert dump(shop.cluster.owner_url(name)) != shop.dump


def test_the_kinds_are_those_that_tools_were_measured_by() -> None:
    assert len(DRIFTS) == 42


def test_further_kinds_are_named_and_what_has_no_model_is_called_unmanaged(shop: Shop) -> None:
    name = shop.drifted("; ".join(statements for statements, _ in MORE.values()))
    found = told(shop.changes(name))
    assert {kind for kind, (_, expected) in MORE.items() if expected not in found} == set()


def test_what_pg_dump_does_not_write_is_found_as_well(shop: Shop) -> None:
    """A role's attributes are the whole server's: no dump of a database holds them."""
    try:
        name = shop.drifted("; ".join(statements for statements, _ in UNSEEN.values()))
        assert told(shop.changes(name)) == {expected for _, expected in UNSEEN.values()}
        assert dump(shop.cluster.owner_url(name)) == shop.dump
    finally:
        with psycopg.connect(shop.cluster.owner_url(shop.name), autocommit=True) as conn:
            conn.execute(MENDS)


def test_what_is_no_drift_is_silent(shop: Shop) -> None:
    name = shop.drifted("; ".join(SILENT.values()))
    assert shop.changes(name) == []
    assert fingerprint(look(shop.cluster.owner_url(name))) == fingerprint(shop.snapshot)
    assert dump(shop.cluster.owner_url(name)) == shop.dump


def test_both_readings_name_the_same_objects_whoever_looks(shop: Shop) -> None:
    """The catalog is open to every login: the product's own sees the schema as its owner does."""
    with psycopg.connect(shop.cluster.url(shop.name)) as conn:
        assert snapshot(conn, login="aicp_app") == shop.snapshot
        assert conn.execute("show search_path").fetchone() == ('"$user", public',)
