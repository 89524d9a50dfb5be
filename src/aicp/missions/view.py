"""What a person may know about a mission, as one JSON-able document for API, console and commands."""

from __future__ import annotations

from typing import Any

from aicp.kernel.db import Connection
from aicp.missions import approve, followups, lifecycle, plan_store, reflect, store, tighten, undo
from aicp.missions.store import Mission
from aicp.trust import journal

BANDS = ((0.8, "High"), (0.5, "Medium"), (0.0, "Needs review"))


def summary(mission: Mission) -> dict[str, Any]:
    """One row of a list."""
    return {
        "id": mission.id, "title": mission.title, "issue": mission.bd_issue or None, "owner": mission.owner_name,
        "owner_id": str(mission.owner_id), "status": mission.status,
        "stage": mission.current_stage, "readiness": mission.readiness, "run_state": mission.run_state,
        "blocking_reason": mission.blocking_reason, "priority": mission.priority,
        "coverage_percent": mission.coverage_percent, "step": mission.cursor_seq, "steps": mission.step_count,
        "created_at": mission.created_at, "updated_at": mission.updated_at,
        "completed_at": mission.completed_at, "undo_until": mission.undo_until,
        "correlation_id": mission.correlation_id, "driver": mission.driver,
        "next": next_command(mission),
    }  # fmt: skip


def document(conn: Connection, mission: Mission) -> dict[str, Any]:
    """Everything about one mission, in the order of its stages."""
    row = plan_store.approval(conn, mission.id)
    plan = plan_store.plan(conn, mission.id, mission.plan_digest) if mission.plan_digest else None
    # A run whose request was declined keeps its plan; the sheet is that of the request.
    asked = plan_store.plan(conn, mission.id, row.digest) if row and plan else None
    return {
        **summary(mission),
        "intent": mission.intent,
        "stages": [_stage(s) for s in store.stages(conn, mission.id)],
        "brief": _brief(conn, mission),
        "connections": _connections(conn, mission),
        "inspections": [_inspection(i) for i in store.inspections(conn, mission.id)],
        "reads": [_read(e) for e in journal.entries(conn, mission.id, "read")[-100:]],
        "plays": plan_store.plays(conn, mission.id),
        "approval": approve.sheet(conn, mission, row, asked) if row and asked else None,
        "safeguards": tighten.listed(conn, mission),
        "run": _run(conn, mission, plan.play.steps if plan else ()),
        "undo": undo.history(conn, mission.id),
        "findings": findings(conn, mission.id),
        "bundles": reflect.bundles(conn, mission.id),
        "feedback": _feedback(conn, mission.id),
        "followups": followups.of_mission(conn, mission.id),
    }


def next_command(mission: Mission) -> str:
    """The command that moves this mission on, or "" when only waiting helps."""
    if mission.status == "blocked" and mission.readiness == "needs_auth":
        return f"aicp mission connect {mission.id}"
    key = (
        "blocked"
        if mission.status == "blocked"
        and mission.run_state not in ("undo_stopped", "undone_partly")
        else mission.current_stage
    )
    if mission.run_state in ("undone", "undoing") or mission.status == "completed":
        return f"aicp mission evidence {mission.id}"
    if mission.run_state in ("stopped", "undo_stopped", "undone_partly"):
        return f"aicp mission undo {mission.id}"
    if key == "Plan" and mission.driver == "agent" and not (mission.offered or {}).get("plan"):
        return f"aicp mission token {mission.id}"
    commands = {
        "blocked": f"aicp mission resume {mission.id}",
        "Define": f"aicp mission ack {mission.id}",
        "Prepare": f"aicp mission watch {mission.id}",
        "Plan": f"aicp mission plan {mission.id} --select 1",
        "Approve": f"aicp mission approve {mission.id}",
        "Execute": f"aicp mission watch {mission.id}",
        "Reflect": f"aicp mission feedback {mission.id} --rating 5",
    }
    return commands.get(key, "")


def band(confidence: float) -> str:
    """High, Medium or Needs review (domain.md 2)."""
    return next(word for floor, word in BANDS if confidence >= floor)


def events(
    conn: Connection, mission_id: str | None, *, after: int, limit: int = 500
) -> list[dict[str, Any]]:
    """Telemetry events after an id, oldest first; all the tenant's when no mission is named."""
    rows = conn.execute(
        "select id, event_type, stage, status, context, mission_id, agent_name, correlation_id, created_at"
        " from telemetry_events where id > %s and (%s::text is null or mission_id = %s) order by id limit %s",
        (after, mission_id, mission_id, limit),
    )
    names = (
        "id",
        "event",
        "stage",
        "status",
        "context",
        "mission_id",
        "agent",
        "correlation_id",
        "at",
    )
    return [dict(zip(names, row, strict=True)) for row in rows]


def findings(conn: Connection, mission_id: str) -> list[dict[str, Any]]:
    rows = conn.execute(
        "select rule, message, facts, found_at from findings where mission_id = %s order by id",
        (mission_id,),
    )
    return [dict(zip(("rule", "message", "facts", "at"), row, strict=True)) for row in rows]


def _stage(row: store.StageRow) -> dict[str, Any]:
    return {
        "stage": row.stage, "status": row.status, "blocking_reason": row.blocking_reason,
        "output": row.output, "started_at": row.started_at, "completed_at": row.completed_at,
    }  # fmt: skip


def _brief(conn: Connection, mission: Mission) -> dict[str, Any] | None:
    brief = mission.understanding
    if brief is None:
        return None
    data = brief.model_dump(mode="json")
    for chip in data["chips"]:
        chip["band"] = band(chip["confidence"])
        chip["accepted"] = chip["id"] in mission.accepted
    return {
        **data, "version": mission.brief_version, "locked_at": mission.brief_locked_at,
        "gaps": list(lifecycle.brief_gaps(brief, mission.accepted)),
        "acknowledgements": store.acks(conn, mission.id, mission.brief_version),
    }  # fmt: skip


def _connections(conn: Connection, mission: Mission) -> list[dict[str, Any]]:
    links = conn.execute(
        "select distinct on (account) account, url, status, why, expires_at from connect_links"
        " where mission_id = %s order by account, number desc",
        (mission.id,),
    ).fetchall()
    newest = {
        str(row[0]): dict(zip(("url", "status", "why", "expires_at"), row[1:], strict=True))
        for row in links
    }
    return [
        _connection(row) | {"link": newest.get(row.account)}
        for row in store.connections(conn, mission.id)
    ]


def _connection(row: store.ConnectionRow) -> dict[str, Any]:
    resource = row.described
    return {
        "toolkit": row.toolkit, "account": row.account, "provider": row.provider, "problem": row.problem,
        "auth": row.auth, "wanted": row.wanted_scopes,
        "sandbox": bool(resource and resource.facts.get("sandbox")),
        "title": resource.title if resource else row.account,
        "rows": resource.rows if resource else None,
        "columns": [{"name": c.name, "kind": c.kind} for c in resource.columns] if resource else [],
        "scopes": {"requested": row.requested_scopes, "granted": row.granted_scopes, "used": row.used_scopes,
                   "failed": row.failed_scopes},
    }  # fmt: skip


def _inspection(row: store.Inspection) -> dict[str, Any]:
    """Counts and a few rows; the whole result stays in the database."""
    listed = row.result.get("rows", [])
    rows = listed if isinstance(listed, list) else []
    return {
        "id": row.read_id, "account": row.account, "tool": row.tool, "purpose": row.purpose,
        "rows": store.row_count(row.result), "matched": row.result.get("matched"), "excluded": row.result.get("excluded"),
        "sample": rows[:5],
    }  # fmt: skip


def _read(entry: journal.Entry) -> dict[str, Any]:
    """A read that somebody's agent made; of its result only size and hash are kept."""
    return {
        "tool": entry.call.tool, "account": entry.account, "args": entry.args, "state": entry.state,
        "result": entry.outcome["data"] if entry.outcome else None, "at": entry.started_at,
    }  # fmt: skip


def _run(conn: Connection, mission: Mission, steps: Any) -> dict[str, Any]:
    """The journal beside the plan: every step, done or not, with its verdicts and its hold."""
    rows: dict[int, journal.Entry] = {e.seq: e for e in journal.entries(conn, mission.id)}
    holds = journal.holds(conn, mission.id)
    releases = {e.seq: e for e in journal.entries(conn, mission.id, "release")}
    return {
        "state": mission.run_state,
        "cursor": mission.cursor_seq,
        "steps": [
            {
                "seq": s.seq, "tool": s.tool_name, "account": s.account, "group": s.group, "subject": s.subject,
                "effect": s.effect, "undo_tier": s.undo_tier.value, "undo": s.undo,
                **_call(rows.get(s.seq)),
                "hold": _hold(holds.get(s.seq), releases.get(s.seq)),
            }
            for s in steps
        ],
    }  # fmt: skip


def _call(entry: journal.Entry | None) -> dict[str, Any]:
    if entry is None:
        return {
            "state": "pending",
            "verdicts": {},
            "error": "",
            "reconciled": False,
            "at": None,
            "ms": None,
        }
    took = entry.finished_at - entry.started_at if entry.finished_at else None
    return {
        "state": entry.state, "verdicts": entry.verdicts, "error": entry.error, "reconciled": entry.reconciled,
        "at": entry.finished_at or entry.started_at,
        "ms": round(took.total_seconds() * 1000, 1) if took else None,
    }  # fmt: skip


def _hold(hold: tuple[Any, str] | None, release: journal.Entry | None) -> dict[str, Any] | None:
    if hold is None:
        return None
    return {"due_at": hold[0], "state": hold[1], "error": release.error if release else ""}


def _feedback(conn: Connection, mission_id: str) -> list[dict[str, Any]]:
    rows = conn.execute(
        "select p.display_name, f.rating, f.notes, f.effort_saved_hours::float8, f.given_at from feedback f"
        " join people p on p.id = f.person_id where f.mission_id = %s order by f.given_at",
        (mission_id,),
    )
    return [dict(zip(("by", "rating", "notes", "hours", "at"), row, strict=True)) for row in rows]
