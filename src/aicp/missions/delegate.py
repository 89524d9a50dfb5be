"""Delegate: somebody who must decide lets another person decide in their place, once, on record."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from aicp.errors import BadInput, GateBlocked, NotFound
from aicp.kernel.db import Actor, Connection
from aicp.missions import plan_store, store
from aicp.missions.approve import decider_of
from aicp.missions.services import Services
from aicp.telemetry.record import record
from aicp.trust.approvals import Refusal, delegable


def delegate(
    conn: Connection, actor: Actor, services: Services, mission_id: str, *, to: str, reason: str
) -> dict[str, Any]:
    """Hand one's own capacity in the open approval on to another person of the tenant.

    Args:
        to: their e-mail address.

    Raises:
        BadInput: no reason was given.
        NotFound: there is no such person, or they are disabled.
        GateBlocked: the request is not open, or there is nothing of one's own to hand on.
    """
    if not reason.strip():
        raise BadInput("a delegation needs its reason", hint='add --reason "on leave until Monday"')
    mission = store.get(conn, mission_id, lock=True)
    row = plan_store.approval(conn, mission.id)
    if row is None:
        raise GateBlocked(f"there is nothing to decide: the mission is in {mission.current_stage}")
    person, name = _person(conn, to)
    request = plan_store.as_request(row, plan_store.decisions(conn, row.id))
    at = services.clock()
    capacity = delegable(request, decider_of(conn, actor, mission, row), person, at)
    if isinstance(capacity, Refusal):
        raise GateBlocked(f"this cannot be delegated: {capacity.why}", code=capacity.rule).on(
            mission.id, f"delegation:{capacity.rule}"
        )
    conn.execute(
        "insert into approval_delegations (tenant_id, approval_id, capacity, from_person, to_person, reason,"
        " delegated_at) values (%s, %s, %s, %s, %s, %s, %s) on conflict (approval_id, capacity) do update"
        " set to_person = excluded.to_person, reason = excluded.reason, delegated_at = excluded.delegated_at",
        (actor.tenant_id, row.id, capacity, actor.person_id, person, reason, at),
    )
    record(
        conn, actor, "approval_delegated", {"capacity": capacity, "reason_length": len(reason)}, at=at,
        mission_id=mission.id, correlation_id=mission.correlation_id, stage="Approve",
    )  # fmt: skip
    return {"capacity": capacity, "to": name}


def _person(conn: Connection, email: str) -> tuple[UUID, str]:
    found = conn.execute(
        "select id, display_name from people where email = %s and disabled_at is null",
        (email.strip().lower(),),
    ).fetchone()
    if found is None:
        raise NotFound(f"nobody here has the address {email[:80]}", hint="see `aicp people list`")
    return found[0], str(found[1])  # type: ignore[return-value]
