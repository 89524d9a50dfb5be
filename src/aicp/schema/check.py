"""Hold a live database against the one schema file (OP-3, PC-4)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg

from aicp.errors import NotFound, UpstreamDown
from aicp.schema.apply import schema_sha256
from aicp.schema.diff import Change, compare, lasting, unchecked
from aicp.schema.shadow import NoShadow, declared, expected
from aicp.schema.snapshot import Snapshot, fingerprint, is_platform, snapshot, without_platform


@dataclass(frozen=True, slots=True)
class Report:
    """What was found.

    Args:
        changes: none when the database is what the schema file makes.
        against: `shadow` (built on the same server) or `lock` (the committed file).
        notes: what to know before believing it.
        unchecked: objects whose inside is not compared.
        fingerprint: of the database as it is.
    """

    changes: list[Change]
    against: str
    platform: bool
    server: int
    fingerprint: str
    notes: list[str]
    unchecked: list[str]

    def as_dict(self) -> dict[str, Any]:
        return {
            "clean": not self.changes, "against": self.against, "supabase": self.platform,
            "server_version": self.server, "fingerprint": self.fingerprint,
            "schema_sha256": schema_sha256(), "notes": self.notes, "unchecked": self.unchecked,
            "changes": [change.as_dict() for change in self.changes],
        }  # fmt: skip

    @property
    def kinds(self) -> dict[str, int]:
        """How many changes there are of each kind of object."""
        return dict(Counter(change.kind for change in self.changes))


def check(
    owner_url: str, *, login: str, platform: bool | None = None, against: str = "shadow"
) -> Report:
    """Compare a database with a shadow on its own server, or with the lock file where that cannot be.

    Args:
        owner_url: a login that may create a database, for the shadow; any login for the lock file.
        login: the login the product runs as.
        platform: whether it is Supabase, whose own schemas are left out; None looks for itself.

    Raises:
        UpstreamDown: the server does not answer.
        NotFound: there is neither a shadow nor a lock file.
    """
    try:
        with psycopg.connect(owner_url, connect_timeout=5) as conn:
            platform = is_platform(conn) if platform is None else platform
            found = snapshot(conn, login=login, platform=platform)
            server = conn.info.server_version // 10000
        wanted, used, notes = _expected(owner_url, login, against, server)
    except psycopg.OperationalError as error:
        raise UpstreamDown("the database does not answer", hint="check DATABASE_URL") from error
    if platform:
        wanted, found = without_platform(wanted), without_platform(found)
    return Report(
        compare(wanted, found), used, platform, server, fingerprint(lasting(found)), notes,
        unchecked(wanted, found),
    )  # fmt: skip


def _expected(
    owner_url: str, login: str, against: str, server: int
) -> tuple[Snapshot, str, list[str]]:
    why = "as asked"
    if against == "shadow":
        try:
            return expected(owner_url, login=login), "shadow", []
        except NoShadow as error:
            why = f"no shadow can be made ({error})"
    lock = read_lock()
    notes = [f"compared with the lock file: {why}"]
    if lock["server_version"] != server:
        notes.append(
            f"the lock file is of PostgreSQL {lock['server_version']}, the server is {server}:"
            " a difference in privileges or in the text of a view may come from that"
        )
    return declared(lock["objects"], with_login="role: login" in lock["objects"]), "lock", notes


def read_lock() -> dict[str, Any]:
    """The committed snapshot of the schema file.

    Raises:
        NotFound: there is none, or it is of another schema file.
    """
    packaged = files("aicp.schema") / "schema.lock.json"
    file = (
        packaged if packaged.is_file() else Path(__file__).parents[3] / "supabase/schema.lock.json"
    )
    try:
        lock = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        lock = {}
    if lock.get("schema_sha256") != schema_sha256():
        raise NotFound(
            "there is no lock file of this schema file",
            hint="run `make schema`, or give a login that may create databases (AICP_OWNER_DATABASE_URL)",
        )
    return lock
