"""Does a plan that was handed in fit the connections: tools, arguments, order, scopes, coverage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jsonschema.exceptions import best_match

from aicp.brain.adk import MOST_TOOLS
from aicp.brain.brief import Coverage, CoveragePart
from aicp.brain.coverage import WEIGHTS
from aicp.missions.offer import OfferedPlan, OfferedStep, read, unknown_accounts
from aicp.missions.store import Mission
from aicp.toolkits.model import ToolSpec, UndoTier
from aicp.toolkits.providers.base import Provider

Providers = Mapping[str, Provider]
FINAL = (UndoTier.T4, UndoTier.T5)


def objections(plan: OfferedPlan, providers: Providers) -> tuple[str, ...]:
    """What is wrong with the steps on these connections: one sentence each, naming step and argument."""
    return (*unknown_accounts(plan, frozenset(providers)), *_unfit(plan, providers))


def coverage_of(plan: OfferedPlan | None, providers: Providers, problems: int) -> Coverage:
    """Counted, not judged: accounts that answer, and steps whose tool and arguments fit."""
    wrong = objections(plan, providers) if plan else ()
    steps = len(plan.steps) if plan else 0
    bad = min(len(wrong), steps)
    total = len(providers)
    parts = (
        CoveragePart(name="objective", percent=100.0, weight=WEIGHTS["objective"]),
        CoveragePart(
            name="data", percent=_share(steps - bad, steps), weight=WEIGHTS["data"], gaps=wrong
        ),
        CoveragePart(name="safeguards", percent=100.0, weight=WEIGHTS["safeguards"]),
        CoveragePart(
            name="connections",
            percent=_share(total - problems, total),
            weight=WEIGHTS["connections"],
        ),
    )
    percent = round(sum(part.percent * part.weight for part in parts), 1)
    return Coverage(percent=percent, parts=parts)


def scopes_wanted(plan: OfferedPlan | None, providers: Providers) -> dict[str, tuple[str, ...]]:
    """The scopes of each account: exactly those of the steps' tools; reads only while there is no plan."""
    wanted: dict[str, set[str]] = {account: set() for account in providers}
    for account, provider in providers.items():
        if plan is None:
            wanted[account] |= {spec.scope for spec in provider.tools() if not spec.mutates}
    for step in plan.steps if plan else ():
        spec = spec_of(providers, step)
        if spec:
            wanted[step.account].add(spec.scope)
    return {account: tuple(sorted(scopes)) for account, scopes in wanted.items()}


def scopes_to_plan(mission: Mission, providers: Providers) -> dict[str, tuple[str, ...]]:
    """The scopes of a mission in Plan: its steps', and for an agent that proposes also all reads."""
    given = (mission.offered or {}).get("plan")
    wanted = scopes_wanted(read(given) if given else None, providers)
    if not given or mission.driver != "agent":
        return wanted
    reads = scopes_wanted(None, providers)
    return {account: tuple(sorted({*wanted[account], *reads[account]})) for account in wanted}


def tools_used(mission: Mission, providers: Providers) -> dict[str, tuple[str, ...]]:
    """The tools of a handed-in plan by account; only reads while an agent has not proposed one."""
    given = (mission.offered or {}).get("plan")
    steps = read(given).steps if given else ()
    used: dict[str, set[str]] = {account: set() for account in providers}
    for step in steps:
        used.setdefault(step.account, set()).add(step.tool.split("@", 1)[0])
    for account, provider in providers.items():
        if not given or mission.driver == "agent":
            used[account] |= {spec.name for spec in provider.tools() if not spec.mutates}
    return {account: tuple(sorted(names)) for account, names in used.items()}


def _share(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 100.0


def spec_of(providers: Providers, step: OfferedStep) -> ToolSpec | None:
    """The tool a step means as its account declares it today, None when there is none."""
    provider = providers.get(step.account)
    name = step.tool.split("@", 1)[0]
    return next((s for s in provider.tools() if s.name == name), None) if provider else None


def _unfit(plan: OfferedPlan, providers: Providers) -> Iterator[str]:
    known = [
        (seq, step, spec_of(providers, step))
        for seq, step in enumerate(plan.steps, 1)
        if step.account in providers
    ]
    for seq, step, spec in known:
        if spec is None:
            yield f"step {seq}: {step.account} has no tool '{step.tool[:80]}'"
        elif "@" in step.tool and step.tool != spec.ref:
            yield f"step {seq}: {spec.name} is declared as {spec.ref} today, not as {step.tool[:80]}"
        elif why := _unfit_args(step, spec):
            yield f"step {seq} ({spec.name}): {why}"
    names = {step.tool.split("@", 1)[0] for step in plan.steps}
    if len(names) > MOST_TOOLS:
        yield f"the plan uses {len(names)} tools; one mission may hold {MOST_TOOLS}: split it"
    yield from _too_early(plan, [spec for _, _, spec in known])


def _unfit_args(step: OfferedStep, spec: ToolSpec) -> str:
    """What is wrong with the literal arguments; those that come by reference are checked at their call."""
    properties = spec.args_schema.get("properties", {})
    closed = spec.args_schema.get("additionalProperties", True) is False
    for name in step.refs:
        if closed and name not in properties:
            return f"argument {name}: there is no such argument"
    required = [name for name in spec.args_schema.get("required", []) if name not in step.refs]
    literal = spec.validator.evolve(schema={**spec.args_schema, "required": required})
    problem = best_match(literal.iter_errors(step.args))
    if problem is None:
        return ""
    place = ".".join(str(part) for part in problem.absolute_path)
    return f"argument {place}: {problem.message[:200]}" if place else problem.message[:200]


def _too_early(plan: OfferedPlan, specs: Sequence[ToolSpec | None]) -> Iterator[str]:
    """Irreversible steps come last, except before steps that need what they return (agents.md A3.7)."""
    if len(specs) < len(plan.steps) or None in specs:
        return
    final: list[int] = []
    needs = _needs(plan)
    for seq, (step, spec) in enumerate(zip(plan.steps, specs, strict=True), 1):
        if spec is None or not spec.mutates:
            continue
        if spec.undo_tier in FINAL:
            final.append(seq)
        elif early := [n for n in final if n not in needs[seq]]:
            yield (
                f"step {early[0]} ({_bare(plan.steps[early[0] - 1])}) cannot be taken back,"
                f" so it must come after step {seq} ({_bare(step)})"
            )


def _bare(step: OfferedStep) -> str:
    return step.tool.split("@", 1)[0][:80]


def _needs(plan: OfferedPlan) -> dict[int, set[int]]:
    """The earlier steps whose outputs each step needs, directly or through others."""
    found: dict[int, set[int]] = {}
    for seq, step in enumerate(plan.steps, 1):
        direct = {ref.step for ref in step.refs.values()}
        found[seq] = direct.union(*(found[earlier] for earlier in direct))
    return found
