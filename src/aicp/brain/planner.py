"""Ranked plays, bound to the values that were read; when nothing fits, one sentence says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from aicp.brain import ranking_terms
from aicp.brain.binding import Bound, Context, Item, bind
from aicp.brain.brief import Brief, Condition
from aicp.brain.filters import condition_text
from aicp.brain.merging import merge_items
from aicp.brain.needs import candidates, table_of
from aicp.brain.phones import phone_items
from aicp.brain.playbook import PlayFile, examples
from aicp.brain.retrieval import nearest
from aicp.brain.rows import row_items
from aicp.errors import GateBlocked
from aicp.toolkits.model import Resource, ToolSpec
from aicp.trust.plan import Play, Safeguard, ScoreTerm, reversibility_of, risk_of

MOST_PLAYS = 3
BINDERS: dict[str, Callable[[Context, list[str]], list[Item]]] = {
    "rows": row_items,
    "phones": phone_items,
    "duplicates": merge_items,
}
NO_PRECEDENT = (0, 0.0)
Reads = Mapping[str, Mapping[str, Any]]


def propose(
    brief: Brief, resources: Sequence[Resource], reads: Reads, *, tools: Mapping[str, ToolSpec],
    now: datetime, precedents: Mapping[str, tuple[int, float]],
) -> tuple[Play, ...]:  # fmt: skip
    """At most three plays, best first, each bound to real values.

    Args:
        reads: the answers to `needs(brief, resources)`, by request id.
        tools: what the established connections offer, by tool name.
        precedents: play id -> (finished missions, average rating of 5).

    Raises:
        GateBlocked: nothing fits, or no row is left; `facts` counts what each condition leaves.
    """
    _check_answered(brief)
    files = candidates(brief)
    if not files:
        raise _nothing_fits(brief)
    table = table_of(brief, resources)
    if table is None:
        raise GateBlocked(
            "The table of the brief is not connected.", hint="Connect it, then plan again."
        )
    _check_rows(brief, reads)
    bound, refusals = _bound(files, brief, table, resources, reads, tools, now)
    if not bound:
        raise _all_refused(refusals)
    return _ranked(brief, bound, precedents)


def bound_safeguards(brief: Brief, reads: Reads) -> tuple[Safeguard, ...]:
    """The brief's safeguards, exclusions with the very keys and addresses that were read."""
    exclusions = brief.audience.exclude if brief.audience else ()
    return tuple(
        _with_rows(s, exclusions, reads) if s.kind == "exclusion" else s for s in brief.safeguards
    )


def _with_rows(guard: Safeguard, exclusions: Sequence[Condition], reads: Reads) -> Safeguard:
    keys, addresses = list(guard.params.get("keys", [])), list(guard.params.get("addresses", []))
    for n, condition in enumerate(exclusions, 1):
        if not _guards(guard, condition):
            continue
        for row in reads.get(f"excluded-{n}", {}).get("rows", []):
            keys.append(str(row["key"]))
            addresses += [str(v).strip() for v in row["values"].values() if "@" in str(v or "")]
    params = guard.params | {"keys": sorted(set(keys)), "addresses": sorted(set(addresses))}
    return guard.model_copy(update={"params": params})


def _guards(guard: Safeguard, condition: Condition) -> bool:
    """Whether an exclusion safeguard stands for this condition of the audience."""
    values = guard.params.get("values", [])
    same = not values or values == (condition.value if condition.op == "in" else [condition.value])
    return guard.params.get("column") == condition.column and same


def _check_answered(brief: Brief) -> None:
    if brief.questions:
        raise GateBlocked(
            f"The brief has {len(brief.questions)} open questions: {brief.questions[0].text}",
            hint="Answer them, then plan.",
            facts={"questions": [q.text for q in brief.questions]},
        )


def _nothing_fits(brief: Brief) -> GateBlocked:
    near = nearest(brief.intent)
    facts = {
        "nearest": [
            {"play": h.play.id, "title": h.play.title, "score": h.score, "words": dict(h.words)}
            for h in near
        ],
        "examples": list(examples()),
    }
    closest = f" The nearest play is '{near[0].play.title}'." if near else ""
    return GateBlocked(f"No play fits this objective.{closest}",
                       hint=f"For example: {examples()[-2]}", facts=facts)  # fmt: skip


def _check_rows(brief: Brief, reads: Reads) -> None:
    found = reads.get("rows")
    if found is None:
        raise GateBlocked("The rows of the audience were not read yet.", hint="Run Prepare again.")
    if found.get("rows"):
        return
    conditions = brief.audience.where if brief.audience else ()
    left = [
        {"condition": condition_text(c), "rows": reads[f"left-{n}"].get("matched", 0)}
        for n, c in enumerate(conditions, 1)
        if f"left-{n}" in reads
    ]
    steps = "; ".join(f"{x['condition']} leaves {x['rows']}" for x in left)
    out = found.get("excluded", 0)
    raise GateBlocked(
        f"No row is left{': ' + steps if steps else ''}{f'; exclusions take out {out}' if out else ''}.",
        hint="Widen the condition that leaves none, then prepare again.",
        facts={"left": left, "excluded": out},
    )


def _bound(
    files: Sequence[PlayFile], brief: Brief, table: Resource, resources: Sequence[Resource],
    reads: Reads, tools: Mapping[str, ToolSpec], now: datetime,
) -> tuple[list[tuple[PlayFile, Bound]], list[dict[str, Any]]]:  # fmt: skip
    fitting: list[tuple[PlayFile, Bound]] = []
    refusals: list[dict[str, Any]] = []
    for play in files:
        ctx = Context(play, brief, table, tuple(resources), reads, tools, now)
        why = _unusable(ctx)
        if why:
            refusals.append({"play": play.id, "why": [why]})
            continue
        notes: list[str] = []
        bound = bind(ctx, BINDERS[play.binder](ctx, notes), notes)
        if bound.steps:
            fitting.append((play, bound))
        else:
            refusals.append({"play": play.id, "why": notes or ["Nothing would change."]})
    return fitting, refusals


def _unusable(ctx: Context) -> str:
    """Why a play cannot be bound at all, or ''."""
    for name in ctx.play.tools:
        if name not in ctx.tools or not ctx.account(name.split(".", 1)[0]):
            return f"it needs {name}, which is not connected"
    for role, spec in ctx.play.columns.items():
        if spec.required and not ctx.column(role):
            return f"the table has no column for {role}: {spec.why}"
    for name, param in ctx.play.params.items():
        if param.required and not ctx.params.get(name):
            return f"the brief does not say {param.text}"
    cap = ctx.guard("rollback")
    if cap and cap.source == "user" and any(ctx.tools[t].undo_tier > "T3" for t in ctx.play.tools):
        return "it has steps without an undo, and the brief asks for one"
    return ""


def _all_refused(refusals: list[dict[str, Any]]) -> GateBlocked:
    first = refusals[0]["why"][0].rstrip(".")
    return GateBlocked(
        f"No play can be bound to this data: {first}.",
        hint="Connect what is missing, or change the brief.",
        facts={"plays": refusals},
    )


def _ranked(
    brief: Brief, bound: Sequence[tuple[PlayFile, Bound]], precedents: Mapping[str, tuple[int, float]]
) -> tuple[Play, ...]:  # fmt: skip
    made = [
        _play(
            file,
            b,
            ranking_terms.score(brief, file, b, bound, precedents.get(file.id, NO_PRECEDENT)),
        )
        for file, b in bound
    ]
    order = {file.id: file.order for file, _ in bound}
    return tuple(sorted(made, key=lambda p: (-p.score, order[p.id], p.id))[:MOST_PLAYS])


def _play(file: PlayFile, bound: Bound, terms: tuple[ScoreTerm, ...]) -> Play:
    impact = _impact(file, bound.counts["rows"])
    undo = reversibility_of(bound.steps)
    cost, formula = ranking_terms.seconds(file, bound.counts)
    best = max(terms, key=lambda t: t.value * t.weight)
    worst = min(terms, key=lambda t: t.value)
    return Play(
        id=file.id, title=file.title, summary=_summary(file, bound.counts),
        rationale=f"For it: {best.why} ({best.name}). Against it: {worst.why} ({worst.name}).",
        steps=bound.steps, score=ranking_terms.mean(terms), terms=terms, impact=impact,
        reversibility=undo, risk=risk_of(impact, undo), affected=bound.counts,
        estimate={"seconds": cost, "formula": formula},
        notes=(*file.notes, *bound.notes), degraded=bound.degraded,
    )  # fmt: skip


def _impact(file: PlayFile, rows: int) -> Literal["low", "medium", "high", "critical"]:
    """By counted rows, against the bounds in the play file."""
    if rows <= file.impact["low"]:
        return "low"
    if rows <= file.impact["medium"]:
        return "medium"
    return "high" if rows <= file.impact["high"] else "critical"


def _summary(file: PlayFile, counts: Mapping[str, int]) -> str:
    known = dict.fromkeys(("mails", "events", "updates", "deletes", "groups", "inserts"), 0) | dict(
        counts
    )
    text = file.summary
    for name, number in known.items():
        text = text.replace(f"{{{name}}}", str(number))
    return text
