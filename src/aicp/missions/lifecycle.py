"""The seven stages and what opens the gate between them. Pure (domain.md 2, I-4).

Forward is one stage at a time and only through an open gate; backward is allowed to a named stage and
says what it makes invalid. Values in, decisions out: no clock, no database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aicp.brain.brief import Brief

Stage = Literal["Home", "Define", "Prepare", "Plan", "Approve", "Execute", "Reflect"]
STAGES: tuple[Stage, ...] = ("Home", "Define", "Prepare", "Plan", "Approve", "Execute", "Reflect")

# The output each stage must leave behind before the next may begin.
REQUIRED: dict[Stage, str] = {
    "Home": "mission",
    "Define": "mission_brief",
    "Prepare": "granted_scopes",
    "Plan": "ranked_plays",
    "Approve": "approval_decision",
    "Execute": "execution_results",
    "Reflect": "retrospective",
}
COVERAGE_GATE = 85.0  # percent (TR-6)
ACCEPTED_FROM = 0.5  # a chip below this confidence needs a person's edit or acceptance


@dataclass(frozen=True, slots=True)
class Facts:
    """What the gates look at; everything defaults to closed."""

    brief: Brief | None = None
    accepted: frozenset[str] = frozenset()  # chip ids a person accepted
    acknowledged_by: tuple[str, ...] = ()  # distinct people who acknowledged this brief version
    capacities: frozenset[str] = frozenset()  # owner, governance
    scopes_granted: bool = False
    coverage: float = 0.0
    override: bool = False  # a recorded governance override of the coverage gate
    problems: tuple[str, ...] = ()  # of connections
    play_selected: bool = False
    degraded: bool = False
    approved: bool = False
    digest_matches: bool = False
    expired: bool = True
    steps_settled: bool = False
    bundle_sealed: bool = False


def reasons(stage: Stage, facts: Facts) -> tuple[str, ...]:
    """Why the gate out of a stage is shut; empty when it is open."""
    return _GATES[stage](facts)


def following(stage: Stage) -> Stage | None:
    """The next stage, None after the last."""
    index = STAGES.index(stage) + 1
    return STAGES[index] if index < len(STAGES) else None


def may_move(current: Stage, to: Stage, shut: tuple[str, ...]) -> str:
    """Why a move is not allowed, "" when it is: +1 through an open gate, or back (I-4)."""
    here, there = STAGES.index(current), STAGES.index(to)
    if there == here + 1:
        return "; ".join(shut)
    if there < here:
        return ""
    return f"{to} does not follow {current}"


def invalidated(to: Stage) -> tuple[str, ...]:
    """What going back to a stage makes invalid."""
    parts = (
        ("Define", "acknowledgements"),
        ("Prepare", "inspection"),
        ("Plan", "plays"),
        ("Approve", "approval"),
    )
    first = STAGES.index(to)
    return tuple(name for stage, name in parts if STAGES.index(stage) >= first)  # type: ignore[arg-type]


def brief_gaps(brief: Brief | None, accepted: frozenset[str]) -> tuple[str, ...]:
    """What a person must still settle before the brief may be locked."""
    if brief is None:
        return ("there is no brief yet",)
    gaps = [f"{q.id} is open: {q.text}" for q in brief.questions]
    if brief.objective is None or brief.objective.goal is None or not brief.objective.goal.goal:
        gaps.append("the objective is not understood: no play fits it")
    gaps += [
        f"{chip.id} needs your review ({chip.text})"
        for chip in brief.chips
        if chip.confidence < ACCEPTED_FROM
        and chip.source == "generated"
        and chip.id not in accepted
    ]
    return tuple(gaps)


def _define(facts: Facts) -> tuple[str, ...]:
    gaps = list(brief_gaps(facts.brief, facts.accepted))
    if not {"owner", "governance"} <= facts.capacities or len(set(facts.acknowledged_by)) < 2:
        gaps.append(
            "the safeguards need two acknowledgements: the owner's and a governance delegate's"
        )
    return tuple(gaps)


def _prepare(facts: Facts) -> tuple[str, ...]:
    gaps = list(facts.problems)
    if not facts.scopes_granted:
        gaps.append("the scopes are not granted")
    if facts.coverage < COVERAGE_GATE and not facts.override:
        gaps.append(f"coverage is {facts.coverage:.0f} %, and {COVERAGE_GATE:.0f} % is needed")
    return tuple(gaps)


def _plan(facts: Facts) -> tuple[str, ...]:
    gaps = [] if facts.play_selected else ["no play is selected"]
    return (*gaps, "the play lacks a scope") if facts.degraded else tuple(gaps)


def _approve(facts: Facts) -> tuple[str, ...]:
    gaps = [] if facts.approved else ["the plan is not approved"]
    if facts.expired:
        gaps.append("the approval has expired")
    if not facts.digest_matches:
        gaps.append("the plan is not the one that was approved")
    return tuple(gaps)


def _execute(facts: Facts) -> tuple[str, ...]:
    gaps = [] if facts.steps_settled else ["steps are still open"]
    return tuple(gaps) if facts.bundle_sealed else (*gaps, "the evidence bundle is not sealed")


_GATES = {
    "Home": lambda _facts: (),
    "Define": _define,
    "Prepare": _prepare,
    "Plan": _plan,
    "Approve": _approve,
    "Execute": _execute,
    "Reflect": lambda _facts: ("the mission ends here",),
}
