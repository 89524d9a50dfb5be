from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aicp.kernel import postgres
from toolkits.web_server import shop_server
from toolkits.world_composio import sandbox
from toolkits.worlds import Outside, World, smtp_server, world


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("outside")
    cluster = postgres.start(folder / "data")
    try:
        with (
            smtp_server(folder / "inbox") as where,
            shop_server() as shop,
            sandbox(folder / "composio") as box,
        ):
            yield Outside(where, folder / "inbox", cluster.owner_url, shop, box)
    finally:
        postgres.stop(folder / "data")


@pytest.fixture
def a_world(request: pytest.FixtureRequest, tmp_path: Path, outside: Outside) -> World:
    return world(request.param, tmp_path, outside)
