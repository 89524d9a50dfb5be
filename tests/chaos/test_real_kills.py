"""Real processes under a real supervisor: worker, database, server and supervisor killed mid-mission."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aicp import client
from aicp.cli.supervise import free_port
from aicp.cli.up import stop
from aicp.client import Client
from aicp.errors import AicpError
from aicp.kernel import postgres

ACCOUNTS = 40
INTENT = "Reassign all accounts owned by Dana Holt to Lee Moreno."

pytestmark = pytest.mark.chaos


@dataclass
class System:
    home: Path
    files: Path

    def up(self) -> None:
        env = os.environ | {
            "AICP_HEARTBEAT_SECONDS": "1", "AICP_STALLED_SECONDS": "3", "AICP_FILE_ROOTS": str(self.files),
            "AICP_PORT": str(free_port("127.0.0.1", 0)),
        }  # fmt: skip
        words = [
            sys.executable,
            "-m",
            "aicp.cli.main",
            f"--data-dir={self.home}",
            "up",
            f"--sandbox={free_port('127.0.0.1', 0)}",
        ]
        with (self.home.parent / "up.log").open("ab") as sink:
            self.process = subprocess.Popen(
                words, env=env, stdout=sink, stderr=sink, start_new_session=True
            )
        _until(lambda: client.running(self.home).get("ready"))

    def as_(self, name: str) -> Client:
        return Client(client.find(self.home, as_email=f"{name}@home.example"))

    def child(self, name: str) -> int:
        return int(client.running(self.home)["children"][name])


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    tmp_path.chmod(0o755)
    made = System(tmp_path / "home", tmp_path / "files")
    made.files.mkdir()
    made.home.mkdir()
    made.up()
    yield made
    stop(made.home)


def test_a_mission_survives_the_death_of_everything_and_does_each_row_once(system: System) -> None:
    """kill -9 of worker, PostgreSQL, server and supervisor: it finishes, 0 duplicates, 0 lost."""
    table = system.files / "accounts.csv"
    _write(table)
    mission = _approved(system, table)
    killers: list[Callable[[], None]] = [
        lambda: os.kill(system.child("worker-1"), signal.SIGKILL),
        lambda: os.kill(postgres.server_pid(system.home) or 0, signal.SIGKILL),
        lambda: os.kill(system.child("server"), signal.SIGKILL),
        lambda: _kill_supervisor(system),
    ]
    for number, kill in enumerate(killers, 1):
        _until(lambda at=number * ACCOUNTS // 6: _step(system, mission) >= at)
        kill()
    _until(
        lambda: _step(system, mission) == ACCOUNTS and _doc(system, mission)["stage"] == "Reflect"
    )
    doc = _doc(system, mission)
    assert [step["state"] for step in doc["run"]["steps"]] == ["done"] * ACCOUNTS
    with table.open(newline="") as source:
        owners = [row["owner"] for row in csv.DictReader(source)]
    assert owners == ["Lee Moreno"] * (ACCOUNTS + 1)
    assert doc["findings"] == []


def test_nothing_stays_when_the_supervisor_is_told_to_stop(system: System) -> None:
    pids = [*client.running(system.home)["children"].values(), postgres.server_pid(system.home)]
    os.kill(system.process.pid, signal.SIGINT)
    assert system.process.wait(40) == 0
    _until(lambda: not any(_alive(pid) for pid in pids))
    assert client.running(system.home) == {}


def _kill_supervisor(system: System) -> None:
    """Everything of it dies with it; a new one picks up the same data."""
    children = list(client.running(system.home)["children"].values())
    os.kill(system.process.pid, signal.SIGKILL)
    system.process.wait()
    _until(lambda: not any(_alive(pid) for pid in children))
    system.up()


def _approved(system: System, table: Path) -> str:
    riley, gabriela = system.as_("riley"), system.as_("gabriela")
    mission = riley.post("/api/missions", {"intent": INTENT, "data": [str(table)]})["id"]
    _until(lambda: _doc(system, mission)["brief"])
    for person in (riley, gabriela):
        person.post(f"/api/missions/{mission}/acknowledgements")
    _until(lambda: _doc(system, mission)["plays"])
    riley.post(f"/api/missions/{mission}/plan", {"rank": 1})
    digest = _doc(system, mission)["approval"]["approval"]["digest"]
    for person in (riley, gabriela):
        if person.post(f"/api/missions/{mission}/approval", {"digest": digest})["complete"]:
            break
    return mission


def _doc(system: System, mission: str) -> dict[str, Any]:
    return system.as_("riley").get(f"/api/missions/{mission}")


def _step(system: System, mission: str) -> int:
    return _doc(system, mission)["step"]


def _until(ready: Callable[[], Any], seconds: float = 90) -> None:
    """Wait for a condition of other processes; what is down meanwhile is asked again."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if ready():
                return
        except AicpError:
            pass
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def _alive(pid: int | None) -> bool:
    if not pid:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"


def _write(path: Path) -> None:
    with path.open("w", newline="") as sink:
        out = csv.writer(sink)
        out.writerow(["id", "name", "owner", "email"])
        out.writerow(["A-900", "Account 900", "Lee Moreno", "kim900@a900.example"])
        out.writerows(
            [f"A-{n:03}", f"Account {n}", "Dana Holt", f"kim{n}@a{n}.example"]
            for n in range(ACCOUNTS)
        )
