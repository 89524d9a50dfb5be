"""The gate lets exactly the approved call through, and nothing that differs in anything (I-1, TR-10 to TR-12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aicp.toolkits.model import ToolSpec
from aicp.trust.gate import Asked, Facts, judge, resolve
from aicp.trust.plan import Plan
from trust.plans import SPECS, a_plan, outputs, the_call, the_facts

PLAN = a_plan()
CURSORS = st.integers(0, 2)
WORDS = st.text(max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)


def world(cursor: int) -> tuple[Asked, Plan, ToolSpec | None, Facts]:
    name = PLAN.play.steps[cursor].tool_name
    return the_call(PLAN, cursor), PLAN, SPECS[name], the_facts(PLAN, cursor)


@pytest.mark.parametrize("cursor", [0, 1, 2])
def test_the_exact_call_at_the_cursor_is_allowed(cursor: int) -> None:
    verdict = judge(*world(cursor))
    assert (verdict.allowed, verdict.rule, verdict.why) == (True, "ok", "")


@given(cursor=CURSORS, name=WORDS, value=JSON, drop=st.booleans(), data=st.data())
def test_any_other_argument_is_denied(
    cursor: int, name: str, value: Any, drop: bool, data: st.DataObject
) -> None:
    """Changed, added or missing, at any depth: the digest of the arguments decides."""
    asked, plan, spec, facts = world(cursor)
    known = data.draw(st.sampled_from(sorted(asked.args)))
    where = data.draw(st.sampled_from([known, name]))
    args = {k: v for k, v in asked.args.items() if k != known} if drop else asked.args
    args = args if drop else args | {where: value}
    assume(args != asked.args)
    verdict = judge(replace(asked, args=args), plan, spec, facts)
    assert (verdict.allowed, verdict.rule) == (False, "exact-call")
    assert verdict.why


@given(cursor=CURSORS, tool=WORDS, account=WORDS, data=st.data())
def test_another_tool_account_or_order_is_denied(
    cursor: int, tool: str, account: str, data: st.DataObject
) -> None:
    asked, plan, spec, facts = world(cursor)
    other = data.draw(st.sampled_from([c for c in range(3) if c != cursor]))
    wrong = data.draw(
        st.sampled_from(
            [
                the_call(PLAN, other),
                replace(asked, tool=tool),
                replace(asked, tool=f"{asked.tool}0"),
                replace(asked, tool=asked.tool.split("@")[0]),
                replace(asked, account=account),
            ]
        )
    )
    verdict = judge(wrong, plan, spec, facts)
    assert (verdict.allowed, verdict.rule) == (False, "exact-call")


FLAWS: dict[str, tuple[str, Callable[[Facts], Facts]]] = {
    "paused": ("run-state", lambda f: replace(f, run_state="paused")),
    "idle": ("run-state", lambda f: replace(f, run_state="idle")),
    "stopped": ("run-state", lambda f: replace(f, run_state="stopped")),
    "held": ("run-state", lambda f: replace(f, run_state="held")),
    "undoing": ("run-state", lambda f: replace(f, run_state="undoing")),
    "no state": ("run-state", lambda f: replace(f, run_state="")),
    "not approved yet": ("approval", lambda f: replace(f, approval_status="requested")),
    "rejected": ("approval", lambda f: replace(f, approval_status="rejected")),
    "expired": ("approval", lambda f: replace(f, approval_status="expired")),
    "voided": ("approval", lambda f: replace(f, approval_status="voided")),
    "no approval": ("approval", lambda f: replace(f, approval_status="")),
    "not consumed": ("approval", lambda f: replace(f, approval_consumed=False)),
    "another digest approved": ("approval", lambda f: replace(f, approved_digest="0" * 64)),
    "another digest stored": ("approval", lambda f: replace(f, plan_digest="0" * 64)),
    "no digest at all": ("approval", lambda f: replace(f, plan_digest="", approved_digest="")),
    "plan is done": ("cursor", lambda f: replace(f, cursor=3)),
    "cursor before the plan": ("cursor", lambda f: replace(f, cursor=-1)),
    "nothing granted": ("scope", lambda f: replace(f, granted_scopes=frozenset())),
    "outputs are lost": ("exact-call", lambda f: replace(f, outputs={})),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_each_fact_that_is_not_as_it_must_be_denies_with_its_rule(flaw: str) -> None:
    rule, spoil = FLAWS[flaw]
    asked, plan, spec, facts = world(1)
    verdict = judge(asked, plan, spec, spoil(facts))
    assert (verdict.allowed, verdict.rule) == (False, rule)
    assert verdict.why


@given(flaws=st.sets(st.sampled_from(sorted(FLAWS)), min_size=1))
def test_no_combination_of_flaws_opens_the_gate(flaws: set[str]) -> None:
    asked, plan, spec, facts = world(1)
    for flaw in sorted(flaws):
        facts = FLAWS[flaw][1](facts)
    assert not judge(asked, plan, spec, facts).allowed


def test_a_plan_other_than_the_approved_one_is_denied_even_under_the_old_digest() -> None:
    """TR-10: the plan in hand is hashed again; what the database says about it is not enough."""
    asked, plan, spec, facts = world(0)
    changed = plan.model_copy(update={"scopes": (*plan.scopes, "table:delete")})
    assert judge(asked, changed, spec, facts).rule == "approval"


def test_a_tool_that_changed_its_declaration_is_denied() -> None:
    asked, plan, spec, facts = world(0)
    assert spec is not None
    assert judge(asked, plan, None, facts).rule == "tool"
    assert judge(asked, plan, replace(spec, description="new words"), facts).rule == "tool"
    assert judge(asked, plan, replace(spec, mutates=False), facts).rule == "tool"


def test_a_scope_the_approval_does_not_cover_is_denied_even_when_granted() -> None:
    """TR-5, TR-12: granted is not enough, the approved plan must name it."""
    narrow = PLAN.model_copy(update={"scopes": ("mail:draft",)})
    facts = the_facts(narrow, 2, granted_scopes=frozenset(PLAN.scopes))
    verdict = judge(the_call(narrow, 2), narrow, SPECS["table.update"], facts)
    assert (verdict.allowed, verdict.rule) == (False, "scope")


def test_arguments_that_do_not_fit_the_declaration_are_denied_even_when_approved() -> None:
    steps = (PLAN.play.steps[0].model_copy(update={"args": {"to": 7, "subject": "x"}}),)
    plan = PLAN.model_copy(update={"play": PLAN.play.model_copy(update={"steps": steps})})
    verdict = judge(the_call(plan, 0), plan, SPECS["mail.draft"], the_facts(plan, 0))
    assert (verdict.allowed, verdict.rule) == (False, "arguments")


@given(value=JSON)
def test_a_reference_outside_its_approved_domain_is_denied(value: Any) -> None:
    """agents.md A3: the domain was approved, so an output may not widen it."""
    asked, plan, spec, facts = world(1)
    spoiled = replace(facts, outputs=outputs(draft=value))
    verdict = judge(replace(asked, args=asked.args | {"draft": value}), plan, spec, spoiled)
    assert (verdict.allowed, verdict.rule) == (False, "exact-call")
    args, why = resolve(plan.play.steps[1], spoiled.outputs)
    assert why
    assert "draft" not in args


@given(digits=st.text("0123456789abcdef", min_size=24, max_size=24))
def test_a_reference_inside_its_domain_is_filled_in_and_then_bound(digits: str) -> None:
    asked, plan, spec, facts = world(1)
    found = replace(facts, outputs=outputs(draft=digits))
    right = replace(asked, args=asked.args | {"draft": digits})
    assert judge(right, plan, spec, found).allowed
    flipped = digits[:-1] + ("0" if digits[-1] != "0" else "1")
    wrong = replace(asked, args=asked.args | {"draft": flipped})
    assert judge(wrong, plan, spec, found).rule == "exact-call"
