"""What a person may do with a mission right now, and if not, why: buttons are shown either way.

The verbs decide again when a form arrives; this only keeps the page from offering what they refuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from aicp.kernel.db import Actor, Connection
from aicp.missions import plan_store
from aicp.missions.approve import decider_of
from aicp.missions.control import MAY_STOP
from aicp.missions.store import Mission
from aicp.trust.approvals import Refusal, capacity_for, delegable


@dataclass(frozen=True, slots=True)
class Asker:
    """A person in front of one mission."""

    actor: Actor
    mission: Mission

    @property
    def is_owner(self) -> bool:
        return self.actor.person_id == self.mission.owner_id

    @property
    def controls(self) -> bool:
        return self.is_owner or bool(MAY_STOP & set(self.actor.roles))


def why_not(
    conn: Connection, actor: Actor, mission: Mission, doc: dict[str, Any], now: datetime
) -> dict[str, str]:
    """For each action the reason why this person may not take it now, "" when they may."""
    asker = Asker(actor, mission)
    return {
        "edit": _edit(asker),
        "acknowledge": acknowledge(asker, doc["brief"]),
        "override": _override(asker),
        "consent": ""
        if asker.is_owner
        else f"only the owner, {asker.mission.owner_name}, consents to a sign-in",
        "select": _select(asker),
        "approve": approve(conn, asker, now),
        "reject": _reject(conn, asker),
        "delegate": _delegate(conn, asker, now),
        "finalize": _finalize(asker, now),
        "pause": _state(asker, {"running", "held"}, "nothing is running"),
        "resume": _resume(asker),
        "stop": _state(asker, {"idle", "running", "paused", "held"}, "the run is over"),
        "undo": _undo(asker, doc["run"]["steps"]),
        "feedback": _feedback(asker),
        "follow_up": ""
        if asker.controls
        else "only the owner, governance and on-call add follow-ups",
    }


def acknowledge(asker: Asker, brief: dict[str, Any] | None) -> str:
    """Why this person's acknowledgement would not count (TR-7)."""
    if asker.mission.current_stage != "Define":
        return "this was settled in Define"
    if brief is None:
        return "the brief is still being written"
    if brief["gaps"]:
        return f"settle this first: {brief['gaps'][0]}"
    given = brief["acknowledgements"]
    if any(ack["person_id"] == str(asker.actor.person_id) for ack in given):
        return "you acknowledged already; the other one must come from another person"
    filled = {ack["capacity"] for ack in given}
    mine = {"owner"} if asker.is_owner else set()
    mine |= {"governance"} & set(asker.actor.roles)
    if not mine:
        return "only the mission's owner and a governance delegate acknowledge"
    return "" if mine - filled else "your acknowledgement is not needed any more"


def approve(conn: Connection, asker: Asker, now: datetime) -> str:
    """Why this person's approval would not count (TR-10)."""
    row = plan_store.approval(conn, asker.mission.id)
    if row is None or asker.mission.current_stage != "Approve":
        return "there is nothing to approve now"
    decider = decider_of(conn, asker.actor, asker.mission, row)
    request = plan_store.as_request(row, plan_store.decisions(conn, row.id))
    found = capacity_for(request, decider, row.digest, now)
    return found.why if isinstance(found, Refusal) else ""


def _edit(asker: Asker) -> str:
    if not asker.is_owner and "admin" not in asker.actor.roles:
        return f"only the owner, {asker.mission.owner_name}, may change the brief"
    return "" if asker.mission.run_state == "idle" else "the plan is already in use"


def _override(asker: Asker) -> str:
    if "governance" not in asker.actor.roles:
        return "only governance may let a mission pass with less coverage"
    return "" if asker.mission.current_stage == "Prepare" else "coverage was settled in Prepare"


def _select(asker: Asker) -> str:
    if not asker.is_owner:
        return f"only the owner, {asker.mission.owner_name}, chooses the play"
    if asker.mission.current_stage == "Plan":
        return ""
    changeable = asker.mission.current_stage == "Approve" and asker.mission.run_state == "idle"
    return "" if changeable else "the plan is already in use"


def _reject(conn: Connection, asker: Asker) -> str:
    row = plan_store.approval(conn, asker.mission.id)
    if row is None or row.status != "requested" or asker.mission.current_stage != "Approve":
        return "there is nothing to decide now"
    decider = decider_of(conn, asker.actor, asker.mission, row)
    return "" if decider.capacities else "you have no say in this approval"


def _delegate(conn: Connection, asker: Asker, now: datetime) -> str:
    row = plan_store.approval(conn, asker.mission.id)
    if row is None or asker.mission.current_stage != "Approve":
        return "there is nothing to decide now"
    decider = decider_of(conn, asker.actor, asker.mission, row)
    request = plan_store.as_request(row, plan_store.decisions(conn, row.id))
    found = delegable(request, decider, UUID(int=0), now)
    return found.why if isinstance(found, Refusal) else ""


def _finalize(asker: Asker, now: datetime) -> str:
    mission = asker.mission
    if not asker.is_owner and "governance" not in asker.actor.roles:
        return f"only the owner, {mission.owner_name}, and governance finalize a run"
    if mission.run_state not in ("held", "finished") or mission.undo_until is None:
        return "the run has not ended"
    return "" if now < mission.undo_until else "the undo window is closed"


def _state(asker: Asker, states: set[str], otherwise: str) -> str:
    if not asker.controls:
        return "only the owner, governance and on-call control a run"
    return "" if asker.mission.run_state in states else otherwise


def _resume(asker: Asker) -> str:
    mission = asker.mission
    stuck = mission.run_state == "paused" or (
        mission.status == "blocked" and mission.run_state == "idle"
    )
    if not asker.controls:
        return "only the owner, governance and on-call control a run"
    return "" if stuck else "nothing is paused or blocked"


def _undo(asker: Asker, steps: list[dict[str, Any]]) -> str:
    if not asker.controls:
        return "only the owner, governance and on-call undo a mission"
    if asker.mission.run_state in ("undoing", "undone"):
        return f"the mission is already {asker.mission.run_state}"
    called = any(step["state"] not in ("pending", "failed") for step in steps)
    return "" if called else "nothing was done yet, so there is nothing to undo"


def _feedback(asker: Asker) -> str:
    over = asker.mission.run_state in ("undone", "undone_partly", "undo_stopped")
    if asker.mission.current_stage == "Reflect" or over:
        return ""
    return "feedback is given once the mission has run"
