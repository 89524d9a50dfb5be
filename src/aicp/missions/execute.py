"""Execute: walk the approved steps, each through the gate; whatever dies, nothing happens twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from aicp.errors import AicpError, DatabaseDown, GateBlocked, SafeguardViolation, UpstreamDown
from aicp.kernel.db import Actor, Connection
from aicp.kernel.jobs import enqueue
from aicp.missions import flow, store
from aicp.missions.lifecycle import Facts, reasons
from aicp.missions.prepare import open_providers
from aicp.missions.reflect import seal_bundle
from aicp.missions.rules import rules_for
from aicp.missions.services import Services
from aicp.missions.store import ApprovalRow, Mission
from aicp.telemetry.record import record
from aicp.toolkits.providers.base import Provider, ProviderError
from aicp.trust import journal
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
from aicp.trust.plan import Plan, Step

ATTEMPTS = 5  # of a step that failed without an effect (TR-13)


def run(services: Services, mission: Mission) -> None:
    """The job of the stage: begin or go on, until all steps are done, a person is needed, or it is paused."""
    actor = mission.agent("executor")
    begun = begin(services, mission, actor)
    if begun is None:
        return
    try:
        _settle_open_intents(begun)
        _walk(begun, services.executor_model)
    except DatabaseDown:
        raise
    except RateReached as wait:
        _again(services, begun, wait.retry_at)
    except UpstreamDown as error:
        _retry_or_pause(services, begun, error)
    except (SafeguardViolation, OutcomeUnknown, GateBlocked) as error:
        _pause(services, begun, error)
    else:
        _finish(services, begun, mission)


def runner(
    services: Services, mission: Mission, actor: Actor, approval: ApprovalRow, plan: Plan
) -> Run:
    """What the governed calls of a mission work with."""
    providers = open_providers(services, mission, actor)
    return Run(
        db=services.db, actor=actor, mission_id=mission.id, correlation_id=mission.correlation_id,
        plan=plan, approval_id=approval.id, providers=providers,
        clock=services.clock, worker=services.worker,
        operator=rules_for(services, actor, mission, plan, providers),
    )  # fmt: skip


def begin(services: Services, mission: Mission, actor: Actor) -> Run | None:
    """Take the approval into use (once), or pick up a run that was interrupted."""
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission.id, lock=True)
        approval = store.approval(conn, mission.id)
        if mission.current_stage != "Execute" or approval is None or not mission.plan_digest:
            return None
        plan = store.plan(conn, mission.id, mission.plan_digest)
        if mission.run_state not in ("idle", "running"):
            return None
    run_ = runner(services, mission, actor, approval, plan)
    if mission.run_state == "running":
        return run_
    stale = _changed_data(plan, run_.providers)
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission.id, lock=True)
        why = _objection(conn, plan, approval, stale, services.clock(), mission)
        if why:
            _refuse(conn, actor, mission, why, services.clock())
            return None
        _start(conn, actor, mission, plan, services.clock())
    return run_


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
    if not store.consume_approval(conn, approval.id, at=now):
        return "the approval is not open for use: it has expired or was used before"
    return ""


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
        {"undo_plan_id": plan.digest[:12], "time_remaining_seconds": 0,
         "steps": sum(step.mutates for step in plan.play.steps)}, **common,
    )  # fmt: skip


def _settle_open_intents(run_: Run) -> None:
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


def _again(services: Services, run_: Run, at: datetime) -> None:
    with services.db.transaction(run_.actor) as conn:
        flow.enqueue_stage(conn, store.get(conn, run_.mission_id), "Execute", at=at)


def _retry_or_pause(services: Services, run_: Run, error: UpstreamDown) -> None:
    """1, 2, 4, 8 seconds, at most five attempts, only when nothing can have happened (TR-13)."""
    with services.db.transaction(run_.actor) as conn:
        cursor = store.get(conn, run_.mission_id).cursor_seq
        failed = journal.failures(conn, run_.mission_id, cursor + 1)
    if error.facts.get("retryable") and failed < ATTEMPTS:
        _again(services, run_, services.clock() + timedelta(seconds=2 ** (failed - 1)))
        return
    _pause(services, run_, error)


def _pause(services: Services, run_: Run, error: AicpError) -> None:
    """A person has to look: the run keeps its place and says why."""
    reason = f"{error.message}{f' ({error.hint})' if error.hint else ''}"
    at = services.clock()
    with services.db.transaction(run_.actor) as conn:
        mission = store.get(conn, run_.mission_id, lock=True)
        if mission.run_state != "running":
            return
        store.change(
            conn, mission.id, at, run_state="paused", status="blocked", blocking_reason=reason
        )
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
        store.change(conn, mission.id, at, run_state="held" if held else "finished")
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


def enqueue_release(conn: Connection, mission: Mission, seq: int, due: datetime) -> None:
    """The timer of a hold: a job that waits in the queue until it is due."""
    enqueue(
        conn, "mission.release",
        {"tenant_id": str(mission.tenant_id), "mission_id": mission.id, "seq": seq},
        lock=flow.lock_name(mission.id), unique=f"{mission.id}:release:{seq}", at=due,
        priority=4 - mission.priority,
    )  # fmt: skip
