"""What an agent of somebody else may do with a mission: look, read, propose, and make approved calls.

The agent is assumed hostile. It chooses nothing that people did not approve; whatever else it asks for
is answered with a denial that names the rule, and is recorded as a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aicp.errors import BadInput
from aicp.kernel.canonical import canonical
from aicp.kernel.db import Actor, Connection
from aicp.missions import agent_calls, flow, offer, offered_fit, plan_store, store
from aicp.missions.agent_calls import Denied
from aicp.missions.agent_status import POLL_SECONDS
from aicp.missions.prepare import open_providers
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.people.agent_tokens import Holder
from aicp.telemetry.record import record
from aicp.toolkits.model import ToolSpec
from aicp.toolkits.providers.base import Provider
from aicp.trust import journal

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an agent may ask for."""

    args_bytes: int = 256_000
    output_bytes: int = 64_000
    reads_per_minute: int = 120
    findings_per_minute: int = 300  # beyond them nothing is looked at, nor written down


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call as it was asked for. Nothing in it is trusted."""

    tool: Any
    account: Any = ""
    args: Any = field(default_factory=dict)
    step: Any = None  # the step it is meant for; a wrong one is denied


def tools(services: Services, holder: Holder) -> list[tuple[str, ToolSpec]]:
    """(account, tool) for everything the mission's connections offer."""
    actor = holder.actor
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, holder.mission_id)
    opened = open_providers(services, mission, actor)
    return [(account, spec) for account, one in opened.items() for spec in one.tools()]


def propose(services: Services, holder: Holder, data: Any) -> Json:
    """Hand in a plan for a mission that waits for one; people decide about it."""
    return _answered(
        services, holder, {"asked": "propose"}, lambda: _propose(services, holder, data)
    )


def call(services: Services, holder: Holder, wanted: Wanted, limits: Limits = LIMITS) -> Json:
    """A read while the plan is not approved, the next approved call afterwards, or a denial."""
    about = {"tool": str(wanted.tool)[:200], "account": str(wanted.account)[:400]}
    return _answered(
        services, holder, about, lambda: _call(services, holder, wanted, limits), limits
    )


def refuse(services: Services, holder: Holder, denied: Denied, about: Json) -> Json:
    """The denial as the agent sees it, and the finding as people see it."""

    def deny() -> Json:
        raise denied

    return _answered(services, holder, about, deny)


def _answered(
    services: Services,
    holder: Holder,
    about: Json,
    work: Callable[[], Json],
    limits: Limits = LIMITS,
) -> Json:
    try:
        _no_flood(services, holder, limits)
        return {"allowed": True, **work()}
    except Denied as denied:
        if not denied.noted:
            _note(services, holder, denied, about)
        return denied.as_answer()


def _no_flood(services: Services, holder: Holder, limits: Limits) -> None:
    """Too many denials in a minute, and the rest is refused unseen; that is written down once."""
    since = services.clock() - timedelta(minutes=1)
    with services.db.transaction(holder.actor) as conn:
        lately = agent_calls.findings_since(conn, holder.mission_id, since)
    if lately >= limits.findings_per_minute:
        raise Denied(
            "flood", f"{limits.findings_per_minute} calls were denied within a minute",
            hint="wait a minute, then ask for the status", noted=lately > limits.findings_per_minute,
        )  # fmt: skip


def _note(services: Services, holder: Holder, denied: Denied, about: Json) -> None:
    at = services.clock()
    with services.db.transaction(holder.actor) as conn:
        mission = store.get(conn, holder.mission_id)
        journal.find(
            conn, holder.actor, mission.id, rule=f"gateway:{denied.rule}", message=denied.why,
            facts=about, at=at,
        )  # fmt: skip
        _tell_denied(conn, holder, mission, denied.rule, at)


def _tell_denied(
    conn: Connection, holder: Holder, mission: Mission, rule: str, at: datetime
) -> None:
    record(
        conn, holder.actor, "agent_call_denied", {"rule": rule}, at=at, mission_id=mission.id,
        correlation_id=mission.correlation_id, stage=mission.current_stage, status="warning",
    )  # fmt: skip


def _call(services: Services, holder: Holder, wanted: Wanted, limits: Limits) -> Json:
    _well_formed(wanted, limits)
    with services.db.transaction(holder.actor) as conn:
        mission = store.get(conn, holder.mission_id)
    if mission.current_stage in ("Plan", "Approve"):
        return _read(services, holder, mission, wanted, limits)
    if mission.current_stage == "Execute":
        return agent_calls.execute(
            services, mission, holder.actor, tool=wanted.tool, account=wanted.account,
            args=wanted.args, step=wanted.step, limit=limits.output_bytes,
        )  # fmt: skip
    if mission.current_stage == "Reflect":
        raise Denied("after-completion", "every approved call was made: nothing more may be called")
    raise Denied(
        "stage", f"the mission is in {mission.current_stage}; nothing may be called yet",
        hint=f"ask for the status again in {POLL_SECONDS} seconds",
    )  # fmt: skip


def _read(
    services: Services, holder: Holder, mission: Mission, wanted: Wanted, limits: Limits
) -> Json:
    provider, spec = _named(open_providers(services, mission, holder.actor), wanted)
    if spec.mutates:
        raise Denied(
            "not-approved", f"{spec.name} changes something and needs the approved plan",
            hint="propose a plan, wait for its approval, then make its calls in order",
        )  # fmt: skip
    return agent_calls.read(
        services, mission, holder.actor, provider, spec, wanted.args,
        output_bytes=limits.output_bytes, per_minute=limits.reads_per_minute,
    )  # fmt: skip


def _named(opened: Mapping[str, Provider], wanted: Wanted) -> tuple[Provider, ToolSpec]:
    """The provider and tool that were asked for.

    Raises:
        Denied: the mission has no such account or tool.
    """
    provider = opened.get(wanted.account)
    if provider is None:
        raise Denied(
            "unknown-account", f"the mission has no account '{wanted.account[:80]}'",
            hint=f"use one of: {', '.join(sorted(opened))}",
        )  # fmt: skip
    name = wanted.tool.split("@", 1)[0]
    spec = next((s for s in provider.tools() if s.name == name), None)
    if spec is None:
        raise Denied(
            "unknown-tool", f"{wanted.account} has no tool '{name[:80]}'",
            hint=f"use one of: {', '.join(s.name for s in provider.tools())}",
        )  # fmt: skip
    return provider, spec


def _well_formed(wanted: Wanted, limits: Limits) -> None:
    """Junk ends here: what goes on is a tool's name, an account's name and a JSON object."""
    if not isinstance(wanted.tool, str) or not isinstance(wanted.account, str):
        raise Denied("junk", "a call names its tool and its account as text")
    if not isinstance(wanted.args, dict):
        raise Denied("junk", "the arguments of a call are a JSON object")
    if wanted.step is not None and (
        isinstance(wanted.step, bool) or not isinstance(wanted.step, int)
    ):
        raise Denied("junk", "the step of a call is a whole number")
    if offer.too_deep(wanted.args):
        raise Denied("junk", "the arguments are nested deeper than anybody needs")
    try:
        size = len(canonical([wanted.tool, wanted.account, wanted.args]))
    except (ValueError, TypeError, RecursionError):
        raise Denied("junk", "the call holds a value that is not plain JSON") from None
    if (
        "\x00" in wanted.tool + wanted.account
        or len(wanted.tool) > 200
        or len(wanted.account) > 400
    ):
        raise Denied("junk", "a name is longer than any of ours, or holds a NUL")
    if size > limits.args_bytes:
        raise Denied(
            "oversize", f"the call is {size:,} bytes long; at most {limits.args_bytes:,} are taken"
        )


def _propose(services: Services, holder: Holder, data: Any) -> Json:
    actor = holder.actor
    try:
        plan = offer.read(data)
    except BadInput as error:
        raise Denied("plan-form", error.message, hint=error.hint) from None
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, holder.mission_id)
    _may_propose(mission)
    wrong = offered_fit.objections(plan, open_providers(services, mission, actor))
    if wrong:
        raise Denied("plan-unfit", wrong[0], facts={"reasons": list(wrong[:50])})
    form = plan.model_dump(mode="json", by_alias=True, exclude_none=True)
    at = services.clock()
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission.id, lock=True)
        _may_propose(mission)
        _keep(conn, actor, mission, form, at)
    return {
        "proposed": True, "steps": len(plan.steps), "poll_seconds": POLL_SECONDS,
        "hint": "it is rehearsed now; then its people choose and approve it, or do not",
    }  # fmt: skip


def _may_propose(mission: Mission) -> None:
    if (mission.offered or {}).get("source") != "agent":
        raise Denied("plan-given", "a person gave this mission its plan; it takes no other")
    if mission.current_stage == "Approve":
        raise Denied(
            "stage", "a plan waits for the decision of people", hint="ask for the status later"
        )
    if mission.current_stage != "Plan" or mission.run_state != "idle":
        raise Denied("stage", f"the mission is in {mission.current_stage}; it takes no plan now")


def _keep(conn: Connection, actor: Actor, mission: Mission, form: Json, at: datetime) -> None:
    """The proposal instead of an earlier one, and the job that rehearses it."""
    kept = {**(mission.offered or {}), "plan": form, "where": "an agent's proposal"}
    store.save_offer(conn, mission.id, kept, at=at)
    plan_store.replace_plays(conn, actor, mission.id, [])
    store.mark_stage(conn, mission.id, "Plan", "in_progress", at=at)
    store.change(conn, mission.id, at, status="in_progress", blocking_reason="")
    record(
        conn, actor, "agent_plan_proposed",
        {"step_count": len(form["steps"]), "tool_count": len({s["tool"] for s in form["steps"]})},
        at=at, mission_id=mission.id, correlation_id=mission.correlation_id, stage="Plan",
    )  # fmt: skip
    if any(row.auth != "none" for row in store.connections(conn, mission.id)):
        # Its calls may need more than was signed in for: Prepare asks a person for the rest (TR-2).
        why = "the proposal may need further scopes"
        flow.go_back(conn, actor, mission, "Prepare", reason=why, at=at)
        flow.enqueue_stage(conn, store.get(conn, mission.id), "Prepare")
        return
    flow.enqueue_stage(conn, store.get(conn, mission.id), "Plan")
