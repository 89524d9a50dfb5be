"""Where an agent's mission is, in the agent's terms."""

from __future__ import annotations

from typing import Any

from aicp.kernel.db import Connection
from aicp.missions import plan_store, store
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.people.agent_tokens import Holder
from aicp.trust import journal
from aicp.trust.gate import resolve
from aicp.trust.plan import Plan, Step

Json = dict[str, Any]
POLL_SECONDS = 5


def status(services: Services, holder: Holder) -> Json:
    """Where the mission is, what the next approved call is, and when to ask again."""
    with services.db.transaction(holder.actor) as conn:
        mission = store.get(conn, holder.mission_id)
        plan = _plan(conn, mission)
        outputs = journal.outputs(conn, mission.id) if plan else {}
    waits = _waits_for(mission)
    steps = plan.play.steps if plan else ()
    done = mission.cursor_seq
    now = steps[done] if waits == "your next call" and done < len(steps) else None
    return {
        "mission": mission.id, "title": mission.title, "intent": mission.intent,
        "stage": mission.current_stage, "run_state": mission.run_state, "waits_for": waits,
        "why": mission.blocking_reason, "plan_digest": mission.plan_digest or "",
        "steps": len(steps), "done": done, "next": _next(now, outputs),
        "last_output": {"step": done, "untrusted": True, "output": outputs[done]} if done in outputs else None,
        "poll_seconds": 0 if now or waits == "your plan" else POLL_SECONDS,
    }  # fmt: skip


def _plan(conn: Connection, mission: Mission) -> Plan | None:
    return plan_store.plan(conn, mission.id, mission.plan_digest) if mission.plan_digest else None


def _waits_for(mission: Mission) -> str:
    """Whose turn it is, in the agent's terms."""
    if mission.status == "blocked":
        return "a person: it is blocked"
    if mission.current_stage == "Execute":
        return "your next call" if mission.run_state == "running" else "the start of the run"
    proposed = (mission.offered or {}).get("plan")
    if mission.current_stage == "Plan" and mission.status == "ready":
        return "a person: the plan is to be chosen" if proposed else "your plan"
    turns = {
        "Define": "people: the safeguards are to be acknowledged",
        "Approve": "people: the plan is to be approved",
        "Reflect": "nothing: every call was made",
    }
    return turns.get(mission.current_stage, "the control plane")


def _next(step: Step | None, outputs: dict[int, Json]) -> Json | None:
    if step is None:
        return None
    args, why = resolve(step, outputs)
    return {
        "step": step.seq, "tool": step.tool_name, "account": step.account, "args": args,
        "mutates": step.mutates, "problem": why,
    }  # fmt: skip
