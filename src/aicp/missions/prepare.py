"""Prepare: the Inspector reads what the plays will need, and says how much of the brief is covered."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from aicp.brain.brief import Coverage, ReadRequest
from aicp.errors import BadInput, Forbidden, GateBlocked
from aicp.kernel.db import Actor, Connection
from aicp.missions import consent, flow, offer, offered_fit, store
from aicp.missions.define import inspect
from aicp.missions.lifecycle import Facts, reasons
from aicp.missions.opening import open_providers
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.telemetry.record import record
from aicp.toolkits.model import Call, Resource
from aicp.toolkits.providers.base import NeedsConsent, Provider, ProviderError
from aicp.trust import declarations

ADDRESS = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+")


def run(services: Services, mission: Mission) -> None:
    """The job of the stage: read, measure coverage, grant the narrowest scopes, open the gate."""
    from aicp.brain.agents import run_inspector
    from aicp.brain.coverage import coverage

    actor = mission.agent("inspector")
    resources = inspect(services, mission, actor)
    brief = mission.understanding
    if brief is None:
        raise GateBlocked("there is no brief to prepare for")
    providers = open_providers(services, mission, actor)
    _sign_in_first(services, mission, actor, providers)
    if mission.offered is not None:
        _fit_offer(services, mission, actor, resources, providers)
        return
    answers: dict[str, tuple[ReadRequest, dict[str, Any], str]] = {}
    versions = {resource.account: resource.version for resource in resources}

    def read(request: ReadRequest) -> dict[str, Any]:
        result = _read(providers, request)
        answers[request.id] = (request, result, versions[request.account])
        return result

    reads = run_inspector(brief, resources, read=read, model=services.model, now=services.clock())
    covered = coverage(brief, resources, reads)
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission.id, lock=True)
        if mission.current_stage != "Prepare":
            return
        at = services.clock()
        store.replace_inspections(conn, actor, mission.id, list(answers.values()), at=at)
        declarations.remember(
            conn, actor, (s for p in providers.values() for s in p.tools()), at=at
        )
        _grant(conn, actor, mission, resources, providers, at=at)
        _report(conn, actor, mission, list(answers.values()), covered, at=at)
        _open_gate(conn, actor, mission, covered, at=at)


def _fit_offer(
    services: Services, mission: Mission, actor: Actor, resources: list[Resource],
    providers: dict[str, Provider],
) -> None:  # fmt: skip
    """A plan that was handed in: do its steps fit the connections, and which scopes do they need?"""
    given = (mission.offered or {}).get("plan")
    plan = offer.read(given) if given else None
    covered = offered_fit.coverage_of(plan, providers, len(providers) - len(resources))
    wrong = offered_fit.objections(plan, providers) if plan else ()
    wanted = offered_fit.scopes_wanted(plan, providers)
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission.id, lock=True)
        if mission.current_stage != "Prepare":
            return
        at = services.clock()
        declarations.remember(
            conn, actor, (s for p in providers.values() for s in p.tools()), at=at
        )
        _grant(conn, actor, mission, resources, providers, at=at, wanted=wanted)
        _open_gate(conn, actor, mission, covered, at=at, wrong=wrong)


def _sign_in_first(
    services: Services, mission: Mission, actor: Actor, providers: dict[str, Provider]
) -> None:
    """Stop before the first read while an account still needs a person (TR-1, TR-2)."""
    used = _used(mission, providers)
    with services.db.transaction(actor) as conn:
        asked = consent.wanted(providers, store.connections(conn, mission.id), used)
        refusal = consent.ask(conn, mission, asked) if asked else None
    if refusal is not None:
        raise refusal


def _used(mission: Mission, providers: dict[str, Provider]) -> dict[str, tuple[str, ...]]:
    """The tools that a handed-in plan, or the plays which may come of the brief, would use, by account."""
    from aicp.brain.needs import candidates

    if mission.offered is not None:
        return offered_fit.tools_used(mission, providers)
    brief = mission.understanding
    named = {tool for play in candidates(brief) for tool in play.tools} if brief else set()
    return {
        account: tuple(
            spec.name for spec in provider.tools() if spec.name in named or not spec.mutates
        )
        for account, provider in providers.items()
    }


def addresses_in(rows: list[dict[str, Any]]) -> list[str]:
    """Every e-mail address in the cells of some rows."""
    cells = (str(cell) for row in rows for cell in row["values"].values() if cell)
    return sorted({match.casefold() for cell in cells for match in ADDRESS.findall(cell)})


def override(
    conn: Connection, actor: Actor, services: Services, mission_id: str, rationale: str
) -> dict[str, Any]:
    """Let a mission pass the coverage gate on governance's word, recorded (TR-6)."""
    mission = store.get(conn, mission_id, lock=True)
    if "governance" not in actor.roles:
        raise Forbidden("only governance may override the coverage gate").on(mission.id, "TR-6")
    if not rationale.strip():
        raise BadInput("an override needs its reason", hint='add --override "why"')
    if mission.current_stage != "Prepare":
        raise GateBlocked(f"the mission is in {mission.current_stage}, not in Prepare")
    at = services.clock()
    record(
        conn, actor, "governance_override_requested",
        {"override_type": "coverage", "rationale_length": len(rationale)}, at=at, mission_id=mission.id,
        correlation_id=mission.correlation_id, stage="Prepare", status="warning",
    )  # fmt: skip
    facts = Facts(
        scopes_granted=True, override=True, coverage=mission.coverage_percent or 0.0,
        problems=tuple(row.problem for row in store.connections(conn, mission.id) if row.problem),
    )  # fmt: skip
    output = {
        "granted_scopes": _granted(conn, mission.id),
        "override": {"by": str(actor.person_id), "why": rationale},
    }
    flow.enter(conn, actor, mission, at=at, shut=reasons("Prepare", facts), output=output)
    return {"stage": "Plan"}


def _read(providers: dict[str, Provider], request: ReadRequest) -> dict[str, Any]:
    provider = providers.get(request.account)
    spec = next((s for s in provider.tools() if s.name == request.tool), None) if provider else None
    if provider is None or spec is None or spec.mutates:
        raise GateBlocked(
            f"the Inspector may not call {request.tool} on {request.account}: it is not a read"
        )
    try:
        return provider.read(Call(request.tool, request.args))
    except ProviderError as error:
        raise GateBlocked(
            f"{request.account}: {error.message}", hint=error.hint, code="needs_data"
        ) from error


def _grant(
    conn: Connection, actor: Actor, mission: Mission, resources: list[Resource],
    providers: dict[str, Provider], *, at: datetime,
    wanted: Mapping[str, Sequence[str]] | None = None,
) -> None:  # fmt: skip
    """Local toolkits need no sign-in; the scopes are those of their tools, or what a plan asks for."""
    for rank, resource in enumerate(resources, start=1):
        provider = providers[resource.account]
        signed_in = isinstance(provider, NeedsConsent)
        of_tools = sorted({spec.scope for spec in provider.tools()})
        scopes = of_tools if wanted is None else list(wanted[resource.account])
        if not signed_in:  # what a person signed in to was granted on the other side, or was not
            store.request_scopes(conn, mission.id, resource.account, scopes)
        common = {
            "at": at, "mission_id": mission.id, "correlation_id": mission.correlation_id, "stage": "Prepare",
        }  # fmt: skip
        record(
            conn, actor, "toolkit_recommended",
            {"toolkit_slug": resource.toolkit, "rank": rank, "auth_required": signed_in}, **common,
        )  # fmt: skip
        record(
            conn, actor, "toolkit_connected",
            {"toolkit_slug": resource.toolkit, "scopes_granted": scopes}, **common,
        )  # fmt: skip


def _report(
    conn: Connection, actor: Actor, mission: Mission,
    answers: list[tuple[ReadRequest, dict[str, Any], str]], covered: Coverage, *, at: datetime,
) -> None:  # fmt: skip
    for request, result, _version in answers:
        record(
            conn, actor, "data_preview_generated",
            {"toolkit": request.toolkit, "sample_count": store.row_count(result), "coverage": covered.percent},
            at=at, mission_id=mission.id, correlation_id=mission.correlation_id, stage="Prepare",
        )  # fmt: skip


def _open_gate(
    conn: Connection, actor: Actor, mission: Mission, covered: Coverage, *, at: datetime,
    wrong: tuple[str, ...] = (),
) -> None:  # fmt: skip
    problems = tuple(row.problem for row in store.connections(conn, mission.id) if row.problem)
    facts = Facts(scopes_granted=True, coverage=covered.percent, problems=(*problems, *wrong))
    shut = reasons("Prepare", facts)
    status = "ready" if not shut else "needs_data"
    store.change(conn, mission.id, at, coverage_percent=covered.percent, readiness=status)
    record(
        conn, actor, "readiness_status_changed",
        {"status": status, "coverage_percent": covered.percent, "blocking_items": len(shut)}, at=at,
        mission_id=mission.id, correlation_id=mission.correlation_id, stage="Prepare",
        status="warning" if shut else "success",
    )  # fmt: skip
    output = {
        "granted_scopes": _granted(conn, mission.id),
        "coverage": covered.model_dump(mode="json"),
    }
    if not shut:
        flow.enter(conn, actor, mission, at=at, output=output)
        return
    gaps = [gap for part in covered.parts for gap in part.gaps]
    store.mark_stage(conn, mission.id, "Prepare", "blocked", at=at, reason=shut[0], output=output)
    reason = "; ".join(dict.fromkeys([*shut, *gaps][:4]))
    store.change(conn, mission.id, at, status="blocked", blocking_reason=reason)


def _granted(conn: Connection, mission_id: str) -> list[str]:
    return sorted(
        {scope for row in store.connections(conn, mission_id) for scope in row.granted_scopes}
    )
