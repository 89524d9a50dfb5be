"""The machine of the seven stages: never a stage skipped, never a shut gate opened (I-4, domain.md 2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicp.brain.brief import Brief, Chip, Goal, Question
from aicp.missions.lifecycle import (
    COVERAGE_GATE,
    REQUIRED,
    STAGES,
    Facts,
    Stage,
    brief_gaps,
    following,
    invalidated,
    may_move,
    reasons,
)

STAGE = st.sampled_from(STAGES)
REASONS = st.lists(st.text(min_size=1, max_size=20), max_size=3).map(tuple)


def a_chip(identity: str = "objective", **given_: Any) -> Chip:
    full = {"kind": "objective", "text": "win back", "confidence": 0.9, "rule": "words",
            "goal": Goal(goal="win_back")}  # fmt: skip
    return Chip(id=identity, **(full | given_))


def a_brief(*chips: Chip, questions: tuple[Question, ...] = ()) -> Brief:
    return Brief(intent="win back", brain="rules", chips=chips or (a_chip(),), questions=questions)


OPEN = Facts(
    brief=a_brief(), acknowledged_by=("a", "b"), capacities=frozenset({"owner", "governance"}),
    scopes_granted=True, coverage=COVERAGE_GATE, play_selected=True, approved=True, digest_matches=True,
    expired=False, steps_settled=True, bundle_sealed=True,
)  # fmt: skip


@given(current=STAGE, to=STAGE, shut=REASONS)
def test_a_mission_moves_one_stage_forward_through_an_open_gate_or_back(
    current: Stage, to: Stage, shut: tuple[str, ...]
) -> None:
    """I-4."""
    step = STAGES.index(to) - STAGES.index(current)
    allowed = may_move(current, to, shut) == ""
    assert allowed == ((step == 1 and not shut) or step < 0)


@given(moves=st.lists(st.tuples(STAGE, REASONS), max_size=30))
def test_no_sequence_of_moves_reaches_a_stage_without_passing_all_before_it(
    moves: list[tuple[Stage, tuple[str, ...]]],
) -> None:
    here: Stage = "Home"
    passed = {"Home"}
    for to, shut in moves:
        if may_move(here, to, shut) == "":
            here = to
            passed.add(to)
        assert set(STAGES[: STAGES.index(here) + 1]) <= passed


def test_the_stages_follow_one_another_to_the_end_and_each_owes_an_output() -> None:
    walked: list[Stage] = ["Home"]
    while (to := following(walked[-1])) is not None:
        walked.append(to)
    assert tuple(walked) == STAGES == get_args(Stage)
    assert set(REQUIRED) == set(STAGES)
    assert len(set(REQUIRED.values())) == len(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_every_gate_is_shut_by_default_and_opens_when_everything_is_there(stage: Stage) -> None:
    assert (reasons(stage, Facts()) == ()) == (stage == "Home")
    assert (reasons(stage, OPEN) == ()) == (stage != "Reflect")


SPOIL: dict[str, tuple[Stage, dict[str, Any]]] = {
    "no brief": ("Define", {"brief": None}),
    "an open question": (
        "Define",
        {"brief": a_brief(questions=(Question(id="q-1", text="which?"),))},
    ),
    "one acknowledgement": ("Define", {"acknowledged_by": ("a",)}),
    "one person twice": ("Define", {"acknowledged_by": ("a", "a")}),
    "two owners, no governance": ("Define", {"capacities": frozenset({"owner"})}),
    "no owner": ("Define", {"capacities": frozenset({"governance"})}),
    "no scopes": ("Prepare", {"scopes_granted": False}),
    "too little coverage": ("Prepare", {"coverage": COVERAGE_GATE - 0.01}),
    "a connection in trouble": ("Prepare", {"problems": ("accounts.csv is gone",)}),
    "an override does not mend a connection": (
        "Prepare",
        {"problems": ("gone",), "override": True},
    ),
    "no play": ("Plan", {"play_selected": False}),
    "a play that lacks a scope": ("Plan", {"degraded": True}),
    "not approved": ("Approve", {"approved": False}),
    "expired": ("Approve", {"expired": True}),
    "another plan": ("Approve", {"digest_matches": False}),
    "open steps": ("Execute", {"steps_settled": False}),
    "no evidence": ("Execute", {"bundle_sealed": False}),
}


@pytest.mark.parametrize("flaw", SPOIL)
def test_one_missing_output_shuts_its_own_gate_with_a_sentence(flaw: str) -> None:
    stage, change = SPOIL[flaw]
    found = reasons(stage, replace(OPEN, **change))
    assert found
    assert all(found)
    to = following(stage)
    assert to is not None
    assert may_move(stage, to, found) == "; ".join(found)
    for other in STAGES:
        if other not in (stage, "Reflect"):
            assert reasons(other, replace(OPEN, **change)) == ()


@given(flaws=st.sets(st.sampled_from(sorted(SPOIL)), min_size=1))
def test_a_shut_gate_is_not_opened_by_anything_else(flaws: set[str]) -> None:
    facts = OPEN
    for flaw in sorted(flaws):
        facts = replace(facts, **SPOIL[flaw][1])
    stages = {SPOIL[flaw][0] for flaw in flaws}
    for stage in stages:
        assert reasons(stage, facts)


def test_governance_may_override_coverage_and_only_coverage() -> None:
    """TR-6."""
    assert reasons("Prepare", replace(OPEN, coverage=0.0, override=True)) == ()
    assert reasons("Prepare", replace(OPEN, scopes_granted=False, override=True))


def test_going_back_names_what_becomes_invalid() -> None:
    assert {stage: invalidated(stage) for stage in STAGES} == {
        "Home": ("acknowledgements", "inspection", "plays", "approval"),
        "Define": ("acknowledgements", "inspection", "plays", "approval"),
        "Prepare": ("inspection", "plays", "approval"),
        "Plan": ("plays", "approval"),
        "Approve": ("approval",),
        "Execute": (),
        "Reflect": (),
    }


@given(confidence=st.floats(0, 1), accepted=st.booleans(),
       source=st.sampled_from(["generated", "user", "default"]))  # fmt: skip
def test_an_uncertain_chip_needs_a_persons_word_before_the_brief_is_locked(
    confidence: float, accepted: bool, source: Any
) -> None:
    """domain.md 2: low-certainty chips require an edit or an explicit acceptance."""
    chip = a_chip("kpi-1", kind="kpi", goal=None, confidence=confidence, source=source)
    gaps = brief_gaps(a_brief(a_chip(), chip), frozenset({"kpi-1"}) if accepted else frozenset())
    assert bool(gaps) == (confidence < 0.5 and source == "generated" and not accepted)
    assert all("kpi-1" in gap for gap in gaps)


def test_a_brief_without_an_understood_objective_or_with_a_question_has_gaps() -> None:
    assert brief_gaps(None, frozenset())
    assert brief_gaps(a_brief(a_chip("audience", kind="audience", goal=None)), frozenset())
    assert brief_gaps(a_brief(a_chip(goal=Goal(goal=""))), frozenset({"objective"}))
    asked = a_brief(questions=(Question(id="q-1", text="which list?"),))
    assert brief_gaps(asked, frozenset({"q-1"})) == ("q-1 is open: which list?",)
    assert brief_gaps(a_brief(), frozenset()) == ()
