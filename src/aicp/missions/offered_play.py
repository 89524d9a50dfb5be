"""From a plan that was handed in to what the stages work with: a brief, and one bound play."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Literal

from aicp.brain.binding import COUNTED, undo_words
from aicp.brain.brief import Brief, Chip, Goal
from aicp.brain.guards import DEFAULTS
from aicp.errors import GateBlocked
from aicp.kernel.canonical import canonical
from aicp.missions.offer import OfferedPlan, OfferedStep, safeguards_of
from aicp.missions.offered_fit import FINAL, Providers, objections, spec_of
from aicp.toolkits.model import Call, Outcome, ToolSpec
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

GIVEN = "nobody (given)"  # a brief's `brain` when no words were read
Source = Literal["human", "agent"]
Impact = Literal["low", "medium", "high", "critical"]
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
    spec = spec_of(providers, step)
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
    spec = spec_of(providers, offered)
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
    impact = _impact(changes)
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


def _impact(changes: int) -> Impact:
    for most, word in IMPACT:
        if changes <= most:
            return word
    return "critical"


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
