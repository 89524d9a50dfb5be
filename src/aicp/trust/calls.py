"""One governed call: gate, intent, effect, read-back, result (MI-6, TR-11).

Two commits a call. The first holds the gate's verdict and the intent, the second the result; between
them lies the effect, outside any transaction. Whoever dies in between leaves an intent without a
result, and the next run reads back what happened instead of trying again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from aicp.errors import AicpError, GateBlocked, SafeguardViolation, UpstreamDown
from aicp.kernel.clock import Clock
from aicp.kernel.db import Actor, Connection, Database
from aicp.telemetry.record import record
from aicp.toolkits.model import BeforeImage, Call, Found, Outcome, ToolSpec
from aicp.toolkits.providers.base import Provider, ProviderError
from aicp.trust import journal, stops, taint, tightenings, traffic
from aicp.trust.checks import Objection, objection
from aicp.trust.gate import Asked, Facts, Verdict, judge, resolve
from aicp.trust.leaving import leaves, leaves_now, recipients
from aicp.trust.limits import ATTEMPTS, Limits
from aicp.trust.operator_rules import Rules
from aicp.trust.plan import Plan, Safeguard, Step
from aicp.trust.safeguards import Breach, Context, after, amount_of, breaches, rate_of, wait_until


class CallDenied(GateBlocked):
    """The gate said no; nothing was called."""

    code = "call_denied"


class RateReached(AicpError):
    """A rate, a quota or a resting toolkit says: not yet. The run goes on by itself at `retry_at`."""

    code, status, exit_code = "rate_reached", 429, 5

    def __init__(
        self, message: str, retry_at: datetime, *, rule: str = "rate", toolkit: str = ""
    ) -> None:
        super().__init__(message)
        self.retry_at, self.rule, self.toolkit = retry_at, rule, toolkit


class OutcomeUnknown(AicpError):
    """The effect may have happened and reading back does not tell: a person has to look."""

    code, status, exit_code = "outcome_unknown", 409, 6


@dataclass
class Memory:
    """What a run knows of itself between two calls; enough to look twice, never to let a call through."""

    facts: Facts | None = None  # as the last call left them
    granted: Mapping[str, Sequence[str]] = field(default_factory=dict)  # scopes by account
    used: set[tuple[str, str]] = field(default_factory=set)  # account and scope, as they are kept
    tightened: tuple[Safeguard, ...] = ()  # beside the plan's safeguards, at the last look


@dataclass(frozen=True)
class Run:
    """What one execution of an approved plan works with."""

    db: Database
    actor: Actor
    mission_id: str
    correlation_id: str
    plan: Plan
    approval_id: str
    providers: Mapping[str, Provider]  # by account
    clock: Clock
    worker: str
    operator: Rules  # policies, labels and sequences
    limits: Limits = field(default_factory=Limits)
    priority: int = 2  # of the mission
    specs: dict[tuple[str, str], ToolSpec] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)

    def spec(self, account: str, tool: str) -> ToolSpec | None:
        """The declaration the connected provider makes today, by account and tool name."""
        if not self.specs:
            self.specs.update(
                ((name, spec.name), spec)
                for name, provider in self.providers.items()
                for spec in provider.tools()
            )
        return self.specs.get((account, tool))

    @cached_property
    def labels(self) -> taint.Labels:
        """Where the plan's values of strangers were first seen; the gate keeps the plan as it is."""
        return taint.label(self.plan.play.steps, self.operator.by_ref, self.operator.handed)

    @cached_property
    def said(self) -> taint.Named:
        """What people said themselves before the run."""
        return taint.said(self.operator.words, self.plan.play.steps)


def governed_call(run: Run, asked: Asked) -> Outcome:
    """Make the call if it is the approved call at the cursor; returns its outcome.

    Raises:
        CallDenied: the gate said no; a finding is recorded and the run goes on unharmed.
        SafeguardViolation: a safeguard said no; a finding is recorded.
        RateReached: a rate, a quota or a resting toolkit says: not yet.
        UpstreamDown: the provider failed and certainly nothing happened.
        OutcomeUnknown: the provider failed and something may have happened.
    """
    admitted = admit(run, asked)
    return perform(run, admitted)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call whose intent is committed: it must now be performed or reconciled."""

    step: Step
    call: Call
    before: BeforeImage
    provider: Provider


def admit(run: Run, asked: Asked) -> Admitted:
    """Gate, safeguards and intent. Nothing outside has happened when this returns or raises."""
    facts = _first_look(run, asked)
    step = run.plan.play.steps[facts.cursor]
    provider = run.providers[asked.account]
    # The approved arguments, not those asked for: 1.0 is 1 by its digest, and may not be in a cell.
    args, _ = resolve(step, facts.outputs)
    call = Call(step.tool_name, args, f"{run.mission_id}.{step.seq}.{facts.failures}")
    before = _before(run, step, provider, call)
    _write_intent(run, asked, step, call, before)
    return Admitted(step, call, before, provider)


def _first_look(run: Run, asked: Asked) -> Facts:
    """The gate before anything is read at the provider; a call it refuses is refused by fresh facts.

    What the last call left is good enough to let one in: the look under the row lock decides.
    """
    spec = run.spec(asked.account, _name(asked))
    known = run.memory.facts
    if known is not None and judge(asked, run.plan, spec, known, hashed=False).allowed:
        return known
    with run.db.transaction(run.actor) as conn:
        facts = facts_of(conn, run)
    _deny_unless(run, asked, judge(asked, run.plan, spec, facts))
    return facts


def perform(run: Run, admitted: Admitted) -> Outcome:
    """The effect, the read-back and the result of an admitted call.

    Raises:
        SafeguardViolation: a kill switch was pulled meanwhile; nothing was called.
    """
    step, call, provider = admitted.step, admitted.call, admitted.provider
    before, run.memory.facts = run.memory.facts, None
    _last_look(run, step, call)
    started, made = run.clock(), False
    try:
        if step.mutates:
            outcome = provider.execute(call, admitted.before)
            made = True
            post = provider.verify(call, admitted.before, outcome)
            guards = (*run.plan.safeguards, *run.memory.tightened)
            post = (*post, *after(guards, step, call.args, outcome))
        else:  # a read changes nothing to look after
            outcome, post = Outcome(provider.read(call)), ()
    except ProviderError as error:
        if not step.mutates or not (made or error.unknown):
            raise _failed(run, step, call, error) from error
        outcome = _read_back(run, admitted, error)
        _settle(run, step, call, outcome, post=(), reconciled=True, started=started)
        return outcome
    _settle(run, step, call, outcome, post=post, reconciled=False, started=started)
    if before is not None and not _needs_outputs(run, step.seq):
        run.memory.facts = replace(
            before, cursor=step.seq, failures=0, granted_scopes=_granted(run, step.seq)
        )
    return outcome


def _last_look(run: Run, step: Step, call: Call) -> None:
    """A kill switch that was pulled after the intent was written stops the call all the same."""
    stop = stops.standing(run.db, run.actor, run.mission_id, step.toolkit)
    if stop is None:
        return
    objected = traffic.killed(stop, run.mission_id)
    with run.db.transaction(run.actor) as conn:
        journal.finish(
            conn, run.mission_id, call.key, state="failed", outcome=None, at=run.clock(),
            error=f"nothing was called: {objected.why}",
        )  # fmt: skip
        traffic.ended(conn, run, step.toolkit, call.key, "void")
    raise _objected(run, step, objected)


def _read_back(run: Run, admitted: Admitted, error: ProviderError) -> Outcome:
    """The outcome of a call that broke off, when it is there after all.

    What is not there yet may still arrive, so the intent stays open: the next attempt reads back once
    more, and only then calls again, under the same key.

    Raises:
        UpstreamDown: it is not there, or cannot be read now.
        OutcomeUnknown: reading back does not tell.
    """
    step, call = admitted.step, admitted.call
    try:
        found = admitted.provider.reconcile(call, admitted.before)
    except ProviderError as second:
        raise _stumbled(second, run, step) from second
    if found.found is Found.UNCLEAR:
        raise _unclear(run, step, call, found.why or error.message) from error
    if found.found is Found.DONE and found.outcome is not None:
        return found.outcome
    raise UpstreamDown(
        error.message, hint=error.hint,
        facts={"retryable": True, "retry_after": error.retry_after, "toolkit": step.toolkit},
    ) from error  # fmt: skip


def _stumbled(error: ProviderError, run: Run, step: Step) -> UpstreamDown:
    """A reading that failed: it leaves nothing in the journal."""
    with run.db.transaction(run.actor) as conn:
        _error_event(conn, run, step, "retry" if error.retryable else "pause")
    return UpstreamDown(
        error.message, hint=error.hint, code="reading",
        facts={"retryable": error.retryable, "retry_after": error.retry_after, "auth_expired": error.auth_expired, "toolkit": step.toolkit},
    )  # fmt: skip


def reconcile(run: Run, entry: journal.Entry) -> bool:
    """Settle an intent without a result by reading back; True when its effect is there.

    When the effect is not there, it is made now, under the same key.

    Raises:
        OutcomeUnknown: reading back does not tell.
        RateReached: it is not there, and its toolkit rests or its quota is used up.
        UpstreamDown: reading back failed.
    """
    step = run.plan.play.steps[entry.seq - 1]
    provider = run.providers[entry.account]
    if not step.mutates:  # reading once more harms nobody
        perform(run, Admitted(step, entry.call, entry.image, provider))
        return False
    try:
        found = provider.reconcile(entry.call, entry.image)
    except ProviderError as error:
        raise _stumbled(error, run, step) from error
    with run.db.transaction(run.actor) as conn:
        record(
            conn, run.actor, "error_recovery_triggered",
            {"agent": "executor", "error_type": "result_missing", "recovery_action": found.found.value},
            at=run.clock(), mission_id=run.mission_id, correlation_id=run.correlation_id,
            stage="Execute", status="warning",
        )  # fmt: skip
    if found.found is Found.UNCLEAR:
        raise _unclear(run, step, entry.call, found.why)
    if found.found is Found.DONE and found.outcome is not None:
        _settle(run, step, entry.call, found.outcome, post=(), reconciled=True, started=run.clock())
        return True
    with run.db.transaction(run.actor) as conn:
        broken = _broken_since(conn, run, step, entry.call)
        objected = traffic.turn(conn, run, step, entry.call) if not broken else None
    if broken:
        raise _broken(run, step, entry.call, broken, run.clock())
    if objected is not None and objected.retry_at is not None:
        raise _objected(run, step, objected)
    perform(run, Admitted(step, entry.call, entry.image, provider))
    return False


def _broken_since(conn: Connection, run: Run, step: Step, call: Call) -> list[Breach]:
    """What the call of an old intent breaks by now; then it is never made, and the journal says so."""
    facts = facts_of(conn, run, lock=True)
    # A rate has counted the intent itself already.
    guards = tuple(
        guard for guard in (*run.plan.safeguards, *facts.tightened) if guard.kind != "rate"
    )
    context = context_of(conn, run, step, call.args, guards=guards)
    broken = breaches(guards, step, call.args, context)
    if broken:
        journal.finish(
            conn, run.mission_id, call.key, state="failed", outcome=None, at=run.clock(),
            error=f"nothing was called: {broken[0].why}",
        )  # fmt: skip
        traffic.ended(conn, run, step.toolkit, call.key, "void")
    return broken


def facts_of(conn: Connection, run: Run, *, lock: bool = False) -> Facts:
    """What the gate needs to know, read in the caller's transaction."""
    row = conn.execute(
        "select m.run_state, m.cursor_seq, coalesce(m.plan_digest, ''), coalesce(a.digest, ''),"
        " coalesce(a.status, ''), a.consumed_at is not null,"
        " (select jsonb_object_agg(c.account, c.granted_scopes) from connections c where c.mission_id = m.id),"
        " (select count(*) from tool_calls t where t.mission_id = m.id and t.seq = m.cursor_seq + 1"
        " and t.purpose = 'step' and t.state = 'failed'), m.tightenings,"
        " case when m.tightenings > 0 then (select jsonb_agg(jsonb_build_array(t.approval_id, t.guard)"
        " order by t.number) from tightenings t where t.mission_id = m.id) end"
        " from missions m left join approvals a on a.id = %s and a.mission_id = m.id where m.id = %s"
        + (" for no key update of m" if lock else ""),
        (run.approval_id, run.mission_id),
    ).fetchone()
    if row is None:
        raise CallDenied(f"there is no mission {run.mission_id}")
    state, cursor, digest, approved, status, consumed, granted, failures, count, tightened = row
    run.memory.tightened = _tightened(conn, run, int(str(count)), tightened)
    run.memory.granted = granted or {}  # type: ignore[assignment]
    outputs = journal.outputs(conn, run.mission_id) if _needs_outputs(run, int(str(cursor))) else {}
    return Facts(
        now=run.clock(), run_state=str(state), cursor=int(str(cursor)), plan_digest=str(digest),
        approved_digest=str(approved), approval_status=str(status), approval_consumed=bool(consumed),
        granted_scopes=_granted(run, int(str(cursor))), outputs=outputs, failures=int(str(failures)),  # type: ignore[arg-type]
        tightened=run.memory.tightened,
    )  # fmt: skip


def _tightened(conn: Connection, run: Run, count: int, rows: Any) -> tuple[Safeguard, ...]:
    """What stands beside the plan's safeguards.

    A statement that waited for the mission's row sees that row as it is now, and other tables as they
    were when it began: when rows are missing, only a second look finds them.
    """
    found = rows or []
    if len(found) == count:
        return tightenings.standing(found, run.approval_id)
    return tuple(one.guard for one in tightenings.beside(conn, run.mission_id, run.approval_id))


def _granted(run: Run, cursor: int) -> frozenset[str]:
    """The scopes of the account that the step at the cursor uses; a grant never serves another one."""
    steps = run.plan.play.steps
    account = steps[cursor].account if cursor < len(steps) else ""
    return frozenset(run.memory.granted.get(account, ()))


def _needs_outputs(run: Run, cursor: int) -> bool:
    steps = run.plan.play.steps
    return cursor < len(steps) and bool(steps[cursor].refs)


def _name(asked: Asked) -> str:
    return asked.tool.split("@", 1)[0]


def _before(run: Run, step: Step, provider: Provider, call: Call) -> BeforeImage:
    """The before-image, refused when the row is not as it was when people approved; none of a read."""
    if not step.mutates:
        return BeforeImage("")
    try:
        before = provider.before(call)
    except ProviderError as error:
        raise _stumbled(error, run, step) from error
    if step.expect_version and before.version != step.expect_version:
        why = f"{step.subject or 'the row'} was changed by somebody else after the plan was made"
        note(run, "stale-data", why, {"step": step.seq})
        raise GateBlocked(
            why, hint="plan again: the new values need a new approval", code="stale_data"
        )
    return before


def _write_intent(run: Run, asked: Asked, step: Step, call: Call, before: BeforeImage) -> None:
    """Gate and safeguards once more under the mission's row lock, then the intent: one commit.

    Pausing and stopping write the same row, so after their commit no further intent can appear.
    """
    now = run.clock()
    with run.db.transaction(run.actor) as conn:
        facts = facts_of(conn, run, lock=True)
        spec = run.spec(asked.account, call.tool)
        verdict = judge(asked, run.plan, spec, facts)
        numbered = f"{run.mission_id}.{step.seq}.{facts.failures}" == call.key
        at_cursor = facts.cursor + 1 == step.seq and numbered
        guards = (*run.plan.safeguards, *facts.tightened)
        broken = breaches(
            guards, step, call.args, context_of(conn, run, step, call.args, guards=guards)
        )
        well = verdict.allowed and at_cursor and not broken
        objected = objection(conn, run, step, call) if well else None
        if well and objected is None:
            run.memory.facts = facts
            with conn.pipeline():  # intent and commit in one round trip
                journal.intend(
                    conn, run.actor, run.mission_id, seq=step.seq, purpose="step", call=call,
                    tool=step.tool, account=step.account, mutates=step.mutates,
                    approval_id=run.approval_id, before=before, worker=run.worker, at=run.clock(),
                    verdicts={"gate": "ok", "safeguards": [g.id for g in guards]},
                )  # fmt: skip
                conn.commit()
            return
    _deny_unless(run, asked, verdict)
    if not at_cursor:
        _deny_unless(run, asked, Verdict(False, "cursor", "the run moved on meanwhile"))
    if objected is not None:
        raise _objected(run, step, objected)
    raise _broken(run, step, call, broken, now)


def _broken(
    run: Run, step: Step, call: Call, broken: list[Breach], now: datetime
) -> RateReached | SafeguardViolation:
    """What broken safeguards mean: come back when all of them only wait, else stop at the first other."""
    waits = {breach.why: wait_until(breach, step, call.args, now) for breach in broken}
    lasting = [breach for breach in broken if waits[breach.why] is None]
    until = max((at for at in waits.values() if at is not None), default=now)
    if not lasting:
        _waits(run, step, broken[0], until)
        return RateReached(broken[0].why, until, toolkit=step.toolkit)
    first = lasting[0]
    _alert(run, step, first.safeguard.id, first.why)
    return SafeguardViolation(
        f"step {step.seq} would break a safeguard: {first.why}",
        hint="change the plan or the safeguard; both need a new approval",
        facts={"safeguard": first.safeguard.id, "step": step.seq},
    )


def _objected(run: Run, step: Step, objected: Objection) -> AicpError:
    """What an objection means for the run: come back later, or stop and tell a person."""
    if objected.retry_at is not None:
        return RateReached(
            objected.why, objected.retry_at, rule=objected.rule, toolkit=step.toolkit
        )
    note(run, objected.rule, objected.why, objected.facts | {"step": step.seq})
    return SafeguardViolation(
        f"step {step.seq} may not happen: {objected.why}",
        hint=objected.hint or "look, then resume, plan again or undo",
        code=objected.rule,
        facts={"rule": objected.rule, "step": step.seq},
    )


def context_of(
    conn: Connection, run: Run, step: Step, args: dict[str, Any], *, leaving: bool = False,
    guards: Sequence[Safeguard] | None = None,
) -> Context:  # fmt: skip
    """What the safeguards may know about a call.

    Args:
        guards: those that are asked; the plan's own when they are not told.
    """
    asked = run.plan.safeguards if guards is None else guards
    not_before = args.get("not_before")
    spec = run.spec(step.account, step.tool_name)
    return Context(
        now=run.clock(),
        leaves_at=datetime.fromisoformat(not_before) if not_before else None,
        zone=step.zone,
        to=recipients(args),
        body=_body(run.plan, step),
        calls_done=step.seq - 1,
        recipients=_recipients_before(run, step),
        leaving=leaving or leaves_now(step, spec),
        leaves=leaves(step, spec),
        spent=sum(amount_of(s.args) for s in run.plan.play.steps[: step.seq - 1] if s.mutates),
        approved_as=_approved_as(conn, run, asked),
        recent={
            guard.id: journal.uses_since(
                conn, run.mission_id, str(guard.params.get("toolkit", "")),
                run.clock() - timedelta(seconds=rate_of(guard)[1]),
            )
            for guard in asked
            if guard.kind == "rate"
        },
    )  # fmt: skip


def _body(plan: Plan, step: Step) -> str:
    """The text a call sends on: its own, or that of the draft it refers to."""
    sources = [plan.play.steps[ref.step - 1] for ref in step.refs.values()]
    return " ".join(str(s.args.get(k, "")) for s in sources for k in ("subject", "body"))


def _recipients_before(run: Run, step: Step) -> frozenset[str]:
    before = run.plan.play.steps[: step.seq - 1]
    leaving = (s for s in before if leaves(s, run.spec(s.account, s.tool_name)))
    return frozenset(address for s in leaving for address in recipients(s.args))


def _approved_as(conn: Connection, run: Run, guards: Sequence[Safeguard]) -> frozenset[str]:
    """In which capacities the plan was approved, asked only where a safeguard wants to know."""
    if not any(guard.kind == "approval" for guard in guards):
        return frozenset()
    rows = conn.execute(
        "select capacity from approval_decisions where approval_id = %s and digest = %s"
        " and decision = 'approved'",
        (run.approval_id, run.plan.digest),
    )
    return frozenset(str(capacity) for (capacity,) in rows)


def _deny_unless(run: Run, asked: Asked, verdict: Verdict) -> None:
    if verdict.allowed:
        return
    if verdict.rule != "run-state":  # pausing is no surprise
        note(run, verdict.rule, verdict.why, {"tool": _name(asked), "account": asked.account})
    raise CallDenied(verdict.why, code=verdict.rule, facts={"rule": verdict.rule})


def note(run: Run, rule: str, why: str, facts: dict[str, Any]) -> None:
    """Record a finding and its alert, in a transaction of its own."""
    with run.db.transaction(run.actor) as conn:
        journal.find(
            conn, run.actor, run.mission_id, rule=rule, message=why, facts=facts, at=run.clock()
        )
        _raise_alert(conn, run, rule)


def _alert(run: Run, step: Step, safeguard: str, why: str) -> None:
    note(run, f"safeguard:{safeguard}", why, {"step": step.seq})


def _waits(run: Run, step: Step, breach: Breach, until: datetime) -> None:
    """A closed window is mended by waiting: the approved call stays as it is."""
    if breach.safeguard.kind != "window":
        return
    with run.db.transaction(run.actor) as conn:
        record(
            conn, run.actor, "validator_auto_fix_applied",
            {"safeguard_id": breach.safeguard.id, "step": step.seq, "fix": f"waits until {until.isoformat()}"},
            at=run.clock(), mission_id=run.mission_id, correlation_id=run.correlation_id,
            stage="Execute", status="warning",
        )  # fmt: skip


def _raise_alert(conn: Connection, run: Run, rule: str) -> None:
    record(
        conn, run.actor, "validator_alert_raised",
        {"severity": "error", "safeguard_id": rule, "auto_fix_attempted": False},
        at=run.clock(), mission_id=run.mission_id, correlation_id=run.correlation_id,
        stage="Execute", status="error",
    )  # fmt: skip


def _settle(
    run: Run, step: Step, call: Call, outcome: Outcome, *, post: tuple[str, ...], reconciled: bool,
    started: datetime,
) -> None:  # fmt: skip
    """The result, the cursor and what follows from it: the second commit."""
    now = run.clock()
    spec = run.spec(step.account, step.tool_name)
    with run.db.batch(run.actor) as conn:
        recovered = journal.settle(
            conn, run.actor, run.mission_id, step.seq, call.key, toolkit=step.toolkit,
            outcome=outcome, reconciled=reconciled, post=post, at=now,
        )  # fmt: skip
        if spec and (step.account, spec.scope) not in run.memory.used:
            journal.use_scope(conn, run.mission_id, step.account, spec.scope)
        if outcome.held_until:
            due = datetime.fromisoformat(outcome.held_until)
            journal.hold(conn, run.actor, run.mission_id, step.seq, due_at=due)
        latency = int((now - started).total_seconds() * 1000)
        _events(conn, run, step, latency, reconciled=reconciled)
    if spec:
        run.memory.used.add((step.account, spec.scope))
    if recovered.fetchone():
        with run.db.transaction(run.actor) as conn:
            traffic.closed(conn, run, step.toolkit)
    if post:
        note(run, "read-back", "; ".join(post), {"step": step.seq})
        raise SafeguardViolation(
            f"step {step.seq} did not change the world as planned: {'; '.join(post)}",
            hint="the run is paused; look, then resume or undo",
        )


def _events(conn: Connection, run: Run, step: Step, latency: int, *, reconciled: bool) -> None:
    common = {
        "at": run.clock(), "mission_id": run.mission_id, "correlation_id": run.correlation_id,
        "stage": "Execute", "status": "success",
    }  # fmt: skip
    record(
        conn, run.actor, "composio_tool_call",
        {"toolkit": step.toolkit, "action": step.tool_name, "latency_ms": latency,
         "outcome": "success", "provider": run.providers[step.account].connection.provider}, **common,
    )  # fmt: skip
    record(
        conn, run.actor, "execution_step_completed",
        {"action_id": step.seq, "toolkit": step.toolkit, "action_name": step.tool_name,
         "duration_ms": latency, "status": "reconciled" if reconciled else "done"}, **common,
    )  # fmt: skip


def _failed(run: Run, step: Step, call: Call, error: ProviderError) -> AicpError:
    with run.db.transaction(run.actor) as conn:
        journal.finish(
            conn, run.mission_id, call.key, state="failed", outcome=None, error=error.message,
            at=run.clock(),
        )  # fmt: skip
        again = error.retryable and journal.failures(conn, run.mission_id, step.seq) < ATTEMPTS
        traffic.ended(conn, run, step.toolkit, call.key, "attempt" if again else "failed")
        _error_event(conn, run, step, "retry" if again else "pause")
    return UpstreamDown(
        error.message, hint=error.hint,
        facts={"retryable": error.retryable, "retry_after": error.retry_after,
               "toolkit": step.toolkit, "journalled": True, "auth_expired": error.auth_expired},
    )  # fmt: skip


def _unclear(run: Run, step: Step, call: Call, why: str) -> OutcomeUnknown:
    with run.db.transaction(run.actor) as conn:
        journal.finish(
            conn, run.mission_id, call.key, state="unknown", outcome=None, error=why, at=run.clock()
        )
        traffic.ended(conn, run, step.toolkit, call.key, "failed")
        _error_event(conn, run, step, "ask")
        journal.find(
            conn, run.actor, run.mission_id, rule="outcome-unknown", message=why,
            facts={"step": step.seq}, at=run.clock(),
        )  # fmt: skip
    return OutcomeUnknown(
        f"whether step {step.seq} happened is unknown: {why}",
        hint="look at the other side, then say so with `aicp mission resume --happened yes|no`",
        facts={"step": step.seq},
    )


def _error_event(conn: Connection, run: Run, step: Step, recovery: str) -> None:
    record(
        conn, run.actor, "composio_tool_call_error",
        {"error_code": "PROVIDER_ERROR", "recovery_action": recovery, "toolkit": step.toolkit},
        at=run.clock(), mission_id=run.mission_id, correlation_id=run.correlation_id,
        stage="Execute", status="error",
    )  # fmt: skip
