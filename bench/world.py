"""Where the benchmarks take place: one embedded PostgreSQL, fresh tenants, real sandboxes."""

from __future__ import annotations

import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from aicp.kernel import postgres  # noqa: E402  the tree's own package, whatever is installed
from aicp.schema.apply import apply  # noqa: E402
from aicp.telemetry.logs import configure  # noqa: E402
from flight import Flight, land, take_off  # noqa: E402


@dataclass(frozen=True, slots=True)
class World:
    """One database for the whole run, durable as delivered; a folder that goes with it."""

    folder: Path
    cluster: postgres.Embedded
    quick: bool

    @contextmanager
    def flight(self) -> Iterator[Flight]:
        """A tenant of its own with people, a sandbox, a mail server, and a driver of jobs."""
        flown = take_off(
            self.folder / f"f{uuid.uuid4().hex[:12]}", self.cluster.url, self.cluster.owner_url
        )
        try:
            yield flown
        finally:
            land(flown)


@contextmanager
def world(*, quick: bool) -> Iterator[World]:
    """The world of one run; nothing of it stays. Logs are written, to a file, as workers do."""
    with tempfile.TemporaryDirectory(prefix="aicp-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the database server runs as somebody else when we are root
        configure("bench", env="bench", level="INFO", file=folder / "bench.log")
        cluster = postgres.start(folder / "data")
        try:
            apply(cluster.owner_url, password=cluster.app_password)
            yield World(folder, cluster, quick)
        finally:
            postgres.stop(folder / "data")
