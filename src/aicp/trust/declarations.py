"""Tools that were met on connections: every query on tool_declarations and named_values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from psycopg.types.json import Jsonb

from aicp.kernel.db import Actor, Connection
from aicp.toolkits.catalogue import Catalogue, builtin, catalogue, from_json, to_json
from aicp.toolkits.model import ToolSpec
from aicp.trust.taint import value_digest


def remember(conn: Connection, actor: Actor, specs: Iterable[ToolSpec], *, at: datetime) -> None:
    """Keep declarations as connected providers make them; one is kept once."""
    for spec in {spec.ref: spec for spec in specs}.values():
        conn.execute(
            "insert into tool_declarations (tenant_id, ref, name, spec, seen_at) values (%s, %s, %s, %s, %s)"
            " on conflict do nothing",
            (actor.tenant_id, spec.ref, spec.name, Jsonb(to_json(spec)), at),
        )


def known(conn: Connection) -> Catalogue:
    """Every tool known to this tenant: of each name the declarations seen last, and the built-in ones."""
    rows = conn.execute(
        "select distinct on (name) spec from tool_declarations order by name, seen_at desc, ref"
    )
    return catalogue([*builtin(), *(from_json(dict(spec)) for (spec,) in rows)])  # type: ignore[call-overload]


def by_ref(conn: Connection, refs: Iterable[str]) -> dict[str, ToolSpec]:
    """The declarations that a plan is bound to; one that was never met is missing."""
    wanted = sorted(set(refs))
    rows = conn.execute("select spec from tool_declarations where ref = any(%s)", (wanted,))
    met = [from_json(dict(spec)) for (spec,) in rows]  # type: ignore[call-overload]
    own = [spec for spec in builtin() if spec.ref in wanted]
    return {spec.ref: spec for spec in (*own, *met)}


def name_values(
    conn: Connection, actor: Actor, mission_id: str, forms: Iterable[str], *, at: datetime
) -> None:
    """Keep that this person named these values for this mission."""
    for form in forms:
        conn.execute(
            "insert into named_values (tenant_id, mission_id, value_digest, value, person_id, named_at)"
            " values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
            (actor.tenant_id, mission_id, value_digest(form), form, actor.person_id, at),
        )


def named_values(conn: Connection, mission_id: str) -> dict[str, str]:
    """The values that people named for a mission, and who did."""
    rows = conn.execute(
        "select n.value, p.display_name from named_values n join people p on p.id = n.person_id"
        " where n.mission_id = %s order by n.named_at, n.value",
        (mission_id,),
    )
    return {str(value): str(name) for value, name in rows}
