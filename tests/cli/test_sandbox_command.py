"""`aicp sandbox` serves, says how it is used, and keeps what was done to it."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from subprocess import PIPE, Popen

import httpx

KEY = {"x-api-key": "aicp-sandbox"}


def start(folder: Path, port: str) -> tuple[Popen[str], str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSIO_")}
    words = [sys.executable, "-m", "aicp.cli.main", "sandbox", "--dir", str(folder), "--port", port]
    process = Popen(words, stderr=PIPE, text=True, env=own)
    assert process.stderr is not None
    told = "".join(process.stderr.readline() for _ in range(6))
    found = re.search(r"export COMPOSIO_BASE_URL=(http://127\.0\.0\.1:\d+)\n", told)
    assert found is not None, told
    assert "fictional accounts" in told
    return process, found[1]


def stop(process: Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    assert process.wait(15) == 130


def test_the_sandbox_says_where_it_is_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    first, url = start(tmp_path / "box", "0")
    answer = httpx.get(f"{url}/api/v3.1/toolkits", headers=KEY, trust_env=False)
    assert answer.headers["x-aicp-sandbox"] == "1"
    change = {"path": ["linear", "issues", "i-1", "title"], "value": "Changed"}
    assert httpx.post(f"{url}/sandbox/edit", json=change, headers=KEY, trust_env=False).is_success
    second, other = start(tmp_path / "other", url.rpartition(":")[2])  # a taken port gives way
    assert other != url
    stop(second)
    stop(first)
    third, url = start(tmp_path / "box", "0")
    state = httpx.get(f"{url}/sandbox/state", headers=KEY, trust_env=False).json()
    assert state["data"]["linear"]["issues"]["i-1"]["title"] == "Changed"
    stop(third)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    words = [sys.executable, "-m", "aicp.cli.main", "sandbox", "--dir", str(tmp_path / "file")]
    with Popen(words, stderr=PIPE, text=True) as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 7
    assert "cannot be served from" in told
    assert "Traceback" not in told
