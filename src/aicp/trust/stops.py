"""Kill switches: stop the calls of a mission, a toolkit, a tenant or the whole system at once.

A pulled switch is looked at in the transaction that writes an intent and again right before the call
leaves, so it holds for every call that is not under way. Undo is never stopped: it is the way back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from aicp.errors import BadInput, Conflict, Forbidden, NotFound
from aicp.kernel.db import Actor, Connection, Database
from aicp.kernel.ids import new_id
from aicp.telemetry.record import record

Scope = Literal["mission", "toolkit", "tenant", "system"]
MAY_PULL = frozenset({"admin", "security_lead", "oncall"})
MAY_LIFT = frozenset({"admin", "governance"})
REASON = 500  # characters at most


@dataclass(frozen=True, slots=True)
class Switch:
    """One pulled switch, as a person may see it."""

    id: str
    scope: Scope
    mission_id: str | None
    toolkit: str
    reason: str
    pulled_by: str | None  # a name of the own tenant; None for somebody of another
    pulled_at: datetime
    ours: bool  # pulled in this tenant, so it may be lifted here

    @property
    def target(self) -> str:
        return named(self.scope, self.toolkit or self.mission_id or "")


def named(scope: str, target: str) -> str:
    """What a switch stops, in words: "toolkit gmail", "the whole system"."""
    whole = {"tenant": "this tenant", "system": "the whole system"}
    return whole.get(scope) or f"{scope} {target}"


def pulled(conn: Connection) -> list[Switch]:
    """The switches that are pulled and concern the asker's tenant, the widest first."""
    return (
        conn.cursor(row_factory=class_row(Switch))
        .execute(
            "select k.id, k.scope, k.mission_id, k.toolkit, k.reason, p.display_name as pulled_by,"
            " k.pulled_at, k.tenant_id = app.tenant_id() as ours from kill_switches k"
            " left join people p on p.id = k.pulled_by where k.lifted_at is null"
            " order by array_position(array['system', 'tenant', 'toolkit', 'mission'], k.scope), k.number"
        )
        .fetchall()
    )


def pull(
    conn: Connection, actor: Actor, *, scope: Scope, target: str, reason: str, at: datetime
) -> str:
    """Stop every call in the scope that has not left yet; returns the switch's id.

    Args:
        target: the mission's id (or an unambiguous beginning) or the toolkit's name; "" for wider scopes.

    Raises:
        Forbidden: only administrators, the security lead and on-call pull.
        BadInput: no reason, or no target where one is needed.
        NotFound: there is no such mission.
        Conflict: it is pulled already.
    """
    if not MAY_PULL & set(actor.roles):
        raise Forbidden("only administrators, the security lead and on-call pull a kill switch")
    said, target = _reason(reason), target.strip()
    if bool(target) is not (scope in ("mission", "toolkit")):
        raise BadInput(f"a switch of scope {scope} takes {'a' if not target else 'no'} target")
    mission = _mission(conn, target) if scope == "mission" else None
    toolkit = target if scope == "toolkit" else ""
    switch_id = new_id("k")
    try:
        conn.execute(
            "insert into kill_switches (id, tenant_id, scope, mission_id, toolkit, reason, pulled_by,"
            " pulled_at) values (%s, %s, %s, %s, %s, %s, %s, %s)",
            (switch_id, actor.tenant_id, scope, mission, toolkit, said, actor.person_id, at),
        )
    except psycopg.errors.UniqueViolation:
        raise Conflict(
            f"the kill switch of {named(scope, target)} is pulled already",
            hint="see `aicp kill status`",
        ) from None
    record(
        conn, actor, "kill_switch_pulled", {"scope": scope, "toolkit": toolkit}, at=at,
        mission_id=mission, status="warning",
    )  # fmt: skip
    return switch_id


def lift(
    conn: Connection, actor: Actor, *, scope: Scope, target: str, reason: str, at: datetime
) -> list[str]:
    """Let calls be made again; returns the missions it had paused, which a person resumes.

    Raises:
        Forbidden: only governance and administrators lift, and only what was pulled in their tenant.
        BadInput: no reason is given.
        NotFound: no such switch is pulled here.
    """
    if not MAY_LIFT & set(actor.roles):
        raise Forbidden("only governance and administrators lift a kill switch")
    said, target = _reason(reason), target.strip()
    mission = _mission(conn, target) if scope == "mission" else None
    toolkit = target if scope == "toolkit" else ""
    row = conn.execute(
        "update kill_switches set lifted_by = %s, lifted_at = %s, lift_reason = %s"
        " where lifted_at is null and tenant_id = %s and scope = %s and toolkit = %s"
        " and mission_id is not distinct from %s returning id",
        (actor.person_id, at, said, actor.tenant_id, scope,
         toolkit, mission),
    ).fetchone()  # fmt: skip
    if row is None:
        raise NotFound(
            f"no kill switch of {named(scope, target)} is pulled here",
            hint="see `aicp kill status`; a switch of another tenant is lifted there",
        )
    record(
        conn, actor, "kill_switch_lifted", {"scope": scope, "toolkit": toolkit}, at=at,
        mission_id=mission, status="warning",
    )  # fmt: skip
    return _paused_by(conn, str(row[0]))


def sentence(found: dict[str, Any], mission_id: str) -> str:
    """Why a call is stopped, from what `app.stop` gave."""
    target = named(str(found["scope"]), str(found["toolkit"] or mission_id))
    return f"the kill switch of {target} is pulled: {found['reason']}"


def standing(db: Database, actor: Actor, mission_id: str, toolkit: str) -> dict[str, Any] | None:
    """The switch that stops a call now, looked up in one round trip; None when none does."""
    row = db.look(actor, sql.SQL("select app.stop({}, {})").format(mission_id, toolkit))
    return row[0] if row and isinstance(row[0], dict) else None


def _reason(text: str) -> str:
    said = text.strip()
    if not said or len(said) > REASON or not said.isprintable():
        raise BadInput(
            f"a kill switch needs a reason of one line, at most {REASON} characters",
            hint="say it with --reason",
        )
    return said


def _mission(conn: Connection, target: str) -> str:
    rows = conn.execute(
        "select id from missions where id = %s or starts_with(id, %s) order by id = %s desc limit 2",
        (target, target, target),
    ).fetchall()
    if not target or not rows:
        raise NotFound(
            f"there is no mission {target or '(empty id)'}", hint="see `aicp mission list`"
        )
    if len(rows) > 1 and rows[0][0] != target:
        raise BadInput(f"{target} fits several missions", hint="type more of the id")
    return str(rows[0][0])


def _paused_by(conn: Connection, switch_id: str) -> list[str]:
    rows = conn.execute(
        "select m.id from missions m where m.run_state = 'paused' and exists (select 1 from findings f"
        " where f.mission_id = m.id and f.rule = 'kill-switch' and f.facts ->> 'switch' = %s)"
        " order by m.priority, m.created_at",
        (switch_id,),
    )
    return [str(row[0]) for row in rows]
