"""What the tests share: one real PostgreSQL a run, one tenant a test, and a worker without a process."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg import connect, sql

from aicp.kernel import postgres
from aicp.schema.apply import apply
from flight import Flight, land, take_off


class Cluster:
    """The run's PostgreSQL, with a schema-only template to clone databases from."""

    def __init__(self, embedded: postgres.Embedded, home: Path) -> None:
        self.embedded = embedded
        self.home = home
        self.made = 0
        # Nothing here outlives a power cut; killed servers and processes lose nothing by it.
        self._admin("alter system set fsync = off")
        self._admin("select pg_reload_conf()")
        self._admin("create database template_aicp")
        apply(self.owner_url("template_aicp"), password=embedded.app_password)

    def owner_url(self, name: str) -> str:
        return self.embedded.owner_url.rsplit("/", 1)[0] + f"/{name}"

    def url(self, name: str) -> str:
        return self.embedded.url.rsplit("/", 1)[0] + f"/{name}"

    def clone(self, template: str = "template_aicp") -> str:
        """A new database like the template; returns its name."""
        self.made += 1
        name = f"t_{os.getpid()}_{self.made}"
        self._admin(f"create database {name} template {template}")
        # Without it a crash takes back the sequences of a fresh copy, which no real database is.
        self._admin("checkpoint")
        return name

    def pid(self) -> int:
        """The postmaster's process id."""
        return postgres.server_pid(self.home) or 0

    def revive(self) -> None:
        """Start the server again after it was killed; one that runs is left alone."""
        postgres.start(self.home)

    def drop(self, name: str) -> None:
        self._admin(f"drop database if exists {name} with (force)")

    def _admin(self, statement: str) -> None:
        with connect(self.embedded.owner_url, autocommit=True) as conn:
            conn.execute(sql.SQL(statement))


@contextmanager
def a_cluster() -> Iterator[Cluster]:
    """A cluster in a folder of its own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="aicp-test-") as folder:
        home = Path(folder) / "data"
        Path(folder).chmod(0o755)
        embedded = postgres.start(home)
        try:
            yield Cluster(embedded, home)
        finally:
            postgres.stop(home)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster of this test process."""
    with a_cluster() as made:
        yield made


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A cluster that a module may kill."""
    with a_cluster() as made:
        yield made


@pytest.fixture(scope="session")
def database_url(cluster: Cluster) -> str:
    """One database for all tests of this process: tenants keep them apart."""
    return cluster.url(cluster.clone())


@pytest.fixture
def flight(tmp_path: Path, cluster: Cluster, database_url: str) -> Iterator[Flight]:
    """A tenant of its own in a sandbox of its own, on a clock that stands still."""
    owner = cluster.owner_url(database_url.rsplit("/", 1)[1])
    flown = take_off(tmp_path / f"f{uuid.uuid4().hex[:12]}", database_url, owner)
    yield flown
    land(flown)
