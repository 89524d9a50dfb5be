"""What became of backups and drills: rows that the health page reads."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from aicp.errors import UpstreamDown

_COLUMNS = "kind, file, size_bytes, seconds, fingerprint, problem, at"


@dataclass(frozen=True, slots=True)
class Result:
    """One backup or drill; `problem` is empty when it went well."""

    kind: str
    file: str
    size_bytes: int
    seconds: float
    fingerprint: str
    problem: str
    at: datetime


def keep(owner_url: str, result: Result) -> None:
    """Write a result down.

    Raises:
        UpstreamDown: the database does not answer.
    """
    try:
        with psycopg.connect(owner_url, connect_timeout=5) as conn:
            conn.execute(
                f"insert into app.backups ({_COLUMNS}) values (%s, %s, %s, %s, %s, %s, %s)",
                astuple(result),
            )
    except psycopg.OperationalError as error:
        raise UpstreamDown("the database does not answer", hint="check DATABASE_URL") from error


def latest(conn: psycopg.Connection[Any]) -> dict[str, Result]:
    """The newest result of each kind that went well, under "backup" and "drill", and the newest of all
    that did not, when nothing of its kind went well since, under "backup_failed" and "drill_failed".

    Needs a service transaction.
    """
    rows = conn.cursor(row_factory=class_row(Result)).execute(
        f"select distinct on (kind, problem = '') {_COLUMNS} from app.backups order by kind, problem = '', at desc"
    )
    found = {f"{row.kind}_failed" if row.problem else row.kind: row for row in rows}
    return {
        name: row
        for name, row in found.items()
        if not (name.endswith("_failed") and row.kind in found and found[row.kind].at >= row.at)
    }
