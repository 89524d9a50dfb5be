"""What a mission's calls are judged by besides its plan: policies, named values, sequence rules."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from aicp.errors import BadInput, Forbidden, GateBlocked
from aicp.kernel.db import Actor, Connection
from aicp.missions import store
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.toolkits.catalogue import catalogue
from aicp.toolkits.providers.base import Provider
from aicp.trust import declarations, taint
from aicp.trust.approvals import Decider
from aicp.trust.operator_rules import Rules
from aicp.trust.plan import Plan, Play
from aicp.trust.policy import Who
from aicp.trust.sequences import Deed, broken_in, deed

MOST_NAMED = 1000  # values at a time


def rules_for(
    services: Services,
    actor: Actor,
    mission: Mission,
    plan: Plan,
    providers: Mapping[str, Provider],
) -> Rules:
    """The operator's rules as the run of this plan meets them."""
    met = [spec for provider in providers.values() for spec in provider.tools()]
    with services.db.transaction(actor) as conn:
        known = declarations.known(conn)
        return Rules(
            book=services.rulebook, who=who(conn, mission, plan.play.risk),
            tools=catalogue([*known.specs, *met]), words=words(mission),
            handed=handed_over(conn, mission.id), prepared=prepared(conn, mission.id),
        )  # fmt: skip


def who(conn: Connection, mission: Mission, risk: str) -> Who:
    """The mission as the principal of policies."""
    row = conn.execute("select slug from tenants where id = %s", (mission.tenant_id,)).fetchone()
    tenant = str(row[0]) if row else str(mission.tenant_id)
    return Who(
        mission.id, tenant, mission.owner_name, tuple(mission.owner_roles), mission.priority, risk
    )


def words(mission: Mission) -> str:
    """What people said themselves."""
    return mission.intent


def handed_over(conn: Connection, mission_id: str) -> frozenset[str]:
    """The accounts whose tools are all known and return no strangers' words: lists people gave."""
    known = declarations.known(conn).specs
    names = {spec.name for spec in known} - {spec.name for spec in known if spec.untrusted}
    return frozenset(
        row.account
        for row in store.connections(conn, mission_id)
        if row.described is not None and names.issuperset(row.described.tools)
    )


def prepared(conn: Connection, mission_id: str) -> tuple[Deed, ...]:
    """What was read while the mission was prepared."""
    specs = {spec.name: spec for spec in declarations.known(conn).specs}
    found = {(one.tool, one.account) for one in store.inspections(conn, mission_id)}
    return tuple(
        Deed(
            0, tool, account, specs[tool].scope if tool in specs else "", mutates=False,
            leaves=False, state="prepared",
        )
        for tool, account in sorted(found)
    )  # fmt: skip


def refuse_sequence(conn: Connection, services: Services, mission: Mission, play: Play) -> None:
    """A plan whose steps break a sequence rule is not put to people at all.

    Raises:
        GateBlocked: it does; both steps are named.
    """
    rules = services.rulebook.sequences()
    if rules.problem:
        raise GateBlocked(
            f"the sequence rules cannot be used: {rules.problem}",
            hint="mend sequences.toml in the policies folder; `aicp policy check` tells more",
        ).on(mission.id, "sequence")
    specs = declarations.by_ref(conn, (step.tool for step in play.steps))
    steps = [deed(step, specs.get(step.tool)) for step in play.steps]
    found = broken_in(rules.rules, prepared(conn, mission.id), steps)
    if found:
        raise GateBlocked(
            f"the plan cannot be used: {found[0].why}",
            hint="choose another play, or give the two to different missions",
            code="sequence",
            facts={"reasons": [one.why for one in found]},
        ).on(mission.id, f"sequence:{found[0].rule.id}")


def unnamed(conn: Connection, mission: Mission, plan: Plan) -> list[dict[str, Any]]:
    """Values of strangers that a person must name before the plan may be approved, each once."""
    steps = plan.play.steps
    specs = declarations.by_ref(conn, (step.tool for step in steps))
    named = frozenset(declarations.named_values(conn, mission.id))
    said = taint.said(words(mission), steps, named)
    found = taint.unnamed(
        steps, specs, said, handed_over(conn, mission.id), _heard(conn, mission.id)
    )
    by_value: dict[str, dict[str, Any]] = {}
    for one in found:
        told = {"value": one.value, "first_seen": one.first_seen, "steps": [], "arguments": []}
        entry = by_value.setdefault(one.value, told)
        entry["steps"].append(one.step)
        entry["arguments"].append(one.argument)
    return list(by_value.values())


def refuse_unnamed(conn: Connection, mission: Mission, plan: Plan) -> None:
    """No approval while a stranger's value would decide who, where or how much.

    Raises:
        GateBlocked: values must be named first; they are listed with where each was first seen.
    """
    left = unnamed(conn, mission, plan)
    if not left:
        return
    told = [
        f"step {one['steps'][0]} {one['arguments'][0]}: {one['value']}, first seen in {one['first_seen']}"
        for one in left
    ]
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    raise GateBlocked(
        f"a value from untrusted content must be named by a person first: '{left[0]['value'][:120]}'"
        f" (first seen in {left[0]['first_seen']}){more}",
        hint=f"if it is right: aicp mission approve {mission.id} --name '{left[0]['value'][:120]}'",
        code="untrusted-value",
        facts={"unnamed": left, "reasons": ["", *told]},
    ).on(mission.id, "untrusted-value")


def name_values(
    conn: Connection, actor: Actor, services: Services, mission: Mission, values: Iterable[str], *,
    decider: Decider,
) -> list[str]:  # fmt: skip
    """Keep that this person names these values for this mission; returns them as they are compared.

    Raises:
        Forbidden: the person has no say in the mission.
        BadInput: a value is empty, or there are too many.
    """
    given = list(values)
    if not decider.capacities:
        raise Forbidden("you have no say in this mission, so you cannot name a value for it")
    if len(given) > MOST_NAMED or any(not one.strip() for one in given):
        raise BadInput(f"name from 1 to {MOST_NAMED} values, none of them empty")
    both = (form for one in given for form in (one.strip(), taint.same_form(one)))
    forms = list(dict.fromkeys(both))  # as an address, and to the letter where it is no recipient
    declarations.name_values(conn, actor, mission.id, forms, at=services.clock())
    return [taint.same_form(one) for one in given]


def _heard(conn: Connection, mission_id: str) -> list[tuple[str, str]]:
    """What tools with strangers' words returned while the mission was prepared."""
    handed = handed_over(conn, mission_id)
    return [
        (f"{one.account} ({one.tool})", json.dumps(one.result, ensure_ascii=False))
        for one in store.inspections(conn, mission_id)
        if one.account not in handed
    ]
