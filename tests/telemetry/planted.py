"""Secrets to plant, put together at run time, and a search for them in everything a system leaves behind.

`leaks` is what a search over a whole run calls as well: any text, folder or database, one list of secrets.
"""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql

_LETTERS = string.ascii_letters + string.digits


def plant() -> dict[str, str]:
    """Secrets of many kinds by name, new ones each time; none opens anything."""

    def letters(count: int, alphabet: str = _LETTERS) -> str:
        return "".join(secrets.choice(alphabet) for _ in range(count))

    return {
        "password": f"hunter{letters(4, string.digits)}!x",
        "api key": f"sk_{'live'}_{letters(24)}",
        "github": f"ghp_{letters(36)}",
        "opaque": secrets.token_urlsafe(32),
        "cloud key": f"AKIA{letters(16, string.ascii_uppercase)}",
        "jwt": f"eyJ{letters(20)}.eyJ{letters(30)}.{letters(43)}",
        "database password": letters(14) + "1",
        "card": "4242 4242 4242 4242",  # the test number that card brands publish
    }


def sentence(planted: dict[str, str]) -> str:
    """One text with all of them, as an unlucky error might have it."""
    return (
        f"login failed: password={planted['password']} key {planted['api key']} {planted['github']}, Authorization: Bearer"
        f" {planted['opaque']}; {planted['cloud key']} {planted['jwt']} postgresql://app:{planted['database password']}@db/x"
        f" paid by {planted['card']}"
    )


def leaks(planted: dict[str, str], places: dict[str, str]) -> list[tuple[str, str]]:
    """(place, name of the secret) for every planted secret that stands in a text, in clear or in base64."""
    needles = [(name, form) for name, value in planted.items() for form in _forms(value)]
    return [
        (place, name) for place, text in places.items() for name, form in needles if form in text
    ]


def _forms(value: str) -> tuple[str, ...]:
    coded = base64.b64encode(value.encode()).decode().rstrip("=")
    return value, coded[:-1]


def folder(path: Path) -> dict[str, str]:
    """Every file below a folder as text."""
    return {
        str(p.relative_to(path)): p.read_bytes().decode("utf-8", "replace")
        for p in path.rglob("*")
        if p.is_file()
    }


def database(url: str) -> dict[str, str]:
    """Every table that its owner may read, whole, as text."""
    with psycopg.connect(url, autocommit=True) as conn:
        return dict(_tables(conn))


def _tables(conn: psycopg.Connection) -> Iterator[tuple[str, str]]:
    names = conn.execute(
        "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
    ).fetchall()
    for schema, table in names:
        rows = conn.execute(
            sql.SQL("select t::text from {} t").format(sql.Identifier(schema, table))
        ).fetchall()
        yield f"{schema}.{table}", "\n".join(row[0] for row in rows)
