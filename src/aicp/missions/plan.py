"""Plan: ranked plays bound to what was read, each rehearsed and taken back on a copy; one is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

from aicp.brain.brief import Brief
from aicp.brain.planner import bound_safeguards
from aicp.errors import BadInput, Forbidden, GateBlocked
from aicp.kernel.db import Actor, Connection
from aicp.kernel.ids import new_id
from aicp.missions import expiry, flow, offer, offered_fit, offered_play, plan_store, rules, store
from aicp.missions.lifecycle import Facts, reasons
from aicp.missions.opening import open_providers
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.telemetry.record import record
from aicp.toolkits.model import Call, ToolSpec, UndoStatus, UndoTier
from aicp.toolkits.providers.base import Provider, ProviderError
from aicp.trust.approvals import REQUIRED
from aicp.trust.fixes import Fix, mended
from aicp.trust.gate import resolve
from aicp.trust.plan import Plan, Play, Safeguard, Step
from aicp.trust.safeguards import extra_approvals

LASTING = (UndoTier.T4, UndoTier.T5)  # what such a step does is made up for, or stays


def run(services: Services, mission: Mission) -> None:
    """The job of the stage: propose at most three plays and rehearse each on a copy."""
    from aicp.brain.agents import run_planner

    actor = mission.agent("planner")
    brief = mission.understanding
    if brief is None:
        raise GateBlocked("there is no brief to plan for")
    providers = open_providers(services, mission, actor)
    if mission.offered is not None:
        _take_offer(services, mission, actor, brief, providers)
        return
    with services.db.transaction(actor) as conn:
        found = store.inspections(conn, mission.id)
        precedents = plan_store.precedents(conn)
        rows = store.connections(conn, mission.id)
    plays = run_planner(
        brief,
        [resource for row in rows if (resource := row.described)],
        {inspection.read_id: inspection.result for inspection in found},
        tools=_tools(providers),
        now=services.clock(),
        precedents=precedents,
        model=services.model,
    )
    guards = bound_safeguards(brief, {one.read_id: one.result for one in found})
    plays, fixes = _mended(plays, guards, services.clock())
    tools = _tools(providers)
    rehearsed = [
        (play, rehearse(play, providers) | {"scopes": scopes_of(play, tools)}) for play in plays
    ]
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission.id, lock=True)
        if mission.current_stage != "Plan":
            return
        at = services.clock()
        plan_store.replace_plays(conn, actor, mission.id, rehearsed)
        _announce(conn, actor, mission, plays, precedents, at=at)
        _tell_fixes(conn, actor, mission, fixes, at=at)
        flow.wait(conn, mission, output={"ranked_plays": [play.id for play in plays]}, at=at)


def _take_offer(
    services: Services, mission: Mission, actor: Actor, brief: Brief, providers: dict[str, Provider]
) -> None:
    """The one play of a plan that was handed in; without one yet the stage waits for it."""
    given = mission.offered or {}
    rehearsed: list[tuple[Play, dict[str, Any]]] = []
    if given.get("plan"):
        offered = offer.read(given["plan"])
        play = offered_play.build(offered, providers, source=given["source"], where=given["where"])
        bound = offered_play.bound(brief, offered, providers, source=given["source"])
        rehearsal = rehearse(play, providers) | {"scopes": scopes_of(play, _tools(providers))}
        rehearsed.append((play, rehearsal | bound))
    wanted = offered_fit.scopes_to_plan(mission, providers)
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission.id, lock=True)
        if mission.current_stage != "Plan" or mission.offered != given:
            return
        at = services.clock()
        for account, scopes in wanted.items():
            store.request_scopes(conn, mission.id, account, scopes)
        plan_store.replace_plays(conn, actor, mission.id, rehearsed)
        plays = tuple(play for play, _ in rehearsed)
        if plays:
            _announce(conn, actor, mission, plays, {}, at=at)
        flow.wait(conn, mission, output={"ranked_plays": [play.id for play in plays]}, at=at)


def _mended(
    plays: tuple[Play, ...], guards: tuple[Safeguard, ...], now: datetime
) -> tuple[tuple[Play, ...], list[Fix]]:
    """The plays with what safeguards can mend mended, before they are rehearsed and shown."""
    found = [mended(play, guards, now) for play in plays]
    return tuple(play for play, _ in found), [fix for _, fixes in found for fix in fixes]


def _tell_fixes(
    conn: Connection, actor: Actor, mission: Mission, fixes: list[Fix], *, at: datetime
) -> None:
    for fix in fixes:
        record(
            conn, actor, "validator_auto_fix_applied",
            {"safeguard_id": fix.safeguard, "step": fix.step, "fix": fix.what}, at=at,
            mission_id=mission.id, correlation_id=mission.correlation_id, stage="Plan",
        )  # fmt: skip


def rehearse(play: Play, providers: dict[str, Provider]) -> dict[str, Any]:
    """Run the play and its undo on copies; exact means that every state hash came back (T1, T3).

    Returns exact, steps, undone, stays (seqs), dry (how many steps a provider could only check,
    having no copy), and for what went wrong: at (seq) and why. A step of T4 or T5 says beforehand
    that it stays: the account it leaves something in is not compared.
    """
    try:
        return _rehearsed(play, providers)
    except ProviderError as error:  # there is no copy to be had, or it could not be taken back
        return {"exact": False, "steps": 0, "at": 1, "why": error.message}


def _rehearsed(play: Play, providers: dict[str, Provider]) -> dict[str, Any]:
    with ExitStack() as stack:
        copies = {
            name: stack.enter_context(provider.rehearsal())
            for name, provider in providers.items()
            if any(step.account == name for step in play.steps)
        }
        before = {name: copy.state_hash() for name, copy in copies.items()}
        done: list[tuple[Any, ...]] = []
        outputs: dict[int, dict[str, Any]] = {}
        for step in play.steps:
            args, why = resolve(step, outputs)
            call = Call(step.tool_name, args, f"rehearsal.{step.seq}")
            copy = copies[step.account]
            try:
                if not step.mutates:
                    outputs[step.seq] = copy.read(call)
                    continue
                image = copy.before(call)
                outcome = copy.execute(call, image)
                problems = copy.verify(call, image, outcome)
            except ProviderError as error:
                return {
                    "exact": False,
                    "steps": len(done),
                    "at": step.seq,
                    "why": why or error.message,
                }
            if problems:
                return {"exact": False, "steps": len(done), "at": step.seq, "why": problems[0]}
            outputs[step.seq] = outcome.data
            done.append((step, copy, call, image, outcome))
        stays: list[Step] = []
        for step, copy, call, image, outcome in reversed(done):
            undone = copy.undo(call, image, outcome)
            if undone.status is UndoStatus.IMPOSSIBLE and step.undo_tier in LASTING:
                stays.append(step)
                continue
            if undone.status not in (UndoStatus.RESTORED, UndoStatus.ALREADY):
                return {
                    "exact": False,
                    "steps": len(done),
                    "at": step.seq,
                    "why": undone.why or undone.status,
                }
        compared = copies.keys() - {step.account for step in stays}
        exact = all(copies[name].state_hash() == before[name] for name in compared)
        left = {step.seq for step in stays}
        dry = {step.seq for step, *_, out in done if out.data.get("dry_run")}
        told: dict[str, Any] = {
            "exact": exact, "steps": len(play.steps), "undone": len(done) - len(left | dry),
        }  # fmt: skip
        told |= {"stays": sorted(left)} if left else {}
        return told | ({"dry": len(dry)} if dry else {})


def select(
    conn: Connection, actor: Actor, services: Services, mission_id: str, rank: int
) -> dict[str, Any]:
    """Choose a play: the exact plan gets its digest and an approval request (TR-9, TR-10).

    Raises:
        Forbidden: only the owner chooses.
        GateBlocked: there is nothing to choose from now, or the play may not be run.
        BadInput: there is no play of that rank.
    """
    mission = store.get(conn, mission_id, lock=True)
    if actor.person_id != mission.owner_id:
        raise Forbidden(f"only the owner, {mission.owner_name}, chooses the play")
    if mission.current_stage == "Approve" and mission.run_state == "idle":
        flow.go_back(
            conn, actor, mission, "Plan", reason="another play was chosen", at=services.clock()
        )
        mission = store.get(conn, mission_id)
    if mission.current_stage != "Plan":
        raise GateBlocked(f"the mission is in {mission.current_stage}; a play is chosen in Plan")
    offered = {entry["rank"]: entry for entry in plan_store.plays(conn, mission.id)}
    if not offered:
        raise GateBlocked(
            "the plays are not there yet", hint=f"see `aicp mission show {mission.id}`"
        )
    if rank not in offered:
        raise BadInput(f"there is no play {rank}", hint=f"choose from 1 to {max(offered)}")
    play = Play.model_validate(offered[rank]["play"])
    _refuse_unrehearsed(mission, play, offered[rank]["rehearsal"])
    rules.refuse_sequence(conn, services, mission, play)
    at = services.clock()
    plan = _bind(conn, mission, play, offered[rank]["rehearsal"])
    plan_store.select_play(conn, mission.id, rank, at=at)
    digest = plan_store.save_plan(conn, actor, plan, at=at)
    store.change(conn, mission.id, at, plan_digest=digest, step_count=len(play.steps))
    flow.enter(
        conn, actor, mission, at=at, output={"ranked_plays": sorted(offered), "selected": rank},
        shut=reasons("Plan", Facts(play_selected=True, degraded=play.degraded)),
    )  # fmt: skip
    _request(conn, actor, services, mission, plan, method="best" if rank == 1 else "chosen", at=at)
    return {"digest": digest, "risk": play.risk, "required": list(_required(plan))}


def _required(plan: Plan) -> tuple[str, ...]:
    """Who must approve: by the risk, and by safeguards that want a further approval."""
    return extra_approvals(plan.safeguards, plan.play.steps, REQUIRED[plan.play.risk])


def scopes_of(play: Play, tools: dict[str, ToolSpec]) -> tuple[str, ...]:
    """The narrowest set: exactly what the steps' tools need."""
    return tuple(sorted({tools[step.tool_name].scope for step in play.steps}))


def _tools(providers: dict[str, Provider]) -> dict[str, ToolSpec]:
    return {spec.name: spec for provider in providers.values() for spec in provider.tools()}


def _refuse_unrehearsed(mission: Mission, play: Play, rehearsal: dict[str, Any]) -> None:
    """A tier shown better than what happens is a defect: an inexact rehearsal blocks the play."""
    if rehearsal.get("exact"):
        return
    raise GateBlocked(
        f"the rehearsal of '{play.title}' failed at step {rehearsal.get('at', '?')}: {rehearsal.get('why', 'the state did not come back')}",
        hint="choose another play, or mend the data and run `aicp mission resume`",
    ).on(mission.id, "rehearsal")


def _bind(conn: Connection, mission: Mission, play: Play, rehearsal: dict[str, Any]) -> Plan:
    scopes = tuple(rehearsal["scopes"])
    if mission.offered is not None:
        guards = tuple(Safeguard.model_validate(guard) for guard in rehearsal["safeguards"])
        return Plan(
            mission_id=mission.id, play=play, safeguards=guards, scopes=scopes,
            data_versions=rehearsal["data_versions"],
        )  # fmt: skip
    found = store.inspections(conn, mission.id)
    brief = mission.understanding
    return Plan(
        mission_id=mission.id,
        play=play,
        safeguards=bound_safeguards(brief, {i.read_id: i.result for i in found}) if brief else (),
        scopes=scopes,
        data_versions={inspection.account: inspection.data_version for inspection in found},
    )


def _announce(
    conn: Connection, actor: Actor, mission: Mission, plays: tuple[Play, ...],
    precedents: Mapping[str, tuple[int, float]], *, at: datetime,
) -> None:  # fmt: skip
    common = {
        "at": at,
        "mission_id": mission.id,
        "correlation_id": mission.correlation_id,
        "stage": "Plan",
    }
    for play in plays:
        finished, _rating = precedents.get(play.id, (0, 0.0))
        record(
            conn, actor, "planner_candidate_generated",
            {"play_id": play.id, "confidence": play.score, "library_precedent_count": finished,
             "undo_plan_included": all(s.undo for s in play.steps if s.mutates)}, **common,
        )  # fmt: skip
    record(
        conn, actor, "plan_ranked",
        {"play_ids_ordered": [play.id for play in plays], "ranking_method": "weighted terms"}, **common,
    )  # fmt: skip


def _request(
    conn: Connection, actor: Actor, services: Services, mission: Mission, plan: Plan, *, method: str,
    at: datetime,
) -> None:  # fmt: skip
    expires = at + timedelta(hours=services.approval_hours)
    required = _required(plan)
    approval_id = new_id("a")
    expiry.enqueue_timers(conn, mission, approval_id, at=at, expires=expires)
    plan_store.request_approval(
        conn, actor, approval_id=approval_id, mission_id=mission.id, digest=plan.digest,
        risk=plan.play.risk, required=required, at=at, expires_at=expires,
    )  # fmt: skip
    store.mark_stage(conn, mission.id, "Approve", "ready", at=at)
    store.change(conn, mission.id, at, status="ready")
    common = {"at": at, "mission_id": mission.id, "correlation_id": mission.correlation_id}
    record(
        conn, actor, "plan_selected",
        {"play_id": plan.play.id, "selection_method": method, "plan_digest": plan.digest},
        stage="Plan", **common,
    )  # fmt: skip
    granted = {s for row in store.connections(conn, mission.id) for s in row.granted_scopes}
    missing = sorted(set(plan.scopes) - granted)
    record(
        conn, actor, "validator_scope_check",
        {"required": list(plan.scopes), "granted": sorted(granted), "missing": missing,
         "alignment_status": "missing" if missing else "aligned"}, stage="Plan", **common,
    )  # fmt: skip
    record(
        conn, actor, "approval_requested",
        {"approval_type": "plan", "approver_roles": list(required), "due_at": expires.isoformat(),
         "play_id": plan.play.id}, stage="Approve", **common,
    )  # fmt: skip
