"""Safeguards that people narrowed or added while a run was under way: every query on tightenings.

They stand beside the safeguards of one approval, until another approval takes its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from aicp.kernel.db import Actor, Connection
from aicp.trust.plan import Plan, Safeguard


@dataclass(frozen=True, slots=True)
class Tightening:
    """One row. `guard` stands under an id of its own; `safeguard_id` is the safeguard it narrows."""

    approval_id: str
    safeguard_id: str
    guard: Safeguard
    reason: str
    by: str
    at: datetime


def add(
    conn: Connection, actor: Actor, mission_id: str, approval_id: str, *, safeguard_id: str,
    guard: Safeguard, reason: str, at: datetime,
) -> None:  # fmt: skip
    """Let it stand with this commit. The caller holds the mission's row, which every intent waits for."""
    conn.execute(
        "insert into tightenings (tenant_id, mission_id, approval_id, safeguard_id, guard, reason, person_id,"
        " tightened_at) values (%s, %s, %s, %s, %s, %s, %s, %s)",
        (actor.tenant_id, mission_id, approval_id, safeguard_id, Jsonb(guard.model_dump(mode="json")),
         reason, actor.person_id, at),
    )  # fmt: skip
    conn.execute(
        "update missions set tightenings = tightenings + 1, updated_at = %s where id = %s",
        (at, mission_id),
    )


def of_mission(conn: Connection, mission_id: str) -> list[Tightening]:
    """Every one there ever was, oldest first."""
    rows: Any = conn.execute(
        "select t.approval_id, t.safeguard_id, t.guard, t.reason, p.display_name, t.tightened_at"
        " from tightenings t join people p on p.id = t.person_id where t.mission_id = %s order by t.number",
        (mission_id,),
    )
    return [
        Tightening(approval, about, Safeguard.model_validate(guard), reason, by, at)
        for approval, about, guard, reason, by, at in rows
    ]


def beside(conn: Connection, mission_id: str, approval_id: str) -> list[Tightening]:
    """Those that stand beside the safeguards of an approval, oldest first."""
    return [one for one in of_mission(conn, mission_id) if one.approval_id == approval_id]


def standing(rows: Any, approval_id: str) -> tuple[Safeguard, ...]:
    """The safeguards out of (approval id, safeguard) pairs, as the gate's own question brings them."""
    return tuple(Safeguard.model_validate(guard) for about, guard in rows if about == approval_id)


def folded(plan: Plan, tightened: Iterable[Tightening]) -> tuple[Safeguard, ...]:
    """The safeguards of a plan as they stand now: narrowed ones in their place, added ones at the end.

    Each tightening of a safeguard is narrower than those before it, so the last one says it all.
    """
    now = {guard.id: guard for guard in plan.safeguards}
    for one in tightened:
        now[one.safeguard_id] = one.guard.model_copy(update={"id": one.safeguard_id})
    return tuple(now.values())
