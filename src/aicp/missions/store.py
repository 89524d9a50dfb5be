"""Every query on missions, their stages, acknowledgements, connections and inspections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from aicp.brain.brief import Brief, ReadRequest
from aicp.errors import BadInput, NotFound
from aicp.kernel.db import Actor, Connection
from aicp.missions.lifecycle import STAGES, Stage
from aicp.toolkits.model import Resource, resource_from
from aicp.toolkits.providers.base import Connection as ToolConnection
from aicp.toolkits.providers.base import ProviderError


@dataclass(frozen=True, slots=True)
class Mission:
    id: str
    tenant_id: UUID
    title: str
    intent: str
    owner_id: UUID
    owner_name: str
    owner_roles: list[str]
    status: str
    current_stage: Stage
    readiness: str
    run_state: str
    blocking_reason: str
    priority: int
    correlation_id: str
    bd_issue: str  # "" when it is about none
    brain: str
    brief: dict[str, Any] | None
    brief_version: int
    brief_locked_at: datetime | None
    coverage_percent: float | None
    plan_digest: str | None
    cursor_seq: int
    step_count: int
    stumbles: int
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    undo_until: datetime | None
    driver: str = "self"  # who makes the approved calls: our executor, or the agent of a token
    offered: dict[str, Any] | None = (
        None  # {"plan", "source", "where"}: handed in, not planned here
    )

    @property
    def understanding(self) -> Brief | None:
        return Brief.model_validate(self.brief["brief"]) if self.brief else None

    @property
    def accepted(self) -> frozenset[str]:
        return frozenset(self.brief["accepted"]) if self.brief else frozenset()

    def agent(self, name: str) -> Actor:
        """An agent acting with the owner's identity, never more (domain.md 10)."""
        return Actor(self.tenant_id, self.owner_id, tuple(self.owner_roles), self.owner_name, name)


_MISSION = (
    "m.id, m.tenant_id, m.title, m.intent, m.owner_id, p.display_name as owner_name,"
    " p.roles as owner_roles, m.status, m.current_stage, m.readiness, m.run_state, m.blocking_reason,"
    " m.priority, m.correlation_id, m.bd_issue, m.brain, m.brief, m.brief_version, m.brief_locked_at,"
    " m.coverage_percent::float8 as coverage_percent, m.plan_digest, m.cursor_seq, m.step_count, m.stumbles,"
    " m.created_at, m.updated_at, m.completed_at, m.undo_until, m.driver, m.offered"
)


def add(
    conn: Connection, actor: Actor, *, mission_id: str, title: str, intent: str, priority: int,
    correlation_id: str, at: datetime, issue: str = "", driver: str = "self",
    offered: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    conn.execute(
        "insert into missions (id, tenant_id, title, intent, owner_id, status, current_stage, readiness,"
        " priority, correlation_id, bd_issue, created_at, updated_at, driver, offered)"
        " values (%s, %s, %s, %s, %s, 'draft', 'Home', 'unknown', %s, %s, %s, %s, %s, %s, %s)",
        (
            mission_id,
            actor.tenant_id,
            title,
            intent,
            actor.person_id,
            priority,
            correlation_id,
            issue,
            at,
            at,
            driver,
            Jsonb(offered) if offered is not None else None,
        ),
    )
    for stage in STAGES:
        conn.execute(
            "insert into mission_stages (tenant_id, mission_id, stage, status, started_at)"
            " values (%s, %s, %s, %s, %s)",
            (actor.tenant_id, mission_id, stage, "in_progress" if stage == "Home" else "pending",
             at if stage == "Home" else None),
        )  # fmt: skip


def get(conn: Connection, mission_id: str, *, lock: bool = False) -> Mission:
    """One mission by id or by an unambiguous beginning of it.

    Raises:
        NotFound: there is none the asker may see.
        BadInput: the beginning fits several.
    """
    rows = (
        conn.cursor(row_factory=class_row(Mission))
        .execute(
            f"select {_MISSION} from missions m join people p on p.id = m.owner_id"
            " where m.id = %s or starts_with(m.id, %s) order by m.id = %s desc limit 2"
            + (
                " for no key update of m" if lock else ""
            ),  # rows that refer to it may still be added
            (mission_id, mission_id, mission_id),
        )
        .fetchall()
    )
    if not rows or not mission_id:
        raise NotFound(
            f"there is no mission {mission_id or '(empty id)'}", hint="see `aicp mission list`"
        )
    if len(rows) > 1 and rows[0].id != mission_id:
        raise BadInput(f"{mission_id} fits several missions", hint="type more of the id")
    return rows[0]


def recent(
    conn: Connection, *, limit: int = 50, stage: str | None = None, status: str | None = None
) -> list[Mission]:
    """The newest missions first."""
    return (
        conn.cursor(row_factory=class_row(Mission))
        .execute(
            f"select {_MISSION} from missions m join people p on p.id = m.owner_id"
            " where (%(stage)s::text is null or m.current_stage = %(stage)s)"
            " and (%(status)s::text is null or m.status = %(status)s)"
            " order by m.created_at desc limit %(limit)s",
            {"stage": stage, "status": status, "limit": limit},
        )
        .fetchall()
    )


def change(conn: Connection, mission_id: str, at: datetime, **columns: Any) -> None:
    """Set columns of a mission. The names are ours, never a caller's input."""
    if unknown := columns.keys() - _CHANGEABLE:
        raise KeyError(f"not columns of a mission: {unknown}")
    names = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in columns
    )
    conn.execute(
        sql.SQL("update missions set {}, updated_at = %(at)s where id = %(id)s").format(names),
        {**columns, "at": at, "id": mission_id},
    )


_CHANGEABLE = frozenset({
    "status", "current_stage", "readiness", "run_state", "blocking_reason", "coverage_percent",
    "plan_digest", "step_count", "stumbles", "brief_locked_at", "completed_at", "undo_until",
})  # fmt: skip


def save_brief(
    conn: Connection, mission_id: str, brief: Brief, accepted: frozenset[str], *, at: datetime
) -> None:
    """A new version of the brief; older acknowledgements no longer count (TR-7)."""
    conn.execute(
        "update missions set brief = %s, brief_version = brief_version + 1, brain = %s,"
        " brief_locked_at = null, updated_at = %s where id = %s",
        (Jsonb({"brief": brief.model_dump(mode="json"), "accepted": sorted(accepted)}), brief.brain, at,
         mission_id),
    )  # fmt: skip


def save_offer(conn: Connection, mission_id: str, offered: dict[str, Any], *, at: datetime) -> None:
    """Keep what was handed in; a later proposal replaces an earlier one."""
    conn.execute(
        "update missions set offered = %s, updated_at = %s where id = %s",
        (Jsonb(offered), at, mission_id),
    )


# Stages ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StageRow:
    stage: Stage
    status: str
    blocking_reason: str
    output: dict[str, Any] | None
    started_at: datetime | None
    completed_at: datetime | None


def stages(conn: Connection, mission_id: str) -> list[StageRow]:
    rows = (
        conn.cursor(row_factory=class_row(StageRow))
        .execute(
            "select stage, status, blocking_reason, output, started_at, completed_at"
            " from mission_stages where mission_id = %s",
            (mission_id,),
        )
        .fetchall()
    )
    return sorted(rows, key=lambda row: STAGES.index(row.stage))


def mark_stage(
    conn: Connection, mission_id: str, stage: Stage, status: str, *, at: datetime, reason: str = "",
    output: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    conn.execute(
        "update mission_stages set status = %(status)s, blocking_reason = %(reason)s,"
        " output = coalesce(%(output)s, output),"
        " started_at = case when %(status)s = 'pending' then null else coalesce(started_at, %(at)s) end,"
        " completed_at = case when %(status)s = 'completed' then %(at)s::timestamptz end"
        " where mission_id = %(id)s and stage = %(stage)s",
        {"status": status, "reason": reason, "output": Jsonb(output) if output is not None else None,
         "at": at, "id": mission_id, "stage": stage},
    )  # fmt: skip


# Acknowledgements -----------------------------------------------------------------------------


def acks(conn: Connection, mission_id: str, version: int) -> list[dict[str, Any]]:
    rows = conn.execute(
        "select a.capacity, a.person_id, p.display_name, a.acknowledged_at from safeguard_acks a"
        " join people p on p.id = a.person_id"
        " where a.mission_id = %s and a.brief_version = %s order by a.acknowledged_at",
        (mission_id, version),
    )
    return [
        {"capacity": c, "person_id": str(person), "name": name, "at": at}
        for c, person, name, at in rows
    ]


def add_ack(
    conn: Connection, actor: Actor, mission: Mission, capacity: str, *, at: datetime
) -> None:
    conn.execute(
        "insert into safeguard_acks (tenant_id, mission_id, brief_version, person_id, capacity, acknowledged_at)"
        " values (%s, %s, %s, %s, %s, %s)",
        (actor.tenant_id, mission.id, mission.brief_version, actor.person_id, capacity, at),
    )


# Connections and inspections ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    toolkit: str
    account: str
    provider: str
    config: dict[str, Any]
    resource: dict[str, Any] | None
    problem: str
    requested_scopes: list[str]
    granted_scopes: list[str]
    used_scopes: list[str]
    auth: str
    auth_ref: str
    failed_scopes: list[str]
    wanted_scopes: dict[str, str]

    def opened_with(self, work_dir: Path) -> ToolConnection:
        """The connection to open a provider with.

        Raises:
            ProviderError: a path that was judged when the mission was made leads elsewhere now.
        """
        for name in ("path", "folder", "delivered"):
            path = Path(self.config.get(name) or "/")
            if path.resolve() != path:
                raise ProviderError(
                    f"{path} is a link now and leads to another place",
                    hint="put the file back, or start a new mission on the other one",
                )
        granted = self.auth_ref and self.auth == "active"  # a link that is still open opens nothing
        config = self.config | ({"auth_ref": self.auth_ref} if granted else {})
        return ToolConnection(self.toolkit, self.account, config, work_dir, self.provider)

    @property
    def described(self) -> Resource | None:
        return resource_from(self.resource) if self.resource else None


def add_connection(conn: Connection, actor: Actor, mission_id: str, made: ToolConnection) -> None:
    conn.execute(
        "insert into connections (tenant_id, mission_id, toolkit, account, provider, config)"
        " values (%s, %s, %s, %s, %s, %s)",
        (
            actor.tenant_id,
            mission_id,
            made.toolkit,
            made.account,
            made.provider,
            Jsonb(made.config),
        ),
    )


def connections(conn: Connection, mission_id: str) -> list[ConnectionRow]:
    return (
        conn.cursor(row_factory=class_row(ConnectionRow))
        .execute(
            "select toolkit, account, provider, config, resource, problem, requested_scopes, granted_scopes, used_scopes,"
            " auth, auth_ref, failed_scopes, wanted_scopes from connections where mission_id = %s order by toolkit, account",
            (mission_id,),
        )
        .fetchall()
    )


def describe_connection(
    conn: Connection,
    mission_id: str,
    account: str,
    resource: Resource | None,
    problem: str,
    *,
    at: datetime,
) -> None:
    conn.execute(
        "update connections set resource = %s, problem = %s, inspected_at = %s where mission_id = %s and account = %s",
        (Jsonb(asdict(resource)) if resource else None, problem, at, mission_id, account),
    )


def request_scopes(conn: Connection, mission_id: str, account: str, scopes: Sequence[str]) -> None:
    """Where no sign-in is needed, these scopes are granted as they are asked for.

    What a person signed in to keeps what that person was asked for.
    """
    conn.execute(
        "update connections set requested_scopes = %(scopes)s, granted_scopes = %(scopes)s"
        " where mission_id = %(mission)s and account = %(account)s and auth = 'none'",
        {"scopes": sorted(scopes), "mission": mission_id, "account": account},
    )


def replace_inspections(
    conn: Connection, actor: Actor, mission_id: str,
    reads: Sequence[tuple[ReadRequest, dict[str, Any], str]], *, at: datetime,
) -> None:  # fmt: skip
    """Keep what was read, with the data version it was read at, instead of any earlier reads."""
    conn.execute("delete from inspections where mission_id = %s", (mission_id,))
    for request, result, version in reads:
        conn.execute(
            "insert into inspections (tenant_id, mission_id, read_id, account, tool, args, purpose, result,"
            " row_count, data_version, read_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (actor.tenant_id, mission_id, request.id, request.account, request.tool, Jsonb(request.args),
             request.purpose, Jsonb(result), row_count(result), version, at),
        )  # fmt: skip


def row_count(result: dict[str, Any]) -> int:
    """How many rows a read gave: listed, or only counted."""
    rows = result.get("rows", ())
    return rows if isinstance(rows, int) else len(rows)


@dataclass(frozen=True, slots=True)
class Inspection:
    read_id: str
    account: str
    tool: str
    args: dict[str, Any]
    purpose: str
    result: dict[str, Any]
    row_count: int
    data_version: str


def inspections(conn: Connection, mission_id: str) -> list[Inspection]:
    return (
        conn.cursor(row_factory=class_row(Inspection))
        .execute(
            "select read_id, account, tool, args, purpose, result, row_count, data_version"
            " from inspections where mission_id = %s order by read_id",
            (mission_id,),
        )
        .fetchall()
    )
