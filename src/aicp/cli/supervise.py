"""Keep the processes of one data folder alive: database, server, workers. Used by up and demo.

Whatever is killed comes back; when this process ends, for whatever reason, nothing of it stays.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

from aicp.cli.db import apply_outside
from aicp.errors import Conflict, UpstreamDown
from aicp.kernel import postgres
from aicp.schema.apply import applied, apply
from aicp.settings import Settings

START_SECONDS = 60.0
PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    name: str
    words: list[str]
    env: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0


@dataclass
class Supervisor:
    """The processes of one data folder.

    Args:
        settings: what they run with; a busy port is moved to the next free one.
        say: where one line about a restart goes.
    """

    settings: Settings
    extra: dict[str, list[str]] = field(default_factory=dict)  # name -> python module and arguments
    say: Callable[[str], None] = lambda _line: None
    children: list[Child] = field(default_factory=list)
    url: str = ""
    ready: bool = False
    _lock: IO[str] | None = None
    _stopping: bool = False

    def start(self) -> str:
        """Start everything; returns the server's address once it is healthy.

        Raises:
            Conflict: another supervisor already runs on this data folder.
            UpstreamDown: something does not come up; the message names its log.
        """
        data = self.settings.data_dir
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        (data / "logs").mkdir(exist_ok=True)
        self._lock = _only_one(data)
        if self.settings.database_url:
            if not applied(self.settings.database_url):
                apply_outside(self.settings)
        else:
            self._start_database()
        port = free_port(self.settings.host, self.settings.integer("port"))
        self.url = f"http://{self.settings.host}:{port}"
        env = os.environ | {"AICP_DATA_DIR": str(data), "AICP_PORT": str(port), **self._overrides()}
        names = ["server", *(f"worker-{n}" for n in range(1, self.settings.integer("workers") + 1))]
        modules = {"server": "aicp.serve"}
        extra = [
            Child(name, [sys.executable, "-m", *words], dict(env))
            for name, words in self.extra.items()
        ]
        self.children = [
            Child(name, [sys.executable, "-m", modules.get(name, "aicp.worker.main")], dict(env))
            for name in names
        ] + extra
        for child in self.children:
            self._spawn(child)
        self._remember()
        self._wait_until_healthy()
        return self.url

    def watch(self, until: Callable[[], bool]) -> None:
        """Bring back whatever dies, until told to stop."""
        checked = 0.0
        while not until():
            for child in self.children:
                if child.process and child.process.poll() is not None:
                    self._restart(child)
            if not self.settings.database_url and time.monotonic() - checked > 1:
                checked = time.monotonic()
                self._mind_database()
            time.sleep(0.2)

    def stop(self) -> None:
        """End everything, politely first."""
        if self._stopping:
            return
        self._stopping = True
        for child in reversed(self.children):
            if child.process and child.process.poll() is None:
                child.process.terminate()
        for child in reversed(self.children):
            if child.process:
                try:
                    child.process.wait(timeout=12)
                except subprocess.TimeoutExpired:
                    child.process.kill()
                    child.process.wait()
        if not self.settings.database_url:
            postgres.stop(self.settings.data_dir)
        with suppress(FileNotFoundError):
            (self.settings.data_dir / "run.json").unlink()

    def declare_ready(self) -> None:
        """Tell whoever waits in run.json that people may come in."""
        self.ready = True
        self._remember()

    def _overrides(self) -> dict[str, str]:
        own = self.settings.composio_url
        return ({"COMPOSIO_BASE_URL": own} if own else {}) | {
            "AICP_HOLD_SECONDS": self.settings.hold_seconds,
            "AICP_FILE_ROOTS": ":".join(str(root) for root in self.settings.roots),
            "AICP_HEARTBEAT_SECONDS": self.settings.heartbeat_seconds,
            "AICP_STALLED_SECONDS": self.settings.stalled_seconds,
        }

    def _start_database(self) -> None:
        cluster = postgres.start(self.settings.data_dir)
        apply(cluster.owner_url, password=cluster.app_password)

    def _mind_database(self) -> None:
        if postgres.running(self.settings.data_dir) is None:
            self.say("the database is gone; starting it again")
            with suppress(UpstreamDown):
                postgres.start(self.settings.data_dir)

    def _spawn(self, child: Child) -> None:
        log = self.settings.data_dir / "logs" / f"{child.name}.log"
        with log.open("ab") as sink:
            child.process = subprocess.Popen(
                child.words, env=child.env, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
                start_new_session=True, preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509
            )  # fmt: skip
        child.started = time.monotonic()

    def _restart(self, child: Child) -> None:
        """At once when it had lived a while; after a pause that grows when it keeps dying."""
        lived = time.monotonic() - child.started
        child.failures = 0 if lived > 10 else child.failures + 1
        if child.failures > 1 and lived < min(child.failures * 1.0, 10.0):
            return
        self.say(f"{child.name} is gone; starting it again")
        self._spawn(child)
        self._remember()

    def _remember(self) -> None:
        state = {
            "pid": os.getpid(), "url": self.url, "ready": self.ready,
            "children": {c.name: c.process.pid for c in self.children if c.process},
        }  # fmt: skip
        part = self.settings.data_dir / "run.json.part"
        part.write_text(json.dumps(state))
        part.rename(self.settings.data_dir / "run.json")

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health", timeout=5, trust_env=False).status_code == 200:
                    return
            if dead := next(
                (c for c in self.children if c.process and c.process.poll() is not None), None
            ):
                raise UpstreamDown(f"the {dead.name} ended while starting: {self._last_line(dead)}")
            time.sleep(0.1)
        raise UpstreamDown(
            f"the system is not healthy after {START_SECONDS:.0f} seconds",
            hint=f"look into {self.settings.data_dir / 'logs'}",
        )

    def _last_line(self, child: Child) -> str:
        log: Path = self.settings.data_dir / "logs" / f"{child.name}.log"
        lines = log.read_text(errors="replace").strip().splitlines()
        return lines[-1][-300:] if lines else f"see {log}"


def free_port(host: str, wanted: int) -> int:
    """The wanted port, or the next free one after it (0: any)."""
    for port in [wanted, *range(wanted + 1, wanted + 50), 0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise UpstreamDown(f"no port near {wanted} is free on {host}", hint="set AICP_PORT")


def _only_one(data: Path) -> IO[str]:
    lock = (data / "up.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise Conflict(
            f"the system of {data} is already running",
            hint="see `aicp status`; stop it with `aicp down`",
            code="already_running",
        ) from None
    return lock


def _die_with(parent: int) -> Callable[[], None]:
    """Linux: the kernel ends this child when the supervisor dies, even by kill -9."""

    def ask() -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # it died before we could ask
                os._exit(1)

    return ask
