"""Consent: nothing signs in anywhere before a person saw the scopes and said yes (TR-2, TR-3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from aicp.errors import Forbidden, GateBlocked, NotFound
from aicp.kernel.db import Actor, Connection
from aicp.kernel.ids import new_id
from aicp.kernel.jobs import enqueue
from aicp.missions import flow, store
from aicp.missions.services import Services
from aicp.missions.store import ConnectionRow, Mission
from aicp.telemetry.record import record
from aicp.toolkits.providers.base import NeedsConsent, Provider

TASK = "mission.connect"
LASTS = timedelta(minutes=30)  # a consent, and the link that comes of it (TR-3)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An account that a person must sign in to, and what would be asked for, in plain words."""

    account: str
    scopes: dict[str, str]


def wanted(
    providers: dict[str, Provider], rows: list[ConnectionRow], used: dict[str, tuple[str, ...]]
) -> list[Wanted]:
    """The accounts that still need a person, each with the narrowest scopes for its tools.

    Args:
        used: the tools that the mission will use, by account; an account that is not named is only
            read from.
    """
    found = []
    for row in rows:
        provider = providers[row.account]
        if not isinstance(provider, NeedsConsent):
            continue
        reads = tuple(spec.name for spec in provider.tools() if not spec.mutates)
        scopes = provider.scopes_for(used.get(row.account, reads))
        if scopes and not (row.auth == "active" and set(scopes) <= set(row.granted_scopes)):
            found.append(Wanted(row.account, scopes))
    return found


def ask(conn: Connection, mission: Mission, asked: list[Wanted]) -> GateBlocked:
    """Keep what would be asked for where people see it; the refusal says what to do."""
    rows = {row.account: row for row in store.connections(conn, mission.id)}
    for one in asked:
        conn.execute(
            "update connections set wanted_scopes = %s, requested_scopes = %s,"
            " auth = case when auth in ('linking', 'expired') then auth else 'needed' end"
            " where mission_id = %s and account = %s",
            (Jsonb(one.scopes), sorted(one.scopes), mission.id, one.account),
        )
    first = rows[asked[0].account]
    missing = sorted(asked[0].scopes.keys() - set(first.granted_scopes))
    names = ", ".join(one.account for one in asked)
    short = f"{first.account} was granted without {', '.join(missing)}; " * bool(
        first.granted_scopes
    )
    return GateBlocked(
        f"{short}{names} must be signed in to",
        hint=f"read what it may do and consent: aicp mission connect {mission.id} {asked[0].account}",
        code="needs_auth",
    )


def give(
    conn: Connection, actor: Actor, services: Services, mission_id: str, account: str, *,
    scopes: list[str],
) -> dict[str, Any]:  # fmt: skip
    """A person's consent to a sign-in for exactly these scopes; the Inspector then starts the link.

    Args:
        scopes: what the person saw. Anything else than what would be asked for now does not count.

    Raises:
        Forbidden: only the owner consents.
        NotFound: the mission has no such account.
        GateBlocked: it is not the time for it, or the scopes are others by now.
    """
    mission = store.get(conn, mission_id, lock=True)
    if actor.person_id != mission.owner_id:
        raise Forbidden(f"only the owner, {mission.owner_name}, consents to a sign-in")
    row = next((r for r in store.connections(conn, mission.id) if r.account == account), None)
    if row is None:
        raise NotFound(
            f"the mission has no account '{account[:80]}'", hint=f"aicp mission show {mission.id}"
        )
    if not may_connect(mission, row):
        raise GateBlocked(
            f"a sign-in may only be started in Prepare, and the mission is in {mission.current_stage}",
            code="not-prepare",
        ).on(mission.id, "TR-2")
    if not row.wanted_scopes:
        raise GateBlocked(f"{account} needs no sign-in")
    if sorted(scopes) != sorted(row.wanted_scopes):
        raise GateBlocked(
            "the scopes are not those that would be asked for now",
            hint=f"read them again: aicp mission connect {mission.id} {account}",
            code="other-scopes",
        ).on(mission.id, "TR-3")
    if link := open_link(conn, mission.id, account):
        raise GateBlocked(f"{account} has an open link already", hint=f"open it: {link}")
    at, consent_id = services.clock(), new_id("c")
    conn.execute(  # an earlier failure is history: whoever watches waits for this sign-in
        "update connections set auth = 'needed' where mission_id = %s and account = %s"
        " and auth in ('failed', 'revoked')",
        (mission.id, account),
    )
    conn.execute(
        "insert into consents (id, tenant_id, mission_id, account, scopes, person_id, given_at, expires_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            consent_id,
            actor.tenant_id,
            mission.id,
            account,
            sorted(scopes),
            actor.person_id,
            at,
            at + LASTS,
        ),
    )
    record(
        conn, actor, "consent_given", {"toolkit": row.toolkit, "scopes_requested": sorted(scopes)}, at=at,
        mission_id=mission.id, correlation_id=mission.correlation_id, stage="Prepare",
    )  # fmt: skip
    enqueue(
        conn, TASK,
        {"tenant_id": str(mission.tenant_id), "mission_id": mission.id, "consent_id": consent_id},
        lock=flow.lock_name(mission.id), unique=consent_id, priority=5,
    )  # fmt: skip
    return {"consent_id": consent_id, "account": account, "scopes": sorted(scopes)}


def open_link(conn: Connection, mission_id: str, account: str) -> str:
    """The address of the link that waits for a person; "" when there is none."""
    row = conn.execute(
        "select url from connect_links where mission_id = %s and account = %s and status = 'initiated'",
        (mission_id, account),
    ).fetchone()
    return str(row[0]) if row else ""


def may_connect(mission: Mission, row: ConnectionRow) -> bool:
    """Prepare, or the one exception: a run or an undo whose grant ended under it (TR-2, TR-16)."""
    ended = row.auth in ("expired", "linking", "failed", "needed", "revoked")
    paused = mission.current_stage == "Execute" and mission.run_state == "paused"
    return mission.current_stage == "Prepare" or (
        ended and (paused or mission.run_state == "undo_stopped")
    )
