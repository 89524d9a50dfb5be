"""Undo: backwards from the last done step, from before-images; a later edit by others stops it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from aicp.errors import DatabaseDown, Forbidden, GateBlocked, UpstreamDown
from aicp.kernel.db import Actor, Connection
from aicp.kernel.ids import new_id
from aicp.kernel.jobs import enqueue
from aicp.missions import flow, store
from aicp.missions.control import MAY_STOP
from aicp.missions.prepare import open_providers
from aicp.missions.reflect import seal_bundle
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.telemetry.record import record
from aicp.toolkits.model import Found, Reconciled, UndoResult, UndoStatus
from aicp.toolkits.providers.base import Provider, ProviderError
from aicp.trust import journal


def request(
    conn: Connection, actor: Actor, services: Services, mission_id: str, reason: str
) -> dict[str, Any]:
    """Ask for everything done so far to be taken back; from this commit on nothing more is called.

    Raises:
        Forbidden: only the owner, governance and on-call undo.
        GateBlocked: nothing was done, or an undo is under way.
    """
    mission = store.get(conn, mission_id, lock=True)
    if actor.person_id != mission.owner_id and not MAY_STOP & set(actor.roles):
        raise Forbidden("only the owner, governance and on-call undo a mission")
    done = [
        entry
        for entry in journal.entries(conn, mission.id)
        if entry.mutates and entry.state != "failed"
    ]
    if mission.run_state in ("undoing", "undone") or not done:
        raise GateBlocked(
            "there is nothing to undo"
            if not done
            else f"the mission is already {mission.run_state}"
        )
    at, undo_id = services.clock(), new_id("u")
    conn.execute(
        "insert into undo_runs (id, tenant_id, mission_id, reason, requested_by, state, requested_at)"
        " values (%s, %s, %s, %s, %s, 'running', %s)",
        (undo_id, actor.tenant_id, mission.id, reason, actor.person_id, at),
    )
    store.change(
        conn, mission.id, at, run_state="undoing", status="in_progress", blocking_reason=""
    )
    record(
        conn, actor, "undo_requested",
        {"undo_plan_id": (mission.plan_digest or "")[:12], "initiated_by": str(actor.person_id)}, at=at,
        mission_id=mission.id, correlation_id=mission.correlation_id, stage="Execute",
    )  # fmt: skip
    enqueue(
        conn, "mission.undo",
        {"tenant_id": str(mission.tenant_id), "mission_id": mission.id, "undo_id": undo_id},
        lock=flow.lock_name(mission.id), unique=f"{mission.id}:undo", priority=10,
    )  # fmt: skip
    return {"undo_id": undo_id, "steps": len(done)}


def run(services: Services, mission: Mission, undo_id: str) -> None:
    """The job: settle what is unknown, take back step by step, say honestly how far it came."""
    actor = mission.agent("executor")
    if not _is_running(services, actor, undo_id):
        return
    try:
        providers = open_providers(services, mission, actor)
    except DatabaseDown:
        raise
    except UpstreamDown as error:
        _close(services, actor, mission, undo_id, f"{error.message} {error.hint}".strip())
        return
    _settle_open_intents(services, actor, mission, providers)
    stopped = _take_back(services, actor, mission, undo_id, providers)
    # Sealed first: a process that dies in between seals once more, and never leaves it unsealed.
    seal_bundle(services, actor, mission.id, "undo")
    _close(services, actor, mission, undo_id, stopped)


def give_up(services: Services, mission: Mission, undo_id: str, why: str) -> None:
    """Close an undo that broke: what was taken back stays so, and another undo takes up the rest."""
    actor = mission.agent("executor")
    if _is_running(services, actor, undo_id):
        _close(services, actor, mission, undo_id, why)


def history(conn: Connection, mission_id: str) -> list[dict[str, Any]]:
    """The undo runs of a mission, newest first, with their steps in the order they were taken back."""
    runs = conn.execute(
        "select id, reason, state, requested_at, finished_at from undo_runs where mission_id = %s"
        " order by number desc",
        (mission_id,),
    ).fetchall()
    names = ("id", "reason", "state", "requested_at", "finished_at")
    return [
        {**dict(zip(names, row, strict=True)), "steps": _steps(conn, str(row[0]))} for row in runs
    ]


def _steps(conn: Connection, undo_id: str) -> list[dict[str, Any]]:
    rows = conn.execute(
        "select seq, status, difference, residue, why from undo_steps where undo_id = %s order by seq desc",
        (undo_id,),
    )
    return [
        dict(zip(("seq", "status", "difference", "residue", "why"), row, strict=True))
        for row in rows
    ]


def _is_running(services: Services, actor: Actor, undo_id: str) -> bool:
    with services.db.transaction(actor) as conn:
        row = conn.execute("select state from undo_runs where id = %s", (undo_id,)).fetchone()
    return row == ("running",)


def _settle_open_intents(
    services: Services, actor: Actor, mission: Mission, providers: dict[str, Provider]
) -> None:
    """Whether an interrupted call happened decides whether there is something to take back."""
    with services.db.transaction(actor) as conn:
        open_ = [e for e in journal.entries(conn, mission.id) if e.state in ("intent", "unknown")]
    for entry in open_:
        found = _read_back(providers[entry.account], entry)
        state = {Found.DONE: "done", Found.NOT_DONE: "failed", Found.UNCLEAR: "unknown"}[
            found.found
        ]
        with services.db.transaction(actor) as conn:
            journal.finish(
                conn, mission.id, entry.key, state=state, outcome=found.outcome, error=found.why,
                reconciled=True, at=services.clock(),
            )  # fmt: skip


def _read_back(provider: Provider, entry: journal.Entry) -> Reconciled:
    try:
        return provider.reconcile(entry.call, entry.image)
    except ProviderError as error:
        return Reconciled(Found.UNCLEAR, why=f"{error.message} {error.hint}".strip())


def _take_back(
    services: Services, actor: Actor, mission: Mission, undo_id: str, providers: dict[str, Provider]
) -> str:
    """Step by step in reverse; returns why it stopped, "" when it reached the beginning."""
    with services.db.transaction(actor) as conn:
        taken = {step["seq"] for step in _steps(conn, undo_id)}
        done = [
            e
            for e in journal.entries(conn, mission.id)
            if e.mutates and e.state in ("done", "unknown")
        ]
    for entry in sorted(done, key=lambda e: e.seq, reverse=True):
        if entry.seq in taken:
            continue
        with services.db.transaction(actor) as conn:
            journal.settle_hold(conn, mission.id, entry.seq, "cancelled", at=services.clock())
        result = _undo_one(providers[entry.account], entry)
        _note_step(services, actor, mission, undo_id, entry, result)
        if result.status is UndoStatus.CONFLICT:
            return f"step {entry.seq}: {result.why or 'somebody changed it since'}"
    return ""


def _undo_one(provider: Provider, entry: journal.Entry) -> UndoResult:
    if entry.state == "unknown":
        return UndoResult(
            UndoStatus.CONFLICT,
            why=f"whether this call happened is unknown; look at the other side: {entry.error}",
        )
    try:
        return provider.undo(entry.call, entry.image, entry.result)
    except ProviderError as error:
        return UndoResult(UndoStatus.CONFLICT, why=f"{error.message} {error.hint}".strip())


def _note_step(
    services: Services,
    actor: Actor,
    mission: Mission,
    undo_id: str,
    entry: journal.Entry,
    result: UndoResult,
) -> None:
    at = services.clock()
    with services.db.transaction(actor) as conn:
        conn.execute(
            "insert into undo_steps (tenant_id, undo_id, seq, status, difference, residue, why, undone_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
            (actor.tenant_id, undo_id, entry.seq, result.status.value, Jsonb(list(result.difference)),
             result.residue, result.why, at),
        )  # fmt: skip
        if result.status is UndoStatus.CONFLICT:
            journal.find(
                conn, actor, mission.id, rule="undo-conflict", message=result.why or "changed since",
                facts=asdict(result), at=at,
            )  # fmt: skip
        record(
            conn, actor, "undo_step_completed", {"action_id": entry.seq, "status": result.status.value},
            at=at, mission_id=mission.id, correlation_id=mission.correlation_id, stage="Execute",
            status="warning" if result.status in (UndoStatus.CONFLICT, UndoStatus.IMPOSSIBLE) else "success",
        )  # fmt: skip


def _close(services: Services, actor: Actor, mission: Mission, undo_id: str, stopped: str) -> None:
    at = services.clock()
    with services.db.transaction(actor) as conn:
        steps = _steps(conn, undo_id)
        left = [step for step in steps if step["status"] == "impossible"]
        whole = not stopped and not left
        conn.execute(
            "update undo_runs set state = %s, finished_at = %s where id = %s",
            ("stopped" if stopped else "done", at, undo_id),
        )
        _set_state(conn, mission, stopped, left, at)
        record(
            conn, actor, "undo_completed",
            {"actions_reversed": sum(s["status"] in ("restored", "already") for s in steps),
             "outcome": "exact" if whole else "stopped" if stopped else "partial"},
            at=at, mission_id=mission.id, correlation_id=mission.correlation_id, stage="Execute",
            status="success" if whole else "warning",
        )  # fmt: skip


def _set_state(
    conn: Connection, mission: Mission, stopped: str, left: list[dict[str, Any]], at: datetime
) -> None:
    reason = stopped or (f"{len(left)} effects had already left and stay" if left else "")
    store.change(
        conn, mission.id, at, run_state="undo_stopped" if stopped else "undone",
        status="blocked" if stopped else "completed", blocking_reason=reason,
    )  # fmt: skip
    if not stopped:
        store.change(conn, mission.id, at, completed_at=at)
        store.mark_stage(conn, mission.id, mission.current_stage, "completed", at=at)
