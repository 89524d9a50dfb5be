"""Words that would turn or widen the rows of a mission are never lost on the way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aicp.brain.intake import accept, answer, revise, understand
from aicp.errors import BadInput
from aicp.missions.lifecycle import brief_gaps
from brain.tables import CRM, NOW


def read(intent: str):
    return understand(intent, [CRM], now=NOW)


@pytest.mark.parametrize(
    "intent",
    [
        "Email retail accounts unless they are in Germany",
        "Email retail accounts barring Germany",
        "Email retail accounts, save for Germany",
        "Email retail accounts, rather than those in Germany",
        "Email retail accounts instead of Germany",
        "Email retail accounts, aside from Germany",
        "Email retail accounts; stay away from Germany",
    ],
)
def test_every_way_to_leave_rows_out_leaves_them_out(intent):
    brief = read(intent)
    assert [c.value for c in brief.audience.exclude] == ["Germany"]
    assert "Germany" not in [c.value for c in brief.audience.where]
    assert [g.params["values"] for g in brief.safeguards if g.kind == "exclusion"] == [["Germany"]]


@pytest.mark.parametrize(
    "intent",
    [
        "Write to all accounts in Berlin",
        "Win back retail accounts in Europe",
        "Email half of the retail accounts",
        "Email only new retail accounts",
        "Email some retail accounts",
        "Email the other retail accounts",
        "Win back retail accounts; leave our partners alone",
        "Win back retail accounts, bar Italy",
        "Merge duplicates by email but keep the retail ones separate",
    ],
)
def test_unread_words_about_the_rows_need_a_persons_review(intent):
    brief = read(intent)
    assert brief.not_understood
    assert any(gap.startswith("audience needs your review") for gap in brief_gaps(brief, frozenset()))  # fmt: skip
    taken = accept(brief, "audience")
    assert not any("audience" in gap for gap in brief_gaps(taken, frozenset()))


def test_a_value_the_table_holds_needs_no_review():
    brief = read("Write to all accounts in Germany")
    assert (brief.not_understood, brief_gaps(brief, frozenset())) == ((), ())


def test_a_correction_with_unknown_words_is_refused_not_widened():
    brief = read("Write to all accounts in Germany")
    for words in ("accounts in Berlin", "retail accounts in Berlin"):
        with pytest.raises(BadInput, match="'Berlin' names no column or value"):
            revise(brief, "audience", words, [CRM], NOW)


def test_an_answer_with_unknown_words_is_refused_not_widened():
    brief = read("Email retail accounts except partners")
    with pytest.raises(BadInput, match="'Berlin' names no column or value"):
        answer(brief, brief.questions[0].id, "retail accounts in Berlin", [CRM], NOW)


def test_a_cell_that_says_a_marker_does_not_turn_a_filter_around():
    industry = next(c for c in CRM.columns if c.name == "industry")
    cells = replace(industry, values=(*industry.values, "Unless"))
    table = replace(CRM, columns=tuple(cells if c is industry else c for c in CRM.columns))
    brief = understand("Email accounts where industry is Unless", [table], now=NOW)
    assert [c.value for c in brief.audience.where] == ["Unless"]
