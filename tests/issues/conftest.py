"""A real `bd` on the PATH, and fresh git repositories for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from issues.running import Bd

LAUNCHER = Path(__file__).resolve().parents[2] / "src/aicp/issues/bd"


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `bd` that starts this interpreter as an installed one does."""
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "bd"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E {LAUNCHER} "$@"\n')
    script.chmod(0o755)
    return folder


@pytest.fixture
def a_repository(tmp_path: Path, tools: Path) -> Callable[[str], Bd]:
    def make(name: str = "ops") -> Bd:
        folder = tmp_path / name
        folder.mkdir()
        bd = Bd(folder, tools)
        bd.git("init", "-q", "-b", "main", ".")
        return bd

    return make


@pytest.fixture
def bd(a_repository: Callable[[str], Bd]) -> Bd:
    """`bd` in a fresh repository after `bd init`."""
    bd = a_repository("ops")
    bd("init")
    return bd
