"""Reflect: the evidence bundle, what came of it, what people say, and when a mission is over."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from aicp.errors import BadInput, GateBlocked
from aicp.evidence.bundle import Artifact, Damage, damaged, manifest_of, seal, verify
from aicp.kernel.db import Actor, Connection
from aicp.kernel.ids import new_id
from aicp.missions import grants, plan_store, store
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.telemetry.record import record
from aicp.telemetry.redaction import without_secrets
from aicp.trust import journal, tightenings


def run(services: Services, mission: Mission) -> None:
    """The job of the stage: count what happened; the mission is over once nothing is held any more."""
    actor = mission.agent("evidence")
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission.id, lock=True)
        if mission.current_stage != "Reflect":
            return
        at = services.clock()
        output = {"retrospective": _counts(conn, mission)}
        store.mark_stage(conn, mission.id, "Reflect", "ready", at=at, output=output)
        record(
            conn, actor, "mission_retrospective_logged",
            {"impact_metrics": output["retrospective"], "safeguard_compliance": _kept(conn, mission.id)}, at=at,
            mission_id=mission.id, correlation_id=mission.correlation_id, stage="Reflect",
        )  # fmt: skip
    complete_if_settled(services, actor, mission.id)


def complete_if_settled(services: Services, actor: Actor, mission_id: str) -> None:
    """Close the mission when every held effect has left or was cancelled."""
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission_id, lock=True)
        open_ = [
            state
            for _, state in journal.holds(conn, mission_id).values()
            if state in ("held", "unknown")
        ]
        over = mission.current_stage == "Reflect" and mission.run_state in ("held", "finished")
        if open_ or not over:
            return
        had_holds = bool(journal.holds(conn, mission_id))
    if had_holds:
        seal_bundle(services, actor, mission_id, "release")
    at = services.clock()
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission_id, lock=True)
        if mission.status == "completed":
            return
        store.change(
            conn, mission_id, at, status="completed", run_state="finished", completed_at=at
        )
        store.mark_stage(conn, mission_id, "Reflect", "completed", at=at)
        grants.enqueue_all(conn, store.get(conn, mission_id), at=at)
        seconds = int((at - mission.created_at).total_seconds())
        record(
            conn, actor, "mission_completed",
            {"total_duration_seconds": seconds, "outcome_summary": _counts(conn, mission)}, at=at,
            mission_id=mission_id, correlation_id=mission.correlation_id, stage="Reflect", status="success",
        )  # fmt: skip


def seal_bundle(services: Services, actor: Actor, mission_id: str, occasion: str) -> str:
    """Seal everything that proves what happened; returns the manifest's hash (MI-7)."""
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission_id)
        artifacts = _artifacts(conn, mission)
        previous = [row["manifest_sha256"] for row in bundles(conn, mission_id)]
    about = {
        "mission": mission_id,
        "occasion": occasion,
        "plan": mission.plan_digest,
        "previous": previous,
    }
    manifest, entries = seal(services.evidence, str(mission.tenant_id), artifacts, about)
    at = services.clock()
    with services.db.transaction(actor) as conn:
        _note_bundle(conn, actor, mission, occasion, manifest, entries, at)
    return manifest


def bundles(conn: Connection, mission_id: str) -> list[dict[str, Any]]:
    """Sealed bundles, oldest first."""
    rows = conn.execute(
        "select manifest_sha256, occasion, artifact_count, created_at from bundles where mission_id = %s"
        " order by number",
        (mission_id,),
    )
    names = ("manifest_sha256", "occasion", "artifact_count", "created_at")
    return [dict(zip(names, row, strict=True)) for row in rows]


def check(services: Services, mission: Mission, conn: Connection) -> list[dict[str, Any]]:
    """Re-hash every bundle of a mission: its manifest, its files, and what is damaged in them."""
    tenant = str(mission.tenant_id)
    return [
        {
            **row,
            "damage": [
                _as_dict(wrong)
                for wrong in verify(services.evidence, tenant, row["manifest_sha256"])
            ],
        }
        for row in bundles(conn, mission.id)
    ]


def contents(services: Services, mission: Mission, manifest: str) -> list[dict[str, Any]]:
    """Name, size, hash and media type of a bundle's artifacts; none when its manifest is damaged."""
    if damaged(services.evidence, str(mission.tenant_id), manifest):
        return []
    listed = manifest_of(services.evidence, str(mission.tenant_id), manifest)["artifacts"]
    return [{k: entry[k] for k in ("name", "size", "sha256", "media_type")} for entry in listed]


def feedback(
    conn: Connection, actor: Actor, services: Services, mission_id: str, *, rating: int,
    notes: str = "", hours: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What a person thought of it; ratings of four and more make a play a precedent."""
    mission = store.get(conn, mission_id, lock=True)
    if not 1 <= rating <= 5:
        raise BadInput("a rating is a number from 1 to 5")
    if mission.current_stage != "Reflect" and mission.run_state not in (
        "undone",
        "undone_partly",
        "undo_stopped",
    ):
        raise GateBlocked(
            f"the mission is in {mission.current_stage}; feedback is given in Reflect"
        )
    at = services.clock()
    conn.execute(
        "insert into feedback (tenant_id, mission_id, person_id, rating, effort_saved_hours, notes, given_at)"
        " values (%s, %s, %s, %s, %s, %s, %s) on conflict (mission_id, person_id) do update set"
        " rating = excluded.rating, effort_saved_hours = excluded.effort_saved_hours,"
        " notes = excluded.notes, given_at = excluded.given_at",
        (actor.tenant_id, mission.id, actor.person_id, rating, hours, without_secrets(notes), at),
    )
    record(
        conn, actor, "feedback_submitted",
        {"rating": rating} | ({} if hours is None else {"effort_saved_hours": hours}), at=at,
        mission_id=mission.id, correlation_id=mission.correlation_id, stage="Reflect",
    )  # fmt: skip
    return {"rating": rating}


def _counts(conn: Connection, mission: Mission) -> dict[str, int]:
    done = journal.entries(conn, mission.id)
    counts: dict[str, int] = {}
    for entry in done:
        if entry.state == "done":
            tool = entry.call.tool
            counts[tool] = counts.get(tool, 0) + 1
    return counts


def _kept(conn: Connection, mission_id: str) -> str:
    row = conn.execute(
        "select count(*) from findings where mission_id = %s", (mission_id,)
    ).fetchone()
    return f"{row[0] if row else 0} findings"


def _artifacts(conn: Connection, mission: Mission) -> list[Artifact]:
    """What a bundle holds (SECURITY.md says why which part is redacted).

    Plan, approval, brief and the arguments of calls are sealed as they are: digests bind them, and undo needs
    them. Prose about them is kept without credentials; events were redacted when they were recorded.
    """
    approval = plan_store.approval(conn, mission.id)
    plan = plan_store.plan(conn, mission.id, mission.plan_digest) if mission.plan_digest else None
    findings = conn.execute(
        "select rule, message, facts, found_at from findings where mission_id = %s order by id",
        (mission.id,),
    ).fetchall()
    events = conn.execute(
        "select id, event_type, stage, status, context, created_at from telemetry_events"
        " where mission_id = %s order by id",
        (mission.id,),
    ).fetchall()
    undone = conn.execute(
        "select s.undo_id, s.seq, s.status, s.difference, s.residue, s.why from undo_steps s"
        " join undo_runs r on r.id = s.undo_id where r.mission_id = %s order by r.number, s.seq desc",
        (mission.id,),
    ).fetchall()
    calls = [
        entry
        for purpose in ("read", "step", "release")
        for entry in journal.entries(conn, mission.id, purpose)
    ]
    return [
        Artifact("brief.json", "application/json", _json(mission.brief)),
        Artifact(
            "plan.json", "application/json", _json(plan.model_dump(mode="json") if plan else None)
        ),
        Artifact("approval.json", "application/json", _json(_approval(conn, mission.id, approval))),
        Artifact("calls.jsonl", "application/jsonl", _lines([_call(entry) for entry in calls])),
        Artifact(
            "findings.jsonl",
            "application/jsonl",
            _lines(without_secrets([list(row) for row in findings])),
        ),
        Artifact(
            "undo.jsonl",
            "application/jsonl",
            _lines(without_secrets([list(row) for row in undone])),
        ),
        Artifact("telemetry.jsonl", "application/jsonl", _lines([list(row) for row in events])),
    ]


def _approval(conn: Connection, mission_id: str, row: plan_store.ApprovalRow | None) -> Any:
    if row is None:
        return None
    return {
        "id": row.id, "digest": row.digest, "risk": row.risk, "required": row.required,
        "status": row.status, "requested_at": row.requested_at, "expires_at": row.expires_at,
        "consumed_at": row.consumed_at, "decisions": plan_store.decisions(conn, row.id),
        "tightenings": [
            {"safeguard": one.safeguard_id, "stands": one.guard.model_dump(mode="json"),
             "approval": one.approval_id, "reason": one.reason, "by": one.by, "at": one.at}
            for one in tightenings.of_mission(conn, mission_id)
        ],
    }  # fmt: skip


def _call(entry: journal.Entry) -> dict[str, Any]:
    return {
        "seq": entry.seq, "purpose": entry.purpose, "key": entry.key, "tool": entry.tool,
        "account": entry.account, "args": entry.args, "state": entry.state, "before": entry.before,
        "outcome": entry.outcome, "verdicts": entry.verdicts, "error": without_secrets(entry.error),
        "reconciled": entry.reconciled, "started_at": entry.started_at, "finished_at": entry.finished_at,
    }  # fmt: skip


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS, default=str)


def _lines(rows: list[Any]) -> bytes:
    return b"".join(
        orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE, default=str) for row in rows
    )


def _note_bundle(
    conn: Connection, actor: Actor, mission: Mission, occasion: str, manifest: str,
    entries: list[dict[str, Any]], at: datetime,
) -> None:  # fmt: skip
    common = {
        "at": at, "mission_id": mission.id, "correlation_id": mission.correlation_id,
        "stage": mission.current_stage,
    }  # fmt: skip
    conn.execute(
        "insert into bundles (manifest_sha256, tenant_id, mission_id, occasion, artifact_count, created_at)"
        " values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
        (manifest, actor.tenant_id, mission.id, occasion, len(entries), at),
    )
    for entry in entries:
        artifact_id = new_id("e")
        conn.execute(
            "insert into artifacts (id, tenant_id, mission_id, name, media_type, sha256, size_bytes, stage, created_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (artifact_id, actor.tenant_id, mission.id, entry["name"], entry["media_type"], entry["sha256"],
             entry["size"], mission.current_stage, at),
        )  # fmt: skip
        record(
            conn, actor, "artifact_published",
            {"artifact_id": artifact_id, "type": entry["media_type"], "hash": entry["sha256"]}, **common,
        )  # fmt: skip
    record(
        conn, actor, "evidence_bundle_generated",
        {"artifact_count": len(entries), "manifest_hash": manifest, "occasion": occasion}, **common,
    )  # fmt: skip


def _as_dict(wrong: Damage) -> dict[str, str]:
    return {
        "name": wrong.name,
        "part": wrong.part,
        "expected": wrong.expected,
        "found": wrong.found,
    }
