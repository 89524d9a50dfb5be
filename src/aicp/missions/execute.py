"""Execute: walk the approved steps, each through the gate; whatever dies, nothing happens twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from aicp.errors import AicpError, DatabaseDown, GateBlocked, SafeguardViolation, UpstreamDown
from aicp.kernel.db import Actor, Connection
from aicp.kernel.jobs import enqueue
from aicp.missions import flow, plan_store, reauthorise, store
from aicp.missions.lifecycle import Facts, reasons
from aicp.missions.opening import open_providers
from aicp.missions.plan_store import ApprovalRow
from aicp.missions.reflect import seal_bundle
from aicp.missions.rules import rules_for
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.telemetry.record import record
from aicp.toolkits.providers.base import Provider, ProviderError
from aicp.trust import journal, traffic
from aicp.trust.calls import (
    CallDenied,
    OutcomeUnknown,
    RateReached,
    Run,
    governed_call,
    note,
    reconcile,
)
from aicp.trust.gate import Asked, resolve
from aicp.trust.limits import ATTEMPTS, backoff, clock
from aicp.trust.plan import Plan, Risk, Step


def run(services: Services, mission: Mission) -> None:
    """The job of the stage: begin or go on, until all steps are done, a person is needed, or it is paused."""
    actor = mission.agent("executor")
    begun = begin(services, mission, actor)
    if begun is None:
        return
    try:
        settle_open_intents(begun)
        if mission.driver == "agent" and _remaining(begun):
            _await_agent(services, begun)
            return
        _walk(begun, services.executor_model)
    except DatabaseDown:
        raise
    except RateReached as wait:
        _throttled(services, begun, wait)
    except UpstreamDown as error:
        retry_or_pause(services, begun, error)
    except (SafeguardViolation, OutcomeUnknown, GateBlocked) as error:
        pause(services, begun, error)
    else:
        _finish(services, begun, mission)


def _await_agent(services: Services, run_: Run) -> None:
    """The run is begun and everything unclear is settled; the calls are another agent's to make."""
    with services.db.transaction(run_.actor) as conn:
        mission = store.get(conn, run_.mission_id, lock=True)
        if mission.run_state == "running":
            flow.wait(conn, mission, at=services.clock())


def runner(
    services: Services, mission: Mission, actor: Actor, approval: ApprovalRow, plan: Plan
) -> Run:
    """What the governed calls of a mission work with."""
    providers = open_providers(services, mission, actor)
    return Run(
        db=services.db, actor=actor, mission_id=mission.id, correlation_id=mission.correlation_id,
        plan=plan, approval_id=approval.id, providers=providers,
        clock=services.clock, worker=services.worker, limits=services.limits, priority=mission.priority,
        operator=rules_for(services, actor, mission, plan, providers),
    )  # fmt: skip


def begin(services: Services, mission: Mission, actor: Actor) -> Run | None:
    """Take the approval into use (once), or pick up a run that was interrupted."""
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission.id, lock=True)
        approval = plan_store.approval(conn, mission.id)
        if mission.current_stage != "Execute" or approval is None or not mission.plan_digest:
            return None
        plan = plan_store.plan(conn, mission.id, mission.plan_digest)
        if mission.run_state not in ("idle", "running"):
            return None
        if mission.run_state == "running" and mission.blocking_reason:  # it waited, and goes on
            store.change(conn, mission.id, services.clock(), blocking_reason="")
        going_on = plan_store.in_use(conn, mission.id) is not None
    run_ = runner(services, mission, actor, approval, plan)
    if mission.run_state == "running":
        return run_
    # A run that goes on after a further approval changed the data itself.
    stale = [] if going_on else _changed_data(plan, run_.providers)
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission.id, lock=True)
        if not _may_start(
            conn, mission, plan, approval, stale, services.clock(), going_on=going_on
        ):
            return None
        _start(conn, actor, mission, plan, services.clock())
    return run_


def _may_start(
    conn: Connection, mission: Mission, plan: Plan, approval: ApprovalRow, stale: list[str], at: datetime,
    *, going_on: bool,
) -> bool:  # fmt: skip
    """Whether the approval is in use from now on; else the mission says why not, and what to do."""
    actor = mission.agent("executor")
    if going_on and _unknown(conn, mission):
        _ask_what_happened(conn, actor, mission, at)
        return False
    why = _objection(conn, plan, approval, stale, at, mission)
    if why and going_on:
        flow.void_request(conn, actor, mission, reason=why, at=at)
        store.change(conn, mission.id, at, run_state="paused")
        flow.decline(conn, actor, mission, reason=why, at=at)
    elif why:
        _refuse(conn, actor, mission, why, at)
    return not why


def _objection(
    conn: Connection,
    plan: Plan,
    approval: ApprovalRow,
    stale: list[str],
    now: datetime,
    mission: Mission,
) -> str:
    """Why the approved plan may not be started after all, "" when it may; consumes the approval."""
    if plan.digest != approval.digest or mission.plan_digest != approval.digest:
        return "the stored plan is not the plan that was approved"
    if stale:
        return f"{', '.join(stale)} changed after the plan was made"
    if not plan_store.consume_approval(conn, approval.id, at=now):
        return "the approval is not open for use: it has expired or was used before"
    return ""


def _unknown(conn: Connection, mission: Mission) -> bool:
    return any(entry.state == "unknown" for entry in journal.entries(conn, mission.id))


def _ask_what_happened(conn: Connection, actor: Actor, mission: Mission, at: datetime) -> None:
    """The call that was under way when the run was paused: its outcome is a person's to tell first."""
    why = (
        "whether the last call happened is unknown; look at the other side, then say so with"
        f" `aicp mission resume {mission.id} --happened yes|no`"
    )
    store.change(conn, mission.id, at, run_state="paused", status="blocked", blocking_reason=why)
    store.mark_stage(conn, mission.id, "Execute", "blocked", at=at, reason=why)
    record(
        conn, actor, "execution_paused", {"reason": "outcome_unknown"}, at=at, mission_id=mission.id,
        correlation_id=mission.correlation_id, stage="Execute", status="warning",
    )  # fmt: skip


def _changed_data(plan: Plan, providers: dict[str, Provider] | Any) -> list[str]:
    """The accounts whose data is not the data that people approved on."""
    try:
        return [
            account
            for account, version in plan.data_versions.items()
            if providers[account].describe().version != version
        ]
    except (ProviderError, KeyError) as error:
        return [str(getattr(error, "message", error))]


def _refuse(conn: Connection, actor: Actor, mission: Mission, why: str, at: datetime) -> None:
    journal.find(conn, actor, mission.id, rule="approval:stale", message=why, facts={}, at=at)
    flow.go_back(conn, actor, mission, "Prepare", reason=why, at=at)
    mission = store.get(conn, mission.id)
    flow.enqueue_stage(conn, mission, "Prepare")


def _start(conn: Connection, actor: Actor, mission: Mission, plan: Plan, at: datetime) -> None:
    store.change(conn, mission.id, at, run_state="running", step_count=len(plan.play.steps))
    common = {
        "at": at,
        "mission_id": mission.id,
        "correlation_id": mission.correlation_id,
        "stage": "Execute",
    }
    record(
        conn, actor, "execution_started",
        {"play_id": plan.play.id, "action_count": len(plan.play.steps)}, **common,
    )  # fmt: skip
    record(
        conn, actor, "undo_available",
        {"undo_plan_id": plan.digest[:12],
         "time_remaining_seconds": int(undo_window(plan.play.risk).total_seconds()),
         "steps": sum(step.mutates for step in plan.play.steps)}, **common,
    )  # fmt: skip


def settle_open_intents(run_: Run) -> None:
    """An intent without a result is unknown: read back before anything else is called."""
    with run_.db.transaction(run_.actor) as conn:
        open_ = [
            entry for entry in journal.entries(conn, run_.mission_id) if entry.state == "intent"
        ]
    for entry in open_:
        reconcile(run_, entry)


def _walk(run_: Run, model: Any) -> None:
    """Let the executor agent make the calls; after a denial the plan itself is the caller.

    The agent's model is assumed hostile: it chooses nothing, and what it gets wrong is a finding.
    """
    from aicp.brain.agents import run_executor

    while remaining := _remaining(run_):
        try:
            run_executor(remaining, call=caller(run_), before_tool=_watcher(run_), model=model)
        except CallDenied:
            raise
        except GateBlocked:
            if model is None:
                raise
            model = None


def caller(run_: Run) -> Callable[[Step], dict[str, Any]]:
    """Makes one step's governed call, references filled in."""

    def call(step: Step) -> dict[str, Any]:
        args, why = resolve(step, _outputs(run_, step))
        if why:
            raise GateBlocked(why, code="reference")
        governed_call(run_, Asked(step.tool, step.account, args))
        return {"state": "done"}

    return call


def _watcher(run_: Run) -> Callable[[str, dict[str, Any], Step | None], str | None]:
    """Records every call that is not the approved one; the agent's own cursor refuses it as well."""

    def watch(tool: str, args: dict[str, Any], step: Step | None) -> str | None:
        if step is not None and tool == step.tool_name and args == step.args:
            return None
        wanted = f"step {step.seq} is {step.tool_name}" if step else "every approved step is done"
        why = f"the executor asked for {tool}, which is not the approved call: {wanted}"
        note(run_, "exact-call", why, {"tool": tool, "step": step.seq if step else None})
        return why

    return watch


def _outputs(run_: Run, step: Step) -> dict[int, dict[str, Any]]:
    if not step.refs:
        return {}
    with run_.db.transaction(run_.actor) as conn:
        return journal.outputs(conn, run_.mission_id)


def _remaining(run_: Run) -> list[Any]:
    with run_.db.transaction(run_.actor) as conn:
        cursor = store.get(conn, run_.mission_id).cursor_seq
    return list(run_.plan.play.steps[cursor:])


def _come_back(conn: Connection, services: Services, run_: Run, at: datetime, why: str) -> None:
    """Another job at that time; until then the mission says why it waits."""
    mission = store.get(conn, run_.mission_id, lock=True)
    if mission.run_state == "running":
        store.change(conn, mission.id, services.clock(), blocking_reason=why)
        flow.enqueue_stage(conn, mission, "Execute", at=at)


def _throttled(services: Services, run_: Run, wait: RateReached) -> None:
    """A rate, a quota or a resting toolkit: the run goes on by itself when its time has come."""
    with services.db.transaction(run_.actor) as conn:
        _come_back(conn, services, run_, wait.retry_at, wait.message)
        record(
            conn, run_.actor, "mission_throttled",
            {"rule": wait.rule, "toolkit": wait.toolkit, "resume_at": wait.retry_at.isoformat()},
            at=services.clock(), mission_id=run_.mission_id, correlation_id=run_.correlation_id,
            stage="Execute", status="warning",
        )  # fmt: skip


def retry_or_pause(services: Services, run_: Run, error: UpstreamDown) -> None:
    """1, 2, 4, 8 seconds or what the other side asks, at most five attempts, only of what may be retried.

    Attempts that left a row in the journal are counted there, the others on the mission (TR-13).
    """
    facts = error.facts
    if facts.get("auth_expired"):
        _grant_ended(services, run_, error)
        return
    with services.db.transaction(run_.actor) as conn:
        mission = store.get(conn, run_.mission_id, lock=True)
        stumbles = mission.stumbles + (not facts.get("journalled"))
        store.change(conn, mission.id, services.clock(), stumbles=stumbles)
        failed = stumbles + journal.failures(conn, mission.id, mission.cursor_seq + 1)
        wait = backoff(
            failed, retryable=bool(facts.get("retryable")),
            retry_after=float(facts.get("retry_after") or 0),
        )  # fmt: skip
        if wait is not None:
            at = services.clock() + wait
            why = f"{error.message}; attempt {failed + 1} of {ATTEMPTS} at {clock(at)}"
            _come_back(conn, services, run_, at, why)
            return
        if facts.get("retryable") and not facts.get("journalled"):
            traffic.ended(conn, run_, str(facts["toolkit"]), f"{mission.id}.reading", "failed")
    pause(services, run_, error)


def _grant_ended(services: Services, run_: Run, error: UpstreamDown) -> None:
    """The account of the step at the cursor must be signed in to again (TR-16)."""
    at = services.clock()
    with services.db.transaction(run_.actor) as conn:
        mission = store.get(conn, run_.mission_id, lock=True)
        account = run_.plan.play.steps[mission.cursor_seq].account
        reauthorise.expire(conn, mission, account, at=at)
    hint = f"sign in again: aicp mission connect {mission.id} {account}"
    pause(services, run_, UpstreamDown(error.message, hint=hint))


def pause(services: Services, run_: Run, error: AicpError) -> None:
    """A person has to look: the run keeps its place and says why."""
    reason = f"{error.message}{f' ({error.hint})' if error.hint else ''}"
    at = services.clock()
    with services.db.transaction(run_.actor) as conn:
        mission = store.get(conn, run_.mission_id, lock=True)
        if mission.run_state != "running":
            return
        store.change(
            conn, mission.id, at, run_state="paused", status="blocked", blocking_reason=reason,
            stumbles=0,
        )  # fmt: skip
        store.mark_stage(conn, mission.id, "Execute", "blocked", at=at, reason=reason)
        record(
            conn, run_.actor, "execution_paused", {"reason": error.reason_code}, at=at,
            mission_id=mission.id, correlation_id=mission.correlation_id, stage="Execute", status="warning",
        )  # fmt: skip


def _finish(services: Services, run_: Run, mission: Mission) -> None:
    """All steps are done or held: seal the evidence, then Reflect; held effects get their timers."""
    manifest = seal_bundle(services, run_.actor, mission.id, "execution")
    at = services.clock()
    with services.db.transaction(run_.actor) as conn:
        mission = store.get(conn, mission.id, lock=True)
        if mission.run_state != "running":
            return
        held = {
            seq: due
            for seq, (due, state) in journal.holds(conn, mission.id).items()
            if state == "held"
        }
        total = len(run_.plan.play.steps)
        store.change(
            conn, mission.id, at, run_state="held" if held else "finished",
            undo_until=at + undo_window(run_.plan.play.risk),
        )  # fmt: skip
        for seq, due in held.items():
            enqueue_release(conn, mission, seq, due)
        record(
            conn, run_.actor, "execution_completed",
            {"total": total, "succeeded": total - len(held), "held": len(held)}, at=at,
            mission_id=mission.id, correlation_id=mission.correlation_id, stage="Execute", status="success",
        )  # fmt: skip
        facts = Facts(steps_settled=mission.cursor_seq == total, bundle_sealed=bool(manifest))
        flow.enter(
            conn, run_.actor, mission, at=at, shut=reasons("Execute", facts),
            output={"execution_results": total, "evidence_bundles": [manifest]},
        )  # fmt: skip


def undo_window(risk: Risk) -> timedelta:
    """How long after its end anybody who may undo a run does so without further ado (TR-18)."""
    return timedelta(minutes=30 if risk in ("high", "critical") else 15)


def enqueue_release(
    conn: Connection, mission: Mission, seq: int, due: datetime, *, early: bool = False
) -> None:
    """The timer of a hold: a job that waits in the queue until it is due.

    Args:
        early: beside the timer that waits already; whichever comes first lets it go, once.
    """
    enqueue(
        conn, "mission.release",
        {"tenant_id": str(mission.tenant_id), "mission_id": mission.id, "seq": seq},
        lock=flow.lock_name(mission.id), unique=f"{mission.id}:release:{seq}{':early' if early else ''}", at=due,
        priority=4 - mission.priority,
    )  # fmt: skip
