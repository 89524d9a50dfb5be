"""Why one play ranks above another: five terms, each with the counted facts behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aicp.brain.binding import Bound
from aicp.brain.brief import Brief
from aicp.brain.playbook import PlayFile
from aicp.trust.plan import ScoreTerm, reversibility_of

WEIGHTS = {"coverage": 0.45, "reversibility": 0.2, "precedents": 0.15, "writes": 0.1, "cost": 0.1}
UNDO = {"read-only": 1.0, "high": 1.0, "medium": 0.6, "low": 0.3, "none": 0.0}
ENOUGH = 3  # precedents count half at this number, and approach 1 from there
UNRATED = 3.0  # of 5: finished, and nobody said how it was


def parts_of(brief: Brief) -> tuple[str, ...]:
    """The named parts of a brief a play can serve; defaults hold for every play."""
    goal = brief.objective.goal if brief.objective else None
    channel = ("channel",) if goal and goal.params.get("channel") else ()
    base = () if channel else ("objective",)
    kinds = [c.safeguard.kind if c.safeguard else c.kind for c in brief.chips
             if c.kind != "objective" and c.source != "default"]  # fmt: skip
    kept = [k for k in kinds if k not in ("records", "privacy", "rollback", "kpi")]
    return tuple(dict.fromkeys((*base, *channel, *kept)))


def seconds(play: PlayFile, counts: Mapping[str, int]) -> tuple[float, str]:
    """(estimate, formula): coefficients of the play file over counted things."""
    terms = [(n, counts[n], each) for n, each in play.seconds.items() if counts.get(n)]
    total = round(sum(count * each for _, count, each in terms), 1)
    return total, " + ".join(f"{count} {n} × {each} s" for n, count, each in terms) or "0 s"


def score(
    brief: Brief, play: PlayFile, bound: Bound, rivals: Sequence[tuple[PlayFile, Bound]],
    precedent: tuple[int, float],
) -> tuple[ScoreTerm, ...]:  # fmt: skip
    """The terms of one play among its rivals (itself included)."""
    writes = sum(step.mutates for step in bound.steps)
    fewest = min(sum(s.mutates for s in b.steps) for _, b in rivals)
    cost, formula = seconds(play, bound.counts)
    cheapest = min(seconds(p, b.counts)[0] for p, b in rivals)
    undo = reversibility_of(bound.steps)
    covered = [part for part in parts_of(brief) if part in play.covers]
    missing = [part for part in parts_of(brief) if part not in play.covers]
    count, rating = precedent
    why = f"{len(covered)} of {len(covered) + len(missing)} parts of the brief"
    return (
        _term("coverage", len(covered) / max(1, len(covered) + len(missing)),
              why + (f"; not {', '.join(missing)}" if missing else "")),
        _term("reversibility", UNDO[undo], f"the least reversible of {len(bound.steps)} steps: {undo}"),
        _term("precedents", count / (count + ENOUGH) * (rating or UNRATED) / 5 if count else 0.0,
              _precedents(count, rating)),
        _term("writes", fewest / writes if writes else 1.0, f"{writes} changes; the fewest among the plays: {fewest}"),
        _term("cost", cheapest / cost if cost else 1.0, f"{formula} = {cost} s"),
    )  # fmt: skip


def _term(name: str, value: float, why: str) -> ScoreTerm:
    return ScoreTerm(name=name, value=round(value, 4), weight=WEIGHTS[name], why=why)


def mean(terms: Sequence[ScoreTerm]) -> float:
    """The weighted mean of the terms."""
    total = sum(term.weight for term in terms)
    return round(sum(term.value * term.weight for term in terms) / total, 4)


def _precedents(count: int, rating: float) -> str:
    if not count:
        return "no finished missions yet"
    told = f"rated {rating:.1f} of 5" if rating else "not rated yet"
    return f"{count} finished mission{'s' * (count > 1)}, {told}"
