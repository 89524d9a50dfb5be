"""What waits for one person: each thing once, the most urgent first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aicp.console.may import Asker, acknowledge, approve
from aicp.kernel.db import Actor, Connection
from aicp.missions import lifecycle, plan_store, store
from aicp.missions.store import Mission


@dataclass(frozen=True, slots=True)
class Wait:
    """One decision that a mission waits for."""

    mission_id: str
    title: str
    verb: str  # what to do: "Approve"
    why: str  # one sentence
    anchor: str  # where on the mission's page
    since: datetime
    due: datetime | None = None


def waiting_for(
    conn: Connection, actor: Actor, missions: list[Mission], now: datetime
) -> list[Wait]:
    """Everything these missions need from this person; what expires first comes first."""
    found = [_wait(conn, Asker(actor, mission), now) for mission in missions]
    far = datetime.max.replace(tzinfo=now.tzinfo)
    return sorted((w for w in found if w), key=lambda wait: (wait.due or far, wait.since))


def _wait(conn: Connection, asker: Asker, now: datetime) -> Wait | None:
    mission = asker.mission
    if mission.status in ("completed", "archived"):
        return None
    if mission.status == "blocked":
        return _wait_for(asker, "Unblock", mission.blocking_reason) if asker.controls else None
    if mission.current_stage == "Define" and mission.status == "ready":
        return _define(conn, asker)
    if mission.current_stage == "Plan" and mission.status == "ready" and asker.is_owner:
        return _wait_for(asker, "Choose a play", "the ranked plays are ready")
    if mission.current_stage == "Approve":
        return _approval(conn, asker, now)
    return None


def _define(conn: Connection, asker: Asker) -> Wait | None:
    mission = asker.mission
    gaps = lifecycle.brief_gaps(mission.understanding, mission.accepted)
    if gaps:
        return _wait_for(asker, "Settle the brief", gaps[0]) if asker.is_owner else None
    brief = {"gaps": gaps, "acknowledgements": store.acks(conn, mission.id, mission.brief_version)}
    if acknowledge(asker, brief):
        return None
    return _wait_for(asker, "Acknowledge", "its safeguards need two people; you are one of them")


def _approval(conn: Connection, asker: Asker, now: datetime) -> Wait | None:
    row = plan_store.approval(conn, asker.mission.id)
    if row is None or approve(conn, asker, now):
        return None
    return _wait_for(asker, "Decide", "the exact plan waits for your decision", row.expires_at)


def _wait_for(asker: Asker, verb: str, why: str, due: datetime | None = None) -> Wait:
    mission = asker.mission
    anchor = "now" if verb == "Unblock" else mission.current_stage.lower()
    return Wait(mission.id, mission.title, verb, why, anchor, mission.updated_at, due)
