"""The undo job: backwards from the last done step, from before-images; a later edit by others stops it.

A dry run takes the same steps back on private copies and changes nothing.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from aicp.errors import DatabaseDown, UpstreamDown
from aicp.kernel.db import Actor, Connection
from aicp.missions import grants, reauthorise, store
from aicp.missions.opening import open_providers
from aicp.missions.reflect import seal_bundle
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.missions.undo import steps_of
from aicp.telemetry.record import record
from aicp.toolkits.model import Found, Reconciled, UndoResult, UndoStatus
from aicp.toolkits.providers.base import NeedsConsent, Provider, ProviderError
from aicp.trust import journal


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to take back."""

    id: str
    to_step: int
    dry_run: bool


def run(services: Services, mission: Mission, undo_id: str) -> None:
    """The job: settle what is unknown, take back step by step, say honestly how far it came."""
    actor = mission.agent("executor")
    asked = _running(services, actor, undo_id)
    if asked is None:
        return
    try:
        providers = open_providers(services, mission, actor)
    except DatabaseDown:
        raise
    except UpstreamDown as error:
        _close(services, actor, mission, asked, f"{error.message} {error.hint}".strip())
        return
    if asked.dry_run:
        _try_on_copies(services, actor, mission, asked, providers)
        return
    _settle_open_intents(services, actor, mission, providers)
    stopped = _take_back(services, actor, mission, asked, providers)
    # Sealed first: a process that dies in between seals once more, and never leaves it unsealed.
    seal_bundle(services, actor, mission.id, "undo")
    _close(services, actor, mission, asked, stopped)


def give_up(services: Services, mission: Mission, undo_id: str, why: str) -> None:
    """Close an undo that broke: what was taken back stays so, and another undo takes up the rest."""
    actor = mission.agent("executor")
    asked = _running(services, actor, undo_id)
    if asked is not None:
        _close(services, actor, mission, asked, why)


def _running(services: Services, actor: Actor, undo_id: str) -> Asked | None:
    """The request, as long as it is open."""
    with services.db.transaction(actor) as conn:
        return (
            conn.cursor(row_factory=class_row(Asked))
            .execute(
                "select id, to_step, dry_run from undo_runs where id = %s and state = 'running'",
                (undo_id,),
            )
            .fetchone()
        )


def _try_on_copies(
    services: Services, actor: Actor, mission: Mission, asked: Asked, providers: dict[str, Provider]
) -> None:
    """Take the steps back on private copies, and keep what would happen, step by step."""
    with services.db.transaction(actor) as conn:
        rows = journal.entries(conn, mission.id)
    done = [e for e in rows if e.mutates and e.state != "failed" and e.seq > asked.to_step]
    with ExitStack() as stack:
        copies: dict[str, Provider] = {}
        stopped = ""
        for entry in sorted(done, key=lambda e: e.seq, reverse=True):
            result = _tried(stack, copies, providers[entry.account], entry)
            _note_step(services, actor, mission, asked, entry, result)
            if result.status is UndoStatus.CONFLICT:
                stopped = f"step {entry.seq}: {result.why or 'somebody changed it since'}"
                break
    with services.db.transaction(actor) as conn:
        conn.execute(
            "update undo_runs set state = %s, finished_at = %s where id = %s",
            ("stopped" if stopped else "done", services.clock(), asked.id),
        )
        record(
            conn, actor, "undo_tried", {"steps": len(done), "would_stop": bool(stopped)},
            at=services.clock(), mission_id=mission.id, correlation_id=mission.correlation_id,
            stage="Execute", status="warning" if stopped else "success",
        )  # fmt: skip


def _tried(
    stack: ExitStack, copies: dict[str, Provider], provider: Provider, entry: journal.Entry
) -> UndoResult:
    """One step taken back on the copy of what it touched."""
    try:
        if entry.account not in copies:
            copies[entry.account] = stack.enter_context(provider.rehearsal())
    except ProviderError as error:
        return UndoResult(UndoStatus.CONFLICT, why=f"{error.message} {error.hint}".strip())
    if entry.state == "intent":
        return UndoResult(UndoStatus.ALREADY, why="an interrupted call: it is read back first")
    return _undo_one(copies[entry.account], entry)


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
    services: Services, actor: Actor, mission: Mission, asked: Asked, providers: dict[str, Provider]
) -> str:
    """Step by step in reverse; returns why it stopped, "" when it came as far as was asked."""
    with services.db.transaction(actor) as conn:
        taken = {step["seq"] for step in steps_of(conn, asked.id)}
        done = [
            e
            for e in journal.entries(conn, mission.id)
            if e.mutates and e.state in ("done", "unknown") and e.seq > asked.to_step
        ]
    for entry in sorted(done, key=lambda e: e.seq, reverse=True):
        if entry.seq in taken:
            continue
        with services.db.transaction(actor) as conn:
            journal.settle_hold(conn, mission.id, entry.seq, "cancelled", at=services.clock())
        result = _undo_one(providers[entry.account], entry)
        _note_step(services, actor, mission, asked, entry, result)
        if result.status is UndoStatus.CONFLICT:
            why = f"step {entry.seq}: {result.why or 'somebody changed it since'}"
            return f"{why}{_sign_in_again(services, actor, mission, providers[entry.account])}"
    return ""


def _sign_in_again(services: Services, actor: Actor, mission: Mission, provider: Provider) -> str:
    """How to go on when the undo stopped because a grant is gone; "" when that is not why (TR-16)."""
    account = provider.connection.account
    ref = str(provider.connection.config.get("auth_ref") or "")
    if not isinstance(provider, NeedsConsent):
        return ""
    try:
        if ref and provider.grant(ref).state == "approved":
            return ""
    except ProviderError:
        return ""
    with services.db.transaction(actor) as conn:
        reauthorise.expire(conn, mission, account, at=services.clock())
    return f" (sign in again: aicp mission connect {mission.id} {account}; then undo again)"


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
    asked: Asked,
    entry: journal.Entry,
    result: UndoResult,
) -> None:
    at = services.clock()
    with services.db.transaction(actor) as conn:
        conn.execute(
            "insert into undo_steps (tenant_id, undo_id, seq, status, difference, residue, why, undone_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
            (actor.tenant_id, asked.id, entry.seq, result.status.value, Jsonb(list(result.difference)),
             result.residue, result.why, at),
        )  # fmt: skip
        if asked.dry_run:
            return
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


def _close(services: Services, actor: Actor, mission: Mission, asked: Asked, stopped: str) -> None:
    at = services.clock()
    with services.db.transaction(actor) as conn:
        steps = steps_of(conn, asked.id)
        left = [step for step in steps if step["status"] == "impossible" or step["residue"]]
        whole = not stopped and not left
        conn.execute(
            "update undo_runs set state = %s, finished_at = %s where id = %s",
            ("stopped" if stopped else "done", at, asked.id),
        )
        if asked.dry_run:
            return
        _set_state(conn, mission, asked, stopped, left, at)
        if not stopped and not asked.to_step:
            grants.enqueue_all(conn, mission, at=at, undone=True)
        record(
            conn, actor, "undo_completed",
            {"actions_reversed": sum(s["status"] in ("restored", "already") for s in steps),
             "outcome": "exact" if whole and not asked.to_step else "stopped" if stopped else "partial"},
            at=at, mission_id=mission.id, correlation_id=mission.correlation_id, stage="Execute",
            status="success" if whole else "warning",
        )  # fmt: skip


def _stays(left: list[dict[str, Any]]) -> list[str]:
    """What an undo that went through leaves out there, named."""
    gone = sum(step["status"] == "impossible" for step in left)
    told = [f"{gone} effects had already left and stay"] if gone else []
    residue = [s for s in left if s["residue"] and s["status"] != "impossible"]
    return told + [f"something of step {s['seq']} stays: {s['residue']}" for s in residue[:3]]


def _set_state(
    conn: Connection, mission: Mission, asked: Asked, stopped: str, left: list[dict[str, Any]],
    at: datetime,
) -> None:  # fmt: skip
    if asked.to_step and not stopped:
        why = f"taken back to step {asked.to_step} as asked; the steps up to it stay"
        store.change(
            conn, mission.id, at, run_state="undone_partly", status="blocked", blocking_reason=why
        )
        return
    reason = stopped or "; ".join(_stays(left))
    store.change(
        conn, mission.id, at, run_state="undo_stopped" if stopped else "undone",
        status="blocked" if stopped else "completed", blocking_reason=reason,
    )  # fmt: skip
    if not stopped:
        store.change(conn, mission.id, at, completed_at=at)
        store.mark_stage(conn, mission.id, mission.current_stage, "completed", at=at)
