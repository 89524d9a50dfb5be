"""The win-back sentence, whole: every part with its words, nothing left over."""

from __future__ import annotations

from aicp.brain.brief import Condition
from aicp.brain.intake import understand
from brain.tables import CRM, NOW

SENTENCE = (
    "Win back our 20 best manufacturing accounts (over $50k ARR) that went quiet in Q2; warm advisory e-mails, "
    "no promotion, send only Tue–Thu 9–17 recipient time, skip the do-not-contact list."
)


def test_the_sentence_is_understood_whole():
    brief = understand(SENTENCE, [CRM], now=NOW)
    assert (brief.questions, brief.not_understood) == ((), ())
    assert brief.objective is not None
    assert brief.objective.goal is not None
    assert brief.objective.goal.goal == "win_back"
    audience = brief.audience
    assert audience is not None
    assert sorted(audience.where, key=lambda c: c.column) == [
        Condition(column="arr_usd", op="gt", value=50_000),
        Condition(column="industry", op="eq", value="Manufacturing"),
        Condition(column="last_activity", op="between", value=["2026-04-01", "2026-06-30"]),
    ]
    assert audience.exclude == (Condition(column="do_not_contact", op="eq", value=True),)
    assert (audience.order_by, audience.descending, audience.limit) == ("arr_usd", True, 20)


def test_its_safeguards_are_window_tone_exclusion_and_the_defaults():
    guards = {s.kind: s for s in understand(SENTENCE, [CRM], now=NOW).safeguards}
    assert guards["window"].params == {
        "weekdays": [2, 3, 4], "from": "09:00", "until": "17:00", "zone": "recipient", "zone_column": "timezone",
    }  # fmt: skip
    assert "discount" in guards["tone"].params["forbid"]
    assert guards["exclusion"].params["column"] == "do_not_contact"
    assert {k for k, s in guards.items() if s.source == "default"} == {
        "records",
        "privacy",
        "rollback",
    }


def test_every_chip_shows_the_very_words_it_came_from():
    for chip in understand(SENTENCE, [CRM], now=NOW).chips:
        assert chip.spans or chip.source == "default"
        assert all(SENTENCE[s.start : s.end] == s.text for s in chip.spans)
