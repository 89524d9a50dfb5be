"""People correct a brief: revise, accept, answer; what they did not touch stays."""

from __future__ import annotations

import pytest

from aicp.brain.intake import LEAVE_OUT, accept, answer, revise, understand
from aicp.errors import BadInput
from brain.tables import CRM, NOW

INTENT = (
    "Win back our 10 best retail accounts, skip the do-not-contact list, send only Tue 9-17 UTC"
)


@pytest.fixture
def brief():
    return understand(INTENT, [CRM], now=NOW)


def test_a_revised_chip_is_certain_and_the_others_stay(brief):
    changed = revise(brief, "audience", "the 5 largest manufacturing accounts", [CRM], NOW)
    chip = changed.chips_of("audience")[0]
    assert (chip.source, chip.confidence) == ("user", 1.0)
    assert [(c.column, c.value) for c in chip.audience.where] == [("industry", "Manufacturing")]
    assert chip.audience.limit == 5
    assert [c for c in changed.chips if c.kind != "audience"] == [
        c for c in brief.chips if c.kind != "audience"
    ]


def test_a_rewritten_audience_keeps_its_exclusions(brief):
    changed = revise(brief, "audience", "manufacturing accounts not in Germany", [CRM], NOW)
    assert {c.column for c in changed.audience.exclude} == {"do_not_contact", "country"}
    guarded = {s.params["column"] for s in changed.safeguards if s.kind == "exclusion"}
    assert guarded == {"do_not_contact", "country"}


def test_an_edited_exclusion_edits_the_audience_too(brief):
    old = next(c for c in brief.chips if c.safeguard and c.safeguard.kind == "exclusion")
    changed = revise(brief, old.id, "skip accounts in France", [CRM], NOW)
    assert [(c.column, c.value) for c in changed.audience.exclude] == [("country", "France")]


def test_human_edits_outlive_later_ones(brief):
    window = next(c for c in brief.chips if c.safeguard and c.safeguard.kind == "window")
    first = revise(brief, window.id, "send only Mon 8-10 UTC", [CRM], NOW)
    second = revise(first, "audience", "health care accounts", [CRM], NOW)
    assert next(c for c in second.chips if c.id == window.id) == next(
        c for c in first.chips if c.id == window.id
    )


def test_words_that_say_nothing_of_the_kind_are_refused(brief):
    for chip, text in (
        ("audience", "bananas not apples"),
        ("objective", "sing"),
        ("nonsense", "x"),
        ("audience", ""),
    ):
        with pytest.raises(BadInput):
            revise(brief, chip, text, [CRM], NOW)


def test_accepting_makes_a_doubtful_chip_certain():
    brief = understand("Win back manufactuing accounts", [CRM], now=NOW)
    chip = accept(brief, "audience").chips_of("audience")[0]
    assert (chip.confidence, chip.source, chip.audience) == (1.0, "user", brief.audience)
    with pytest.raises(BadInput):
        accept(brief, "kpi-9")


def test_answering_settles_a_question():
    brief = understand("Win back retail accounts and delete the others", [CRM], now=NOW)
    question = brief.questions[0]
    assert answer(brief, question.id, LEAVE_OUT, [CRM], NOW).questions == ()
    more = answer(brief, question.id, "not in Germany", [CRM], NOW)
    assert [c.value for c in more.audience.exclude] == ["Germany"]
    assert any(s.kind == "exclusion" for s in more.safeguards)
    with pytest.raises(BadInput):
        answer(brief, question.id, "sing", [CRM], NOW)


def test_a_missing_objective_can_be_given():
    brief = understand("Retail accounts in Germany", [CRM], now=NOW)
    assert brief.objective is None
    assert brief.questions
    given = revise(brief, "objective", "win back", [CRM], NOW)
    assert given.objective.goal.goal == "win_back"
    assert not [q for q in given.questions if "should be done" in q.text]
