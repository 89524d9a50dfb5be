"""Debian's PostgreSQL, which has plpgsql_check; `make test` installs both where it may."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aicp.cli.supervise import free_port

HOME = Path("/usr/lib/postgresql/15")
MISSING = "needs Debian's postgresql-15-plpgsql-check"


def there() -> bool:
    return (HOME / "lib/plpgsql_check.so").exists() and (HOME / "bin/initdb").exists()


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The owner's URL of a server that lives as long as the block."""
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    port = free_port("127.0.0.1", 0)

    def run(program: str, *words: str) -> None:
        command = [str(HOME / "bin" / program), "-D", str(folder / "data"), *words]
        subprocess.run(
            command, check=True, user=user, cwd="/", stdout=subprocess.DEVNULL, extra_groups=[]
        )

    folder.chmod(0o777)
    run("initdb", "-U", "owner", "--auth=trust", "-E", "UTF8", "--no-locale", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    run("pg_ctl", "start", "-w", "-s", "-l", str(folder / "log"), "-o", options)
    try:
        yield f"postgresql://owner@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "stop", "-m", "immediate", "-s")
