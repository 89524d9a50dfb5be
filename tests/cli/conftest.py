"""One start of everything for the whole suite, and missions in the states that tests begin from."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aicp.cli.supervise import Supervisor, free_port
from aicp.cli.up import first_run
from aicp.settings import Settings
from cli.system import PEOPLE, System


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command sets the data folder in the environment; nothing of it outlives a test."""
    monkeypatch.setenv("AICP_DATA_DIR", "unused")
    monkeypatch.delenv("AICP_DATA_DIR")
    for name in ("DATABASE_URL", "AICP_URL", "AICP_TOKEN", "COLUMNS", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    home = tmp_path_factory.mktemp("home")
    data, files, inbox = home / "data", home / "files", home / "files" / "inbox"
    files.mkdir()
    smtp = free_port("127.0.0.1", 0)
    settings = Settings(data=str(data), port="0", file_roots=str(files))
    mail = ["aicp.toolkits.sandbox.smtp", f"--maildir={inbox}", f"--port={smtp}"]
    supervisor = Supervisor(settings, {"smtp": mail})
    over = threading.Event()
    watching = threading.Thread(target=supervisor.watch, args=(over.is_set,), daemon=True)
    try:
        supervisor.start()
        first_run(settings, PEOPLE)
        watching.start()
        yield System(data, files, f"127.0.0.1:{smtp}", inbox, supervisor)
    finally:
        over.set()
        if watching.is_alive():
            watching.join()
        supervisor.stop()


@pytest.fixture(scope="session")
def waiting(system: System) -> tuple[str, str]:
    """A mission that waits for its approval, and the digest of its plan. Never approved."""
    mission = system.give(system.table("waiting.csv"))
    return mission, system.choose(mission)


@pytest.fixture(scope="session")
def flown(system: System) -> str:
    """A finished mission."""
    mission = system.give(system.table("flown.csv"))
    system.fly(mission)
    return mission


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(system: System) -> Iterator[Start]:
    """Start `aicp …` as a process of its own; whatever is left of it ends with the test."""
    begun: list[subprocess.Popen[str]] = []

    def begin(*words: str, **how: Any) -> subprocess.Popen[str]:
        how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | how
        command = [sys.executable, "-m", "aicp.cli.main", "--data-dir", str(system.data), *words]
        begun.append(subprocess.Popen(command, **how))
        return begun[-1]

    yield begin
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate()
