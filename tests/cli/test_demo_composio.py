"""`aicp demo --composio`, run for real: its own database, server, worker and sandbox."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx

from aicp.client import running
from cli.system import typed


def aicp(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSIO_")}
    command = [sys.executable, "-m", "aicp.cli.main", "--data-dir", str(data), *words]
    return subprocess.run(
        command, env=own, capture_output=True, text=True, timeout=300, check=False
    )


def test_a_mission_flies_on_the_sandbox_and_every_line_of_its_proof_holds(tmp_path: Path) -> None:
    said = aicp(tmp_path, "demo", "--composio")
    try:
        assert said.returncode == 0, said
        proof = said.stdout.split("PROOF")[1]
        assert proof.count("holds") == 10
        assert "FAILS" not in said.stdout
        assert len(re.findall(r"SANDBOX · \w+ \(sandbox\) by Composio", said.stdout)) == 3
        assert "post messages as you, and delete what was posted" in said.stdout
        assert "4 of 4 steps checked only" in said.stdout
        assert re.search(r"4 +restored; stays: .*notification", said.stdout)
        link = re.search(r"link +gmail: (\S+)", said.stdout)
        assert link is not None
        assert httpx.get(link[1], trust_env=False).status_code == 404  # the account is gone
    finally:
        down = aicp(tmp_path, "--demo", "down")
    assert down.returncode == 0, down
    assert not running(tmp_path / "demo")


def test_words_of_ones_own_do_not_go_with_a_ready_plan(tmp_path: Path) -> None:
    said = typed("--data-dir", str(tmp_path), "demo", "--composio", "--intent", "Something else")
    assert said.code == 2
    assert "takes no --intent" in said.err
    assert not (tmp_path / "demo").exists()
