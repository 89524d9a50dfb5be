"""Safeguards under a run: narrowing one holds at once, widening one is asked for (agents.md A2, TR-7, TR-10)."""

from __future__ import annotations

from typing import Any

from aicp.errors import BadInput, Forbidden, GateBlocked, NotFound
from aicp.kernel.canonical import canonical
from aicp.kernel.db import Actor, Connection
from aicp.missions import plan_store, reauthorise, store
from aicp.missions.plan_store import ApprovalRow
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.telemetry.record import record
from aicp.trust import tightenings
from aicp.trust.narrowing import narrower
from aicp.trust.parameters import missing, wrong
from aicp.trust.plan import Plan, Safeguard

MAY = {"governance", "oncall"}  # beside the owner
UNDER_WAY = ("running", "paused", "held")
MOST_BYTES = 100_000  # of a safeguard's parameters

Params = dict[str, Any]


def tighten(
    conn: Connection, actor: Actor, services: Services, mission_id: str, safeguard_id: str, params: Params,
    reason: str,
) -> dict[str, Any]:  # fmt: skip
    """Change parameters of a safeguard while its run is under way.

    What is narrower holds from this commit on, for the next call and for what is held. Anything else
    is asked for: the run pauses, keeps its place, and goes on once a new plan is approved.

    Raises:
        Forbidden: neither the owner nor governance nor on-call.
        NotFound: the mission has no such safeguard.
        BadInput: parameters of another form, no reason, or nothing that would change.
        GateBlocked: no run is under way, or a request is waiting already.
    """
    mission, used, plan = _under_way(conn, actor, mission_id)
    beside = tightenings.beside(conn, mission.id, used.id)
    now = {guard.id: guard for guard in tightenings.folded(plan, beside)}
    if safeguard_id not in now:
        raise NotFound(
            f"the mission has no safeguard {safeguard_id[:60]}",
            hint=f"see `aicp mission guard {mission.id}`",
        )
    old = now[safeguard_id]
    new = _changed(old, params, reason)
    if new.params == old.params:
        raise BadInput("that is how the safeguard is already")
    if old.kind != "approval" and narrower(old, new):
        stands = sum(one.safeguard_id == old.id for one in beside) + 1
        guard = new.model_copy(update={"id": f"{old.id}+{stands}"})
        return _stands(conn, actor, services, mission, used, old.id, guard, reason)
    now[old.id] = new
    return _ask(conn, actor, services, mission, plan, tuple(now.values()), new, reason)


def add(
    conn: Connection, actor: Actor, services: Services, mission_id: str, kind: str, params: Params, reason: str
) -> dict[str, Any]:  # fmt: skip
    """Add a safeguard while a run is under way: that only stops more, so it holds at once.

    A further approval is the exception: nobody could give it under the plan in use, so it is asked for.

    Raises:
        As `tighten`.
    """
    mission, used, plan = _under_way(conn, actor, mission_id)
    _refuse_form(kind, params, reason)
    if why := missing(kind, params):
        raise BadInput(why)
    beside = tightenings.beside(conn, mission.id, used.id)
    guards = tightenings.folded(plan, beside)
    taken = {guard.id for guard in guards}
    new_id = next(f"added-{n}" for n in range(1, len(taken) + 2) if f"added-{n}" not in taken)
    new = Safeguard(
        id=new_id, kind=kind, text=f"Added during the run: {kind}{_told(params)}", params=params,  # type: ignore[arg-type]
        severity="high",
    )  # fmt: skip
    if kind == "approval":
        return _ask(conn, actor, services, mission, plan, (*guards, new), new, reason)
    return _stands(conn, actor, services, mission, used, new.id, new, reason)


def listed(conn: Connection, mission: Mission) -> list[dict[str, Any]]:
    """The safeguards as they hold now, each with what it was narrowed by: params, reason, by, at."""
    row = plan_store.in_use(conn, mission.id) or plan_store.approval(conn, mission.id)
    if row is None:
        return []
    plan = plan_store.plan(conn, mission.id, row.digest)
    beside = tightenings.beside(conn, mission.id, row.id)
    approved = {guard.id for guard in plan.safeguards}
    return [
        {
            "id": guard.id, "kind": guard.kind, "text": guard.text, "params": guard.params,
            "severity": guard.severity, "added": guard.id not in approved,
            "tightenings": [
                {"params": one.guard.params, "reason": one.reason, "by": one.by, "at": one.at}
                for one in beside
                if one.safeguard_id == guard.id
            ],
        }
        for guard in tightenings.folded(plan, beside)
    ]  # fmt: skip


def _under_way(
    conn: Connection, actor: Actor, mission_id: str
) -> tuple[Mission, ApprovalRow, Plan]:
    """The mission, its row held, with the approval in use and its plan."""
    mission = store.get(conn, mission_id, lock=True)
    if actor.person_id != mission.owner_id and not MAY & set(actor.roles):
        raise Forbidden("only the owner, governance and on-call change safeguards under a run").on(
            mission.id, "TR-7"
        )
    used = plan_store.in_use(conn, mission.id)
    if used is None or mission.run_state not in UNDER_WAY:
        raise GateBlocked(
            f"no run is under way (it is {mission.run_state}): there is nothing to tighten",
            hint="before a run begins, change the brief; after it has ended, undo",
        )
    newest = plan_store.approval(conn, mission.id)
    if newest is not None and newest.waits:
        raise GateBlocked(
            "a request to go on is waiting, and nothing is called meanwhile",
            hint=f"decide it first: aicp mission approve {mission.id}, or reject",
        )
    return mission, used, plan_store.plan(conn, mission.id, used.digest)


def _refuse_form(kind: str, params: Params, reason: str) -> None:
    if not reason.strip():
        raise BadInput("a safeguard is not changed without a reason", hint='add --reason "why"')
    try:
        size = len(canonical(params))
    except (ValueError, TypeError, RecursionError):
        raise BadInput("the parameters hold a value that is not plain JSON") from None
    if size > MOST_BYTES:
        raise BadInput(f"the parameters are {size:,} bytes long; at most {MOST_BYTES:,} are read")
    if why := wrong(kind, params):
        raise BadInput(why, hint="write JSON after the sign: --set 'forbid=[\"urgent\"]'")


def _changed(old: Safeguard, params: Params, reason: str) -> Safeguard:
    """The safeguard with these parameters set; its words say so."""
    _refuse_form(old.kind, params, reason)
    merged = old.params | params
    if why := missing(old.kind, merged):
        raise BadInput(why)
    return old.model_copy(update={"params": merged, "text": f"{old.text} (now{_told(params)})"})


def _told(params: Params) -> str:
    said = (f" {name} {canonical(value).decode()}" for name, value in params.items())
    return ",".join(said)[:400]


def _stands(
    conn: Connection, actor: Actor, services: Services, mission: Mission, used: ApprovalRow, about: str,
    guard: Safeguard, reason: str,
) -> dict[str, Any]:  # fmt: skip
    at = services.clock()
    tightenings.add(
        conn, actor, mission.id, used.id, safeguard_id=about, guard=guard, reason=reason, at=at
    )
    record(
        conn, actor, "safeguard_tightened",
        {"safeguard_id": about, "kind": guard.kind, "reason_length": len(reason)}, at=at,
        mission_id=mission.id, correlation_id=mission.correlation_id, stage=mission.current_stage,
    )  # fmt: skip
    return {"safeguard": about, "holds": "now", "text": guard.text, "run_state": mission.run_state}


def _ask(
    conn: Connection, actor: Actor, services: Services, mission: Mission, plan: Plan,
    guards: tuple[Safeguard, ...], changed: Safeguard, reason: str,
) -> dict[str, Any]:  # fmt: skip
    """Ask for the same calls under other safeguards. Nothing of the change holds before it is approved."""
    if mission.current_stage != "Execute":
        raise GateBlocked(
            "every call is made: what is held may be guarded more narrowly, not more widely",
            hint=f"undo what is held: aicp mission undo {mission.id}",
        )
    at = services.clock()
    record(
        conn, actor, "safeguard_widening_asked",
        {"safeguard_id": changed.id, "kind": changed.kind, "reason_length": len(reason)}, at=at,
        mission_id=mission.id, correlation_id=mission.correlation_id, stage="Execute", status="warning",
    )  # fmt: skip
    new = plan.model_copy(update={"safeguards": guards})
    reauthorise.ask_for(
        conn, actor, mission, new, kind="safeguard", at=at,
        why=f"the safeguard {changed.id} would change ({reason[:200]})",
    )  # fmt: skip
    return {
        "safeguard": changed.id, "holds": "once approved", "text": changed.text, "run_state": "paused",
        "digest": new.digest,
    }  # fmt: skip
