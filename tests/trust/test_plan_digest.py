"""The digest of a plan is that of the plan as it is now, however often it was asked before."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicp.kernel.canonical import digest
from aicp.toolkits.model import UndoTier
from aicp.trust.plan import Plan, Play, Step

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)  # fmt: skip


def plan_with(args: dict[str, Any]) -> Plan:
    steps = tuple(
        Step(
            seq=seq, tool="mail.draft@0", account="mail", args=args, provenance={}, effect="",
            mutates=True, undo_tier=UndoTier.T1, undo="",
        )
        for seq in (1, 2)
    )  # fmt: skip
    play = Play(
        id="p", title="", summary="", rationale="", steps=steps, score=1.0, terms=(), impact="low",
        reversibility="high", risk="low", affected={},
    )  # fmt: skip
    return Plan(mission_id="m", play=play, safeguards=(), scopes=(), data_versions={})


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_it_is_sha_256_over_the_canonical_form_of_the_whole_plan(args: dict[str, Any]) -> None:
    """TR-10: keeping digests by content changes none of them."""
    plan = plan_with(args)
    assert plan.digest == digest(plan.model_dump(mode="json"))
    assert plan.digest == plan_with(args).digest


def test_a_plan_changed_in_memory_by_one_character_has_another_digest() -> None:
    """TR-10: the gate asks before every call and would see it."""
    plan = plan_with({"body": "Hello Kim"})
    before = plan.digest
    plan.play.steps[1].args["body"] = "Hello Kin"
    assert plan.digest != before
    plan.play.steps[1].args["body"] = "Hello Kim"
    assert plan.digest == before


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53 + 1, "\ud800", object()])
def test_a_plan_with_a_value_that_is_not_json_has_no_digest(value: object) -> None:
    plan = plan_with({"to": "kim@there.example"})
    plan.play.steps[0].args["amount"] = value
    with pytest.raises(ValueError, match=r"."):
        _ = plan.digest
