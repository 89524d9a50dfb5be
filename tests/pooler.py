"""Debian's PgBouncer in transaction mode before a test database; `make test` installs it where it may."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from aicp.cli.supervise import free_port

PROGRAM = Path("/usr/sbin/pgbouncer")
MISSING = "needs Debian's pgbouncer"

SETUP = """
[databases]
* = host={host} port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
stats_users = {user}
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 100
"""


@contextmanager
def pooled(url: str, *, size: int = 2) -> Iterator[str]:
    """The URL of the same database through a pooler with `size` server connections."""
    parts = urlsplit(url)
    port = free_port("127.0.0.1", 0)
    with tempfile.TemporaryDirectory(prefix="aicp-pooler-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the pooler refuses to run as root
        (folder / "users").write_text(f'"{parts.username}" "{parts.password}"\n')
        setup = SETUP.format(
            host=parts.hostname,
            server=parts.port,
            port=port,
            folder=folder,
            size=size,
            user=parts.username,
        )
        (folder / "pooler.ini").write_text(setup)
        user = {"user": "nobody", "extra_groups": []} if os.geteuid() == 0 else {}
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [PROGRAM, "-q", str(folder / "pooler.ini")], stdout=log, stderr=log, **user
            )
        try:
            _wait(port, process, folder / "log")
            yield parts._replace(
                netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}"
            ).geturl()
        finally:
            process.terminate()
            process.wait(timeout=10)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(log.read_text())
