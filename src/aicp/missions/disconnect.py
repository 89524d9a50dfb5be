"""Disconnect: a grant ends with the mission it was given for, or as soon as a person says so (TR-19)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aicp.errors import Forbidden, GateBlocked, NotFound
from aicp.kernel.db import Actor, Connection
from aicp.missions import store
from aicp.missions.control import MAY_STOP
from aicp.missions.grants import GRANTED, enqueue_for
from aicp.missions.opening import open_one
from aicp.missions.services import Services
from aicp.missions.store import ConnectionRow, Mission
from aicp.telemetry.record import record
from aicp.toolkits.providers.base import NeedsConsent, ProviderError
from aicp.trust import journal

AGAIN = timedelta(minutes=5)  # until the next try when the other side is away


def request(
    conn: Connection, actor: Actor, services: Services, mission_id: str, account: str
) -> dict[str, Any]:
    """Take a grant back now. A run that still needs it is paused, and undo loses that account.

    Raises:
        Forbidden: only the owner, governance and on-call disconnect.
        NotFound, GateBlocked: there is no such account, or no grant.
    """
    mission = store.get(conn, mission_id, lock=True)
    if actor.person_id != mission.owner_id and not MAY_STOP & set(actor.roles):
        raise Forbidden("only the owner, governance and on-call disconnect an account")
    row = next((r for r in store.connections(conn, mission.id) if r.account == account), None)
    if row is None:
        raise NotFound(f"the mission has no account '{account[:80]}'")
    if row.auth not in GRANTED:
        raise GateBlocked(f"{account} holds no grant")
    at = services.clock()
    _forget(conn, mission, row)
    if mission.run_state in ("running", "held"):
        store.change(
            conn, mission.id, at, run_state="paused", status="blocked", readiness="needs_auth",
            blocking_reason=f"{account} was disconnected by a person; undo what was done, or connect it again",
        )  # fmt: skip
    enqueue_for(conn, mission, account, at)
    return {"account": account, "run_state": store.get(conn, mission.id).run_state}


def run(services: Services, mission: Mission, account: str) -> None:
    """The job: revoke on the other side; while it is away, try again later."""
    actor, at = mission.agent("inspector"), services.clock()
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission.id)
        row = next(r for r in store.connections(conn, mission.id) if r.account == account)
        if not row.auth_ref or row.auth == "none":
            return
        if mission.run_state in ("undoing", "running", "held"):
            enqueue_for(conn, mission, account, at + AGAIN)
            return
        refs = _refs(conn, mission, row)
    try:
        provider = open_one(services, row, actor)
        if isinstance(provider, NeedsConsent):
            for ref in refs:
                provider.revoke(ref)
    except ProviderError as error:
        with services.db.transaction(actor) as conn:
            journal.find(
                conn, actor, mission.id, rule="revoke",
                message=f"the grant of {account} could not be taken back yet: {error.message}",
                facts={}, at=at,
            )  # fmt: skip
            enqueue_for(conn, mission, account, at + AGAIN)
        return
    with services.db.transaction(actor) as conn:
        _forget(conn, mission, row)
        conn.execute(
            "update connections set auth_ref = '' where mission_id = %s and account = %s",
            (mission.id, account),
        )
        conn.execute(
            "update connect_links set status = 'revoked', settled_at = %s"
            " where mission_id = %s and account = %s and status in ('initiated', 'approved')",
            (at, mission.id, account),
        )
        record(
            conn, actor, "composio_auth_flow",
            {"toolkit": row.toolkit, "status": "revoked", "scopes_requested": row.requested_scopes,
             "connect_link_id": ""},
            at=at, mission_id=mission.id, correlation_id=mission.correlation_id,
            stage=mission.current_stage, status="success",
        )  # fmt: skip


def _refs(conn: Connection, mission: Mission, row: ConnectionRow) -> list[str]:
    """The grant in use, and those of earlier sign-ins: a later one replaces them only here."""
    earlier = conn.execute(
        "select ref from connect_links where mission_id = %s and account = %s"
        " and status <> 'failed'",
        (mission.id, row.account),
    )
    return sorted({row.auth_ref, *(str(ref) for (ref,) in earlier)})


def _forget(conn: Connection, mission: Mission, row: ConnectionRow) -> None:
    """From this commit on the gate lets no call of the account pass."""
    conn.execute(
        "update connections set auth = 'revoked', granted_scopes = '{}' where mission_id = %s and account = %s",
        (mission.id, row.account),
    )
