"""Who may let an agent in: the owner's side of a token, and why an ended one opens nothing."""

from __future__ import annotations

from datetime import datetime

from aicp.errors import AicpError, Forbidden, GateBlocked, SignInNeeded
from aicp.kernel.db import Actor, Connection
from aicp.missions import store
from aicp.missions.agent_calls import Denied
from aicp.missions.store import Mission
from aicp.people.agent_tokens import Holder
from aicp.telemetry.record import record


def check_token(conn: Connection, actor: Actor, mission_id: str) -> Mission:
    """The mission a token may be made for, or taken back.

    Raises:
        Forbidden: only the owner gives an agent access.
        GateBlocked: the mission makes its own calls, or is over.
    """
    mission = store.get(conn, mission_id, lock=True)
    if actor.person_id != mission.owner_id:
        raise Forbidden(f"only the owner, {mission.owner_name}, gives an agent access")
    if mission.driver != "agent":
        raise GateBlocked(
            "this mission makes its calls itself; an agent has no part in it",
            hint='start one for an agent: aicp mission new "…" --agent',
        )
    return mission


def announce_token(
    conn: Connection, actor: Actor, mission: Mission, *, hours: int, at: datetime
) -> None:
    """Tell that an agent may come."""
    record(
        conn, actor, "agent_token_issued", {"hours": hours}, at=at, mission_id=mission.id,
        correlation_id=mission.correlation_id, stage=mission.current_stage, status="warning",
    )  # fmt: skip


def announce_revoked(
    conn: Connection, actor: Actor, mission: Mission, *, count: int, at: datetime
) -> None:
    """Tell that no agent may come any more."""
    record(
        conn, actor, "agent_token_revoked", {"count": count}, at=at, mission_id=mission.id,
        correlation_id=mission.correlation_id, stage=mission.current_stage, status="warning",
    )  # fmt: skip


def over(holder: Holder) -> AicpError:
    """Why an ended token opens nothing, as the edge answers it."""
    told = {
        "token-expired": "this agent's token has expired",
        "token-revoked": "this agent's token was taken back",
        "mission-over": "the mission is over, and its agent's token with it",
    }[holder.over]
    denied = Denied(holder.over, told, hint="the mission's owner may make another token")
    return SignInNeeded(told, hint=denied.hint, facts=denied.as_answer())
