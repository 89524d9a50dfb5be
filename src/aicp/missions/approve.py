"""Approve: people decide on one digest; enough of the right ones start the run (TR-10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from aicp.errors import BadInput, Forbidden, GateBlocked
from aicp.kernel.db import Actor, Connection
from aicp.missions import flow, plan_store, rules, store
from aicp.missions.lifecycle import Facts, reasons
from aicp.missions.plan_store import ApprovalRow
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.telemetry.record import record
from aicp.trust import declarations
from aicp.trust.approvals import Decider, Refusal, capacity_for, complete
from aicp.trust.difference import differences
from aicp.trust.plan import Plan


def approve(
    conn: Connection,
    actor: Actor,
    services: Services,
    mission_id: str,
    *,
    digest: str,
    rationale: str = "",
    named: Sequence[str] = (),
) -> dict[str, Any]:
    """Approve the plan of this very digest. The last approval needed starts the run.

    Args:
        digest: what the person read: the whole digest, or at least its first 12 digits.
        named: values from untrusted content that the person stands by (TR-20).

    Raises:
        GateBlocked: the approval does not count; `code` names the rule and a finding is recorded.
    """
    mission, row = _open_request(conn, mission_id)
    at = services.clock()
    request = plan_store.as_request(row, plan_store.decisions(conn, row.id))
    decider = decider_of(conn, actor, mission, row)
    meant = row.digest if len(digest) >= 12 and row.digest.startswith(digest) else digest
    capacity = capacity_for(request, decider, meant, at)
    if isinstance(capacity, Refusal):
        raise _refused(mission, capacity)
    if mission.run_state not in ("idle", "paused"):  # it was stopped or taken back meanwhile
        raise GateBlocked(f"the run is {mission.run_state}; there is nothing to go on with")
    rules.name_values(conn, actor, services, mission, named, decider=decider)
    rules.refuse_unnamed(conn, mission, plan_store.plan(conn, mission.id, row.digest))
    plan_store.add_decision(
        conn, actor, row.id, capacity=capacity, decision="approved", digest=row.digest,
        rationale=rationale, at=at,
    )  # fmt: skip
    request = plan_store.as_request(row, plan_store.decisions(conn, row.id))
    open_still = complete(request)
    record(
        conn, actor, "approval_granted",
        {"play_id": _play_id(mission), "approver_role": capacity, "complete": open_still is None}, at=at,
        mission_id=mission.id, correlation_id=mission.correlation_id, stage="Approve", status="success",
    )  # fmt: skip
    if open_still is not None:
        return {"capacity": capacity, "complete": False, "missing": open_still.why}
    plan_store.settle_approval(conn, row.id, "approved", reason="", at=at)
    facts = Facts(
        approved=True,
        digest_matches=mission.plan_digest == row.digest,
        expired=at >= row.expires_at,
    )
    flow.enter(
        conn, actor, mission, at=at, shut=reasons("Approve", facts),
        output={"approval_decision": "approved", "digest": row.digest},
    )  # fmt: skip
    if mission.run_state == "paused":  # it goes on now, whatever it waited for under the old plan
        store.change(conn, mission.id, at, run_state="idle")
        flow.enqueue_stage(conn, mission, "Execute", early=True)
    return {"capacity": capacity, "complete": True, "missing": ""}


def name(
    conn: Connection, actor: Actor, services: Services, mission_id: str, values: Sequence[str]
) -> list[str]:
    """Name values from untrusted content beside an approval, or for a run that stopped at one."""
    mission, row = _open_request(conn, mission_id)
    decider = decider_of(conn, actor, mission, row)
    return rules.name_values(conn, actor, services, mission, values, decider=decider)


def reject(
    conn: Connection, actor: Actor, services: Services, mission_id: str, *, rationale: str
) -> dict[str, Any]:
    """Refuse the plan with a reason; the mission goes back to Plan.

    Raises:
        BadInput: no reason was given.
        Forbidden: the person has no say in this approval.
    """
    if not rationale.strip():
        raise BadInput(
            "a rejection needs its reason", hint='add --reason "what should be different"'
        )
    mission, row = _open_request(conn, mission_id)
    decider = decider_of(conn, actor, mission, row)
    if not decider.capacities:
        raise Forbidden("you have no say in this approval")
    at = services.clock()
    plan_store.add_decision(
        conn, actor, row.id, capacity=decider.capacities[0], decision="rejected", digest=row.digest,
        rationale=rationale, at=at,
    )  # fmt: skip
    plan_store.settle_approval(conn, row.id, "rejected", reason=rationale, at=at)
    record(
        conn, actor, "approval_rejected", {"rejection_reason_length": len(rationale)}, at=at,
        mission_id=mission.id, correlation_id=mission.correlation_id, stage="Approve", status="warning",
    )  # fmt: skip
    stage = flow.decline(conn, actor, mission, reason="the plan was rejected", at=at)
    return {"stage": stage, "reason": rationale}


def export(
    conn: Connection,
    actor: Actor,
    services: Services,
    mission_id: str,
    *,
    format: str,  # noqa: A002
) -> dict[str, Any]:
    """The sheet, to be taken out of the product; that it was is recorded.

    Raises:
        GateBlocked: there is no plan to show.
    """
    mission, row = _open_request(conn, mission_id)
    plan = plan_store.plan(conn, mission.id, row.digest)
    record(
        conn, actor, "approval_exported", {"format": format[:20]}, at=services.clock(),
        mission_id=mission.id, correlation_id=mission.correlation_id, stage="Approve",
    )  # fmt: skip
    return sheet(conn, mission, row, plan)


def decider_of(conn: Connection, actor: Actor, mission: Mission, row: ApprovalRow) -> Decider:
    """What this person may decide as on this request, with what was handed on to them."""
    handed = conn.execute(
        "select capacity from approval_delegations where approval_id = %s and to_person = %s",
        (row.id, actor.person_id),
    ).fetchall()
    return Decider(
        actor.person_id, actor.person_id == mission.owner_id, actor.roles,
        tuple(str(capacity) for (capacity,) in handed),
    )  # fmt: skip


def sheet(conn: Connection, mission: Mission, row: ApprovalRow, plan: Plan) -> dict[str, Any]:
    """What an approver must see before deciding (domain.md 5, TR-8): all of it, with counts."""
    given = plan_store.decisions(conn, row.id)
    request = plan_store.as_request(row, given)
    still = complete(request)
    play = plan.play
    earlier = _earlier(conn, mission, row)
    return {
        "mission": {"id": mission.id, "title": mission.title, "owner": mission.owner_name},
        "approval": {
            "id": row.id, "digest": row.digest, "status": row.status, "status_reason": row.status_reason,
            "risk": row.risk, "required": list(row.required), "expires_at": row.expires_at,
            "decisions": given, "missing": "" if still is None else still.why,
            "consumed_at": row.consumed_at, "delegations": _delegations(conn, row.id),
        },
        "changes": None if earlier is None else [asdict(c) for c in differences(earlier, plan)],
        "what": play.summary,
        "affected": play.affected,
        "safeguards": [guard.model_dump(mode="json") for guard in plan.safeguards],
        "scopes": list(plan.scopes),
        "risk": {"impact": play.impact, "reversibility": play.reversibility, "risk": play.risk},
        "cost": play.estimate,
        "undo": {"tiers": _tiers(plan), "point_of_no_return": _no_return(plan)},
        "contacts": {"owner": mission.owner_name},
        "data_versions": plan.data_versions,
        "steps": [step.model_dump(mode="json") for step in play.steps],
        "notes": list(play.notes),
        "unnamed": rules.unnamed(conn, mission, plan),
        "named": declarations.named_values(conn, mission.id),
    }  # fmt: skip


def _earlier(conn: Connection, mission: Mission, row: ApprovalRow) -> Plan | None:
    """The plan of the request before this one, which its readers may remember."""
    found = conn.execute(
        "select digest from approvals where mission_id = %s and number <"
        " (select number from approvals where id = %s) order by number desc limit 1",
        (mission.id, row.id),
    ).fetchone()
    return plan_store.plan(conn, mission.id, str(found[0])) if found else None


def _delegations(conn: Connection, approval_id: str) -> list[dict[str, Any]]:
    rows = conn.execute(
        "select d.capacity, f.display_name, t.display_name, d.reason, d.delegated_at"
        " from approval_delegations d join people f on f.id = d.from_person"
        " join people t on t.id = d.to_person where d.approval_id = %s order by d.delegated_at",
        (approval_id,),
    )
    names = ("capacity", "from", "to", "reason", "at")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _open_request(conn: Connection, mission_id: str) -> tuple[Mission, ApprovalRow]:
    mission = store.get(conn, mission_id, lock=True)
    row = plan_store.approval(conn, mission.id)
    if row is None:
        raise GateBlocked(
            f"there is nothing to approve yet: the mission is in {mission.current_stage}",
            hint=f"choose a play first: aicp mission plan {mission.id} --select 1",
        ).on(mission.id, "not-open")
    return mission, row


def _refused(mission: Mission, refusal: Refusal) -> GateBlocked:
    return GateBlocked(
        f"this approval does not count: {refusal.why}",
        hint=f"read the sheet again: aicp mission approve {mission.id}",
        code=refusal.rule,
    ).on(mission.id, f"approval:{refusal.rule}")  # type: ignore[return-value]


def _play_id(mission: Mission) -> str:
    return (mission.plan_digest or "")[:12]


def _tiers(plan: Plan) -> dict[str, int]:
    tiers = [step.undo_tier.value for step in plan.play.steps if step.mutates]
    return {tier: tiers.count(tier) for tier in sorted(set(tiers))}


def _no_return(plan: Plan) -> int | None:
    """The first step that cannot be taken back exactly; T3 counts only once its hold is over."""
    late = (s.seq for s in plan.play.steps if s.undo_tier.value in ("T4", "T5"))
    return next(late, None)
