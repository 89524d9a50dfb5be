"""How the schema stands, from the product's own login and cheaply: as it was applied, or changed since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import psycopg

from aicp.kernel.clock import Clock
from aicp.schema.apply import fingerprint_of, schema_sha256

LOOKS = timedelta(seconds=60)  # a snapshot costs some 60 ms, and everybody may ask for the health


@dataclass(frozen=True, slots=True)
class Standing:
    """`ok`: as applied; `changed`: something was done to it since, see `aicp db diff`; `drift`: it was
    built from another schema file. The fingerprint is that of the schema as it is."""

    state: Literal["ok", "changed", "drift"]
    fingerprint: str


def standing(conn: psycopg.Connection[Any]) -> Standing:
    """Compare the live fingerprint with the one that was kept when the schema was applied."""
    if conn.execute("select schema_sha256 from app.meta").fetchone() != (schema_sha256(),):
        return Standing("drift", fingerprint_of(conn, conn.info.user))
    row = conn.execute("select fingerprint, login from app.meta").fetchone() or ("", "")
    live = fingerprint_of(conn, row[1])
    return Standing("ok" if live == row[0] else "changed", live)


class Watch:
    """The standing, looked at again when the last look is a minute old."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: tuple[datetime, Standing] | None = None

    def standing(self, conn: psycopg.Connection[Any]) -> Standing:
        now = self._clock()
        if self._last is None or now - self._last[0] >= LOOKS:
            self._last = (now, standing(conn))
        return self._last[1]
