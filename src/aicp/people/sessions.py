"""Signing in: tokens for programs, one-time links for people, sessions for browsers.

Only the SHA-256 of a secret is stored; a link works once and for a few minutes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from psycopg.rows import class_row

from aicp.errors import SignInNeeded
from aicp.kernel.canonical import sha256
from aicp.kernel.db import Connection
from aicp.kernel.ids import new_secret
from aicp.people.tenants import Person

Kind = Literal["token", "session", "link"]
LIFETIME: dict[str, timedelta] = {
    "token": timedelta(days=90),
    "session": timedelta(hours=12),
    "link": timedelta(minutes=30),
}


def issue(conn: Connection, person: Person, kind: Kind, *, at: datetime) -> str:
    """A new secret for a person; it is shown this once. Needs a service transaction."""
    secret = new_secret()
    conn.execute(
        "insert into credentials (secret_sha256, tenant_id, person_id, kind, created_at, expires_at)"
        " values (%s, %s, %s, %s, %s, %s)",
        (sha256(secret.encode()), person.tenant_id, person.id, kind, at, at + LIFETIME[kind]),
    )
    return secret


def who(conn: Connection, secret: str, kinds: tuple[Kind, ...], *, at: datetime) -> Person:
    """The person behind a token or session. Needs a service transaction.

    Raises:
        SignInNeeded: unknown, expired, revoked, or of another kind; the reason is not told apart.
    """
    person = (
        conn.cursor(row_factory=class_row(Person))
        .execute(
            "select p.id, p.tenant_id, p.email, p.display_name, p.roles from credentials c"
            " join people p on p.id = c.person_id and p.disabled_at is null"
            " where c.secret_sha256 = %s and c.kind = any(%s) and c.expires_at > %s and c.revoked_at is null",
            (sha256(secret.encode()), list(kinds), at),
        )
        .fetchone()
    )
    if person is None:
        raise SignInNeeded("you are not signed in", hint="get a link with `aicp login`")
    return person


def redeem(conn: Connection, link: str, *, at: datetime) -> str:
    """Trade a one-time link for a session secret; the link is used up (even under a race).

    Raises:
        SignInNeeded: the link is unknown, expired or was used.
    """
    used = conn.execute(
        "update credentials set used_at = %s, revoked_at = %s where secret_sha256 = %s and kind = 'link'"
        " and used_at is null and revoked_at is null and expires_at > %s",
        (at, at, sha256(link.encode()), at),
    ).rowcount
    if used != 1:
        raise SignInNeeded(
            "this sign-in link is not valid any more", hint="get a fresh one with `aicp login`"
        )
    person = (
        conn.cursor(row_factory=class_row(Person))
        .execute(
            "select p.id, p.tenant_id, p.email, p.display_name, p.roles from credentials c"
            " join people p on p.id = c.person_id and p.disabled_at is null where c.secret_sha256 = %s",
            (sha256(link.encode()),),
        )
        .fetchone()
    )
    if person is None:
        raise SignInNeeded("this person may not sign in any more")
    return issue(conn, person, "session", at=at)


def revoke(conn: Connection, secret: str, *, at: datetime) -> None:
    """End a token or session. Needs a service transaction."""
    conn.execute(
        "update credentials set revoked_at = %s where secret_sha256 = %s and revoked_at is null",
        (at, sha256(secret.encode())),
    )
