"""From an offered plan to what the stages work with: a brief, its coverage, and one bound play."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Literal

from jsonschema.exceptions import best_match

from aicp.brain.adk import MOST_TOOLS
from aicp.brain.binding import COUNTED, undo_words
from aicp.brain.brief import Brief, Chip, Coverage, CoveragePart, Goal
from aicp.brain.coverage import WEIGHTS
from aicp.brain.guards import DEFAULTS
from aicp.errors import GateBlocked
from aicp.kernel.canonical import canonical
from aicp.missions.offer import OfferedPlan, OfferedStep, read, safeguards_of, unknown_accounts
from aicp.missions.store import Mission
from aicp.toolkits.model import Call, Outcome, ToolSpec, UndoTier
from aicp.toolkits.providers.base import Provider, ProviderError
from aicp.trust.gate import resolve
from aicp.trust.plan import (
    Play,
    Provenance,
    Ref,
    Safeguard,
    ScoreTerm,
    Step,
    reversibility_of,
    risk_of,
)

GIVEN = "nobody: the plan was given"  # a brief's `brain` when no words were read
Source = Literal["human", "agent"]
Impact = Literal["low", "medium", "high", "critical"]
Providers = Mapping[str, Provider]
FINAL = (UndoTier.T4, UndoTier.T5)
IMPACT: tuple[tuple[int, Impact], ...] = (
    (10, "low"), (100, "medium"), (500, "high"),
)  # changes  # fmt: skip
UNDO_WORTH = {"read-only": 1.0, "high": 1.0, "medium": 0.6, "low": 0.3, "none": 0.0}
KEPT = ("records", "privacy")  # every mission keeps them; what is irreversible says so in the sheet


# Define ---------------------------------------------------------------------------------------


def brief_of(intent: str, safeguards: Sequence[Safeguard]) -> Brief:
    """A brief without reading words: each part is marked as given by the person."""
    named = {guard.kind for guard in safeguards}
    defaults = [(kind, text) for kind, text in DEFAULTS if kind in KEPT and kind not in named]
    objective = Chip(
        id="objective", kind="objective", text=intent[:500], confidence=1.0,
        rule="given by the person", source="user", goal=Goal(goal="given"),
    )  # fmt: skip
    given = [_guard_chip(guard, "given by the person", "user") for guard in safeguards]
    kept = [
        _guard_chip(
            Safeguard(id=f"safeguard-{n}", kind=kind, text=text, source="default"),  # type: ignore[arg-type]
            "kept by every mission", "default",
        )
        for n, (kind, text) in enumerate(defaults, len(given) + 1)
    ]  # fmt: skip
    return Brief(intent=intent, brain=GIVEN, chips=(objective, *given, *kept))


def _guard_chip(guard: Safeguard, rule: str, source: Literal["user", "default"]) -> Chip:
    return Chip(
        id=guard.id, kind="safeguard", text=guard.text, confidence=1.0, rule=rule, source=source,
        safeguard=guard,
    )  # fmt: skip


# Prepare --------------------------------------------------------------------------------------


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
        spec = _spec(providers, step)
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


def _share(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 100.0


def _spec(providers: Providers, step: OfferedStep) -> ToolSpec | None:
    provider = providers.get(step.account)
    name = step.tool.split("@", 1)[0]
    return next((s for s in provider.tools() if s.name == name), None) if provider else None


def _unfit(plan: OfferedPlan, providers: Providers) -> Iterator[str]:
    known = [
        (seq, step, _spec(providers, step))
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


# Plan -----------------------------------------------------------------------------------------


def build(
    plan: OfferedPlan, providers: Providers, *, source: Source, where: str = "the given plan"
) -> Play:
    """The one play of an offered plan: tools pinned, undo in the tool's words, before-images read.

    Args:
        source: who wrote the values. What an agent wrote is never trusted, nor are its words used to
            say what a step does.

    Raises:
        GateBlocked: a step does not fit its connection.
    """
    wrong = objections(plan, providers)
    if wrong:
        raise GateBlocked(
            f"the plan does not fit: {'; '.join(wrong[:3])}",
            hint="correct the plan and hand it in again",
            code="plan_unfit",
            facts={"reasons": list(wrong[:50])},
        )
    steps = tuple(
        _step(seq, step, providers, source, where) for seq, step in enumerate(plan.steps, 1)
    )
    return _play(plan, _seen(steps, providers), source)


def bound(
    brief: Brief, plan: OfferedPlan, providers: Providers, *, source: Source
) -> dict[str, Any]:
    """What the approval binds beside the steps: the rules with the rows they stand for, and the data read.

    What an agent adds can only forbid more: its rules come after those that people acknowledged.
    """
    own = brief.safeguards
    if source == "agent":
        added = safeguards_of(plan)
        own += tuple(
            guard.model_copy(update={"id": f"agent-{n}"}) for n, guard in enumerate(added, 1)
        )
    tables = [p for p in providers.values() if p.connection.toolkit == "table"]
    read_from = {step.account for step in plan.steps if not _mutates(providers, step)}
    return {
        "safeguards": [_with_rows(guard, tables).model_dump(mode="json") for guard in own],
        "data_versions": {name: providers[name].describe().version for name in sorted(read_from)},
    }


def _mutates(providers: Providers, step: OfferedStep) -> bool:
    spec = _spec(providers, step)
    return spec is None or spec.mutates


def _with_rows(guard: Safeguard, tables: Sequence[Provider]) -> Safeguard:
    """An exclusion by column with the very keys and addresses that the tables hold now."""
    column, values = guard.params.get("column"), guard.params.get("values")
    if guard.kind != "exclusion" or not column or not values:
        return guard
    keys, addresses = list(guard.params.get("keys", ())), list(guard.params.get("addresses", ()))
    where = [{"column": column, "op": "in", "value": list(values)}]
    for table in tables:
        if column in {c.name for c in table.describe().columns}:
            rows = table.read(Call("table.select", {"where": where}))["rows"]
            keys += [str(row["key"]) for row in rows]
            addresses += [
                str(v).strip() for r in rows for v in r["values"].values() if "@" in str(v or "")
            ]
    found = {"keys": sorted(set(keys)), "addresses": sorted(set(addresses))}
    return guard.model_copy(update={"params": guard.params | found})


def _step(seq: int, offered: OfferedStep, providers: Providers, source: Source, where: str) -> Step:
    spec = _spec(providers, offered)
    if spec is None:  # `objections` has said so before
        raise GateBlocked(f"step {seq}: {offered.account} has no tool '{offered.tool[:80]}'")
    human = source == "human"
    place = Provenance(source=source, where=f"{where}, step {seq}", trusted=human)
    provenance = {**dict.fromkeys(_names(offered.args), place)}
    for name, ref in offered.refs.items():
        provenance[name] = Provenance(source="output", where=f"step {ref.step}", trusted=human)
    effect = offered.effect if human and offered.effect else _effect(spec, offered)
    return Step(
        seq=seq, tool=spec.ref, account=offered.account, args=offered.args,
        refs={n: Ref(step=r.step, path=r.path, domain=r.domain) for n, r in offered.refs.items()},
        provenance=provenance, effect=effect, mutates=spec.mutates, undo_tier=spec.undo_tier,
        undo=undo_words(spec), subject=offered.subject if human else _subject(spec, offered),
        group=offered.group if human and offered.group else spec.title, zone=offered.zone,
    )  # fmt: skip


def _names(args: Mapping[str, Any]) -> Iterator[str]:
    """Every argument, and the members of those that are objects, dotted."""
    for name, value in args.items():
        yield name
        if isinstance(value, Mapping):
            yield from (f"{name}.{inner}" for inner in value)


def _effect(spec: ToolSpec, offered: OfferedStep) -> str:
    """What happens, in the tool's title and the very arguments: nobody's claim."""
    told = ", ".join(f"{name} = {_short(value)}" for name, value in offered.args.items())
    refs = ", ".join(f"{name} from step {ref.step}" for name, ref in offered.refs.items())
    return f"{spec.title} ({'; '.join(filter(None, (told, refs)))})"


def _subject(spec: ToolSpec, offered: OfferedStep) -> str:
    names = spec.sensitive or ("to", "key", "uid", "path", "url")
    return ", ".join(_short(offered.args[name]) for name in names if name in offered.args)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else canonical(value).decode()
    return text if len(text) <= 80 else f"{text[:79]}…"


def _seen(steps: tuple[Step, ...], providers: Providers) -> tuple[Step, ...]:
    """The steps with the version each found, where no earlier step of the plan changes it.

    The plan is walked on a copy beside the real thing: a version that is the same in both is that of
    data which only somebody else can change before the run.
    """
    outputs: dict[int, dict[str, Any]] = {}
    seen: list[Step] = []
    with ExitStack() as stack:
        copies = {
            name: stack.enter_context(providers[name].rehearsal())
            for name in dict.fromkeys(step.account for step in steps)
        }
        for step in steps:
            version, outcome = _look(step, providers[step.account], copies[step.account], outputs)
            outputs[step.seq] = outcome.data
            seen.append(step.model_copy(update={"expect_version": version}))
    return tuple(seen)


def _look(
    step: Step, real: Provider, copy: Provider, outputs: dict[int, dict[str, Any]]
) -> tuple[str, Outcome]:
    """The version both the copy and the real thing have, and what the copy makes of the call."""
    args, why = resolve(step, outputs)
    call = Call(step.tool_name, args, f"rehearsal.{step.seq}")
    if why or not step.mutates:
        return "", _tried(lambda: Outcome(copy.read(call))) if not why else Outcome()
    there = _tried_version(copy, call)
    here = _tried_version(real, call) if there and not step.refs else ""
    made = _tried(lambda: copy.execute(call, copy.before(call)))
    return (here if here == there else ""), made


def _tried_version(provider: Provider, call: Call) -> str:
    try:
        return provider.before(call).version
    except ProviderError:
        return ""  # the rehearsal after this says what fails, and at which step


def _tried(make: Any) -> Outcome:
    try:
        return make()
    except ProviderError:
        return Outcome()


def _play(plan: OfferedPlan, steps: tuple[Step, ...], source: Source) -> Play:
    changes = sum(step.mutates for step in steps)
    impact: Impact = next((word for most, word in IMPACT if changes <= most), "critical")
    undo = reversibility_of(steps)
    counts = Counter(COUNTED.get(s.tool_name, s.tool_name) for s in steps if s.mutates)
    human = source == "human"
    by = "a person" if human else "an agent"
    told = f"{len(steps)} calls, {changes} of them changes, exactly as {by} handed them in."
    terms = (
        ScoreTerm(name="coverage", value=1.0, weight=0.5, why=f"{len(steps)} of {len(steps)} steps fit their tools"),
        ScoreTerm(name="reversibility", value=UNDO_WORTH[undo], weight=0.5, why=f"the least reversible step: {undo}"),
    )  # fmt: skip
    return Play(
        id="given" if human else "proposed", title=plan.title if human else "Proposed by an agent",
        summary=told, rationale="The only play: the plan was handed in, not searched for.",
        steps=steps, score=round(sum(t.value * t.weight for t in terms), 4), terms=terms,
        impact=impact, reversibility=undo, risk=risk_of(impact, undo), affected=dict(counts),
        notes=tuple(_notes(plan, steps, human=human)),
    )  # fmt: skip


def _notes(plan: OfferedPlan, steps: tuple[Step, ...], *, human: bool) -> Iterator[str]:
    if plan.reason or not human:
        said = f"{plan.title}: {plan.reason}" if plan.reason else plan.title
        yield (
            f"Reason given: {plan.reason}"
            if human
            else f"The agent says (its words, unchecked): {said}"
        )
    last = max((s.seq for s in steps if s.mutates and s.undo_tier not in FINAL), default=0)
    for step in steps:
        if step.undo_tier in FINAL and step.seq < last:
            yield f"Step {step.seq} ({step.tool_name}) cannot be taken back and is not last: a later step needs its output."
