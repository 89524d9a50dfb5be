"""Release: a held effect leaves when its time has come, if everything still says that it may."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from aicp.errors import DatabaseDown, UpstreamDown
from aicp.kernel.db import Actor, Connection
from aicp.missions import plan_store, store
from aicp.missions.execute import enqueue_release, runner
from aicp.missions.prepare import addresses_in
from aicp.missions.reflect import complete_if_settled
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.telemetry.record import record
from aicp.toolkits.model import Call, Found, Outcome
from aicp.toolkits.providers.base import Provider, ProviderError
from aicp.trust import journal, stops, tightenings, traffic
from aicp.trust.calls import Run, context_of
from aicp.trust.limits import backoff
from aicp.trust.objection import Objection
from aicp.trust.operator_rules import denied
from aicp.trust.plan import Safeguard, Step
from aicp.trust.safeguards import Breach, breaches
from aicp.trust.windows import next_opening

SETTLING = timedelta(
    minutes=2
)  # after which a mail server has filed what it accepted, or never will


def run(services: Services, mission: Mission, seq: int) -> None:
    """The job of one hold; what it cannot read or open pauses the mission, and the mail stays here."""
    try:
        _run(services, mission, seq)
    except DatabaseDown:
        raise
    except (ProviderError, UpstreamDown) as error:
        give_up(services, mission, seq, f"{error.message} {error.hint}".strip())


def give_up(services: Services, mission: Mission, seq: int, why: str) -> None:
    """Pause the mission over a hold that cannot leave; whatever it holds stays here."""
    with services.db.transaction(mission.agent("executor")) as conn:
        if store.get(conn, mission.id, lock=True).run_state == "held":
            _pause(conn, mission, f"the mail of step {seq} stays here: {why}", services.clock())


def _run(services: Services, mission: Mission, seq: int) -> None:
    actor = mission.agent("executor")
    with services.db.transaction(actor) as conn:
        hold = journal.holds(conn, mission.id).get(seq)
        approval = plan_store.approval(conn, mission.id)
        mission = store.get(conn, mission.id)
        if not hold or hold[1] != "held" or mission.run_state != "held" or not approval:
            return
        plan = plan_store.plan(conn, mission.id, approval.digest)
        step_entry = next(
            e for e in journal.entries(conn, mission.id) if e.seq == seq and e.state == "done"
        )
        earlier = [e for e in journal.entries(conn, mission.id, "release") if e.seq == seq]
    run_ = runner(services, mission, actor, approval, plan)
    provider = run_.providers[step_entry.account]
    open_ = next((e for e in earlier if e.state == "intent"), None)
    if open_ is not None and _too_fresh(services, actor, mission, open_):
        return
    if open_ is not None and not _stayed(services, run_, provider, step_entry, open_.key):
        return
    failed = sum(e.state != "done" for e in earlier)
    _leave(services, run_, provider, step_entry, failed)


def _too_fresh(services: Services, actor: Actor, mission: Mission, open_: journal.Entry) -> bool:
    """Whether an interrupted delivery may still be under way at the mail server; then look later.

    A server that has the whole mail may take its time to file it, so absence proves nothing yet.
    """
    settled = open_.started_at + SETTLING
    if services.clock() >= settled:
        return False
    with services.db.transaction(actor) as conn:
        enqueue_release(conn, mission, open_.seq, settled)
    return True


def _leave(
    services: Services, run_: Run, provider: Provider, entry: journal.Entry, failed: int
) -> None:
    now = services.clock()
    step = run_.plan.play.steps[entry.seq - 1]
    with run_.db.transaction(run_.actor) as conn:
        known = _tightened(conn, run_)
    fresh = _refreshed((*run_.plan.safeguards, *known), provider_reads(run_), step)
    key = f"{entry.key}.release.{failed}"
    with run_.db.transaction(run_.actor) as conn:
        mission = store.get(conn, run_.mission_id, lock=True)
        hold = journal.holds(conn, mission.id)[entry.seq]
        if mission.run_state != "held" or hold[1] != "held":
            return
        if now < hold[0]:
            enqueue_release(conn, mission, entry.seq, hold[0])
            return
        args = entry.args | {"not_before": now.isoformat()}
        fresh = (*fresh, *_tightened(conn, run_)[len(known) :])  # those that came while it looked
        context = context_of(conn, run_, step, args, leaving=True, guards=fresh)
        broken = breaches(fresh, step, args, context)
        if broken:
            _hold_back(conn, run_, mission, entry, broken[0], now)
            return
        call = Call(entry.call.tool, entry.args, key)
        if against := denied(run_, step, Call(entry.call.tool, args, key), purpose="release"):
            _keep_here(conn, run_, mission, entry, against.rule, against.why, now)
            return
        objected = traffic.turn(conn, run_, step, call)
        if objected is not None:
            _not_now(conn, run_, mission, entry, objected, now)
            return
        journal.intend(
            conn, run_.actor, mission.id, seq=entry.seq, purpose="release", tool=entry.tool, call=call,
            account=entry.account, mutates=True,
            approval_id=run_.approval_id, before=entry.image, worker=run_.worker, at=services.clock(),
            verdicts={"gate": "ok", "safeguards": [guard.id for guard in fresh]},
        )  # fmt: skip
    _perform(services, run_, provider, entry, key, failed)


def _perform(
    services: Services, run_: Run, provider: Provider, entry: journal.Entry, key: str, failed: int
) -> None:
    if _killed_meanwhile(services, run_, entry, key):
        return
    try:
        outcome = provider.release(entry.call, entry.result)
    except ProviderError as error:
        _failed(services, run_, entry, key, error, failed)
        return
    _released(services, run_, entry, key, outcome, reconciled=False)


def _killed_meanwhile(services: Services, run_: Run, entry: journal.Entry, key: str) -> bool:
    """Whether a kill switch was pulled after the intent: then nothing leaves, and the mail stays held."""
    step = run_.plan.play.steps[entry.seq - 1]
    stop = stops.standing(run_.db, run_.actor, run_.mission_id, step.toolkit)
    if stop is None:
        return False
    objected, at = traffic.killed(stop, run_.mission_id), services.clock()
    with run_.db.transaction(run_.actor) as conn:
        journal.finish(
            conn, run_.mission_id, key, state="failed", outcome=None, at=at,
            error=f"nothing left: {objected.why}",
        )  # fmt: skip
        traffic.ended(conn, run_, step.toolkit, key, "void")
        mission = store.get(conn, run_.mission_id, lock=True)
        _not_now(conn, run_, mission, entry, objected, at)
    return True


def _not_now(
    conn: Connection, run_: Run, mission: Mission, entry: journal.Entry, objected: Objection,
    at: datetime,
) -> None:  # fmt: skip
    """A used-up quota or a resting toolkit delays the mail; a kill switch keeps it here."""
    if objected.retry_at is not None:
        enqueue_release(conn, mission, entry.seq, objected.retry_at)
        return
    journal.find(
        conn, run_.actor, mission.id, rule=objected.rule, message=objected.why,
        facts=objected.facts | {"step": entry.seq}, at=at,
    )  # fmt: skip
    _pause(
        conn,
        mission,
        f"the mail of step {entry.seq} stays here: {objected.why} ({objected.hint})",
        at,
    )


def _stayed(
    services: Services, run_: Run, provider: Provider, entry: journal.Entry, key: str
) -> bool:
    """A release whose result is missing: read back; True when the mail certainly did not leave.

    It may then leave under a new intent only, for since the first one its window may have closed
    and its recipient may have opted out.
    """
    found = provider.reconcile_release(entry.call, entry.result)
    if found.found is Found.DONE:
        _released(services, run_, entry, key, found.outcome or entry.result, reconciled=True)
    elif found.found is Found.UNCLEAR:
        _unknown(services, run_, entry, key, found.why)
    else:
        with run_.db.transaction(run_.actor) as conn:
            journal.finish(
                conn, run_.mission_id, key, state="failed", outcome=None, reconciled=True,
                error="interrupted before the mail left", at=services.clock(),
            )  # fmt: skip
    return found.found is Found.NOT_DONE


def _released(
    services: Services,
    run_: Run,
    entry: journal.Entry,
    key: str,
    outcome: Outcome,
    *,
    reconciled: bool,
) -> None:
    at = services.clock()
    with run_.db.transaction(run_.actor) as conn:
        journal.finish(
            conn, run_.mission_id, key, state="done", outcome=outcome, reconciled=reconciled, at=at
        )
        journal.settle_hold(conn, run_.mission_id, entry.seq, "released", at=at)
        traffic.ended(conn, run_, toolkit_of(entry), key, "done")
        record(
            conn, run_.actor, "hold_released", {"action_id": entry.seq}, at=at, mission_id=run_.mission_id,
            correlation_id=run_.correlation_id, stage="Execute", status="success",
        )  # fmt: skip
    complete_if_settled(services, run_.actor, run_.mission_id)


def _failed(
    services: Services, run_: Run, entry: journal.Entry, key: str, error: ProviderError, failed: int
) -> None:
    if error.unknown:
        _unknown(services, run_, entry, key, error.message)
        return
    at = services.clock()
    with run_.db.transaction(run_.actor) as conn:
        journal.finish(
            conn, run_.mission_id, key, state="failed", outcome=None, error=error.message, at=at
        )
        wait = backoff(failed + 1, retryable=error.retryable, retry_after=error.retry_after)
        traffic.ended(conn, run_, toolkit_of(entry), key, "failed" if wait is None else "attempt")
        mission = store.get(conn, run_.mission_id, lock=True)
        record(
            conn, run_.actor, "composio_tool_call_error",
            {"error_code": "PROVIDER_ERROR", "recovery_action": "pause" if wait is None else "retry",
             "toolkit": toolkit_of(entry)}, at=at, mission_id=mission.id, correlation_id=run_.correlation_id,
            stage="Execute", status="error",
        )  # fmt: skip
        if wait is not None:
            enqueue_release(conn, mission, entry.seq, at + wait)
        else:
            _pause(conn, mission, f"{error.message} {error.hint}".strip(), at)


def _unknown(services: Services, run_: Run, entry: journal.Entry, key: str, why: str) -> None:
    at = services.clock()
    with run_.db.transaction(run_.actor) as conn:
        journal.finish(conn, run_.mission_id, key, state="unknown", outcome=None, error=why, at=at)
        journal.settle_hold(conn, run_.mission_id, entry.seq, "unknown", at=at)
        traffic.ended(conn, run_, toolkit_of(entry), key, "failed")
        journal.find(
            conn, run_.actor, run_.mission_id, rule="outcome-unknown", message=why,
            facts={"step": entry.seq}, at=at,
        )  # fmt: skip
        mission = store.get(conn, run_.mission_id, lock=True)
        _pause(conn, mission, f"whether the mail of step {entry.seq} left is unknown: {why}", at)


def _hold_back(
    conn: Connection,
    run_: Run,
    mission: Mission,
    entry: journal.Entry,
    breach: Breach,
    at: datetime,
) -> None:
    """A missed window waits for the next one; any other breach keeps the mail here for good."""
    step = run_.plan.play.steps[entry.seq - 1]
    due = (
        next_opening(breach.safeguard.params, step.zone, at)
        if breach.safeguard.kind == "window"
        else None
    )
    if due is not None:
        conn.execute(
            "update holds set due_at = %s where mission_id = %s and seq = %s",
            (due, mission.id, entry.seq),
        )
        enqueue_release(conn, mission, entry.seq, due)
        return
    if breach.safeguard.kind == "rate":
        enqueue_release(conn, mission, entry.seq, at + timedelta(seconds=15))
        return
    rule = f"safeguard:{breach.safeguard.id}"
    _keep_here(conn, run_, mission, entry, rule, breach.why, at)


def _keep_here(
    conn: Connection, run_: Run, mission: Mission, entry: journal.Entry, rule: str, why: str, at: datetime
) -> None:  # fmt: skip
    """A finding and a pause: only people can let it go."""
    journal.find(
        conn, run_.actor, mission.id, rule=rule, message=why, facts={"step": entry.seq}, at=at
    )
    _pause(conn, mission, f"the mail of step {entry.seq} stays here: {why}", at)


def _pause(conn: Connection, mission: Mission, reason: str, at: datetime) -> None:
    store.change(conn, mission.id, at, run_state="paused", status="blocked", blocking_reason=reason)
    record(
        conn, mission.agent("executor"), "execution_paused", {"reason": "release"}, at=at,
        mission_id=mission.id, correlation_id=mission.correlation_id, stage="Execute", status="warning",
    )  # fmt: skip


def toolkit_of(entry: journal.Entry) -> str:
    """The toolkit that a journalled call went to."""
    return entry.call.tool.split(".", 1)[0]


def provider_reads(run_: Run) -> dict[str, Provider]:
    """The tables of the mission, for a fresh look at its exclusion lists."""
    return {name: p for name, p in run_.providers.items() if p.connection.toolkit == "table"}


def _tightened(conn: Connection, run_: Run) -> tuple[Safeguard, ...]:
    """What stands beside the plan's safeguards, oldest first."""
    rows = tightenings.beside(conn, run_.mission_id, run_.approval_id)
    return tuple(one.guard for one in rows)


def _refreshed(
    guards: tuple[Safeguard, ...], tables: dict[str, Provider], step: Step
) -> tuple[Safeguard, ...]:
    """The safeguards with exclusion lists as they stand now: who opted out since is left out."""
    if step.toolkit != "mail":
        return guards
    return tuple(
        guard.model_copy(
            update={"params": guard.params | {"addresses": _excluded_now(guard, tables)}}
        )
        if guard.kind == "exclusion" and guard.params.get("column")
        else guard
        for guard in guards
    )


def _excluded_now(guard: Safeguard, tables: dict[str, Provider]) -> list[str]:
    where = [{"column": guard.params["column"], "op": "in", "value": guard.params["values"]}]
    found: list[Any] = []
    for table in tables.values():
        columns = {column.name for column in table.describe().columns}
        if guard.params["column"] in columns:
            found += table.read(Call("table.select", {"where": where}))["rows"]
    return sorted({*guard.params.get("addresses", ()), *addresses_in(found)})
