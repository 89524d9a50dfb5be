"""Tokens of other people's agents: each opens one mission, for some hours, and nothing else.

Only the SHA-256 of a token is stored. A token ends with its mission.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row

from aicp.kernel.canonical import sha256
from aicp.kernel.db import Actor, Connection
from aicp.kernel.ids import new_secret

PREFIX = "aicp_agent_"  # so that scanners for leaked secrets can tell what it is
NAME = "gateway"


@dataclass(frozen=True, slots=True)
class Holder:
    """What a token stands for: the mission's owner, under the name of an agent, and never more."""

    mission_id: str
    tenant_id: UUID
    person_id: UUID
    name: str
    roles: list[str]
    over: str  # why the token opens nothing any more, "" while it does

    @property
    def actor(self) -> Actor:
        return Actor(self.tenant_id, self.person_id, tuple(self.roles), self.name, NAME)


def issue(
    conn: Connection, *, tenant_id: UUID, owner_id: UUID, mission_id: str, hours: int, at: datetime
) -> str:
    """A new token for a mission; it is shown this once. Needs a service transaction."""
    secret = PREFIX + new_secret()
    conn.execute(
        "insert into credentials (secret_sha256, tenant_id, person_id, kind, mission_id, created_at,"
        " expires_at) values (%s, %s, %s, 'agent', %s, %s, %s)",
        (sha256(secret.encode()), tenant_id, owner_id, mission_id, at, at + timedelta(hours=hours)),
    )
    return secret


def holder(conn: Connection, secret: str, *, at: datetime) -> Holder | None:
    """Whose token this is, None when it never was one. Needs a service transaction.

    An ended token is known still, so that its use can be told to the mission's people.
    """
    return (
        conn.cursor(row_factory=class_row(Holder))
        .execute(
            "select c.mission_id, c.tenant_id, p.id as person_id, p.display_name as name, p.roles,"
            " case when c.revoked_at is not null then 'token-revoked'"
            " when p.disabled_at is not null then 'token-revoked'"
            " when c.expires_at <= %s then 'token-expired'"
            " when m.status in ('completed', 'archived') or m.run_state in ('stopped', 'undone')"
            " then 'mission-over' else '' end as over"
            " from credentials c join missions m on m.id = c.mission_id and m.tenant_id = c.tenant_id"
            " join people p on p.id = m.owner_id"
            " where c.secret_sha256 = %s and c.kind = 'agent'",
            (at, sha256(secret.encode())),
        )
        .fetchone()
    )


def revoke_all(conn: Connection, tenant_id: UUID, mission_id: str, *, at: datetime) -> int:
    """End every token of a mission; how many were still good. Needs a service transaction."""
    return conn.execute(
        "update credentials set revoked_at = %s where tenant_id = %s and mission_id = %s"
        " and kind = 'agent' and revoked_at is null and expires_at > %s",
        (at, tenant_id, mission_id, at),
    ).rowcount
