"""`--connect KIND:PATH` is read against the caller's folder, not the server's."""

from __future__ import annotations

from pathlib import Path

import pytest

from aicp.cli.mission_plan import _connected


@pytest.mark.parametrize("kind", ["files", "git"])
def test_a_path_is_made_absolute(kind: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _connected(f"{kind}:docs") == f"{kind}:{tmp_path}/docs"
    assert _connected(f"{kind}:{tmp_path}") == f"{kind}:{tmp_path}"


@pytest.mark.parametrize("source", ["webhook:https://x.example/hook", "mcp:crm", "nothing"])
def test_what_is_no_path_stays(source: str) -> None:
    assert _connected(source) == source
