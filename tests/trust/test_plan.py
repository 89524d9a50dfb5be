"""The digest people approve covers everything a plan says (TR-10); the risk table is the source's (TR-8)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aicp.kernel.canonical import digest
from aicp.toolkits.model import UndoTier
from aicp.trust.plan import IMPACTS, RISK, Plan, reversibility_of, risk_of
from trust.plans import a_plan

PLAN = a_plan()
DOC = PLAN.model_dump(mode="json")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every scalar in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [
        found
        for key, child in inner
        for found in (
            leaves(child, (*path, key)) if isinstance(child, dict | list) else [(*path, key)]
        )
    ]


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    copy = json.loads(json.dumps(value))
    at = copy
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = new
    return copy


def other(value: Any) -> Any:
    """The same kind of value, as little different as can be."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}x"


@given(path=st.sampled_from(leaves(DOC)))
def test_changing_any_single_field_changes_the_digest(path: tuple[Any, ...]) -> None:
    """Every scalar of the plan, however deep, is bound by the approval."""
    at = DOC
    for key in path:
        at = at[key]
    changed = put(DOC, path, other(at))
    assert digest(changed) != PLAN.digest
    try:
        again = Plan.model_validate(changed)
    except ValidationError:
        return  # an enumerated field took a value it cannot have: it is refused outright
    assert again.digest != PLAN.digest


@given(where=st.sampled_from(["steps", "safeguards", "scopes"]), data=st.data())
def test_leaving_out_or_reordering_anything_changes_the_digest(
    where: str, data: st.DataObject
) -> None:
    found = DOC["play"]["steps"] if where == "steps" else DOC[where]
    drop = data.draw(st.integers(0, len(found) - 1))
    shorter = found[:drop] + found[drop + 1 :]
    path = ("play", "steps") if where == "steps" else (where,)
    assert digest(put(DOC, path, shorter)) != PLAN.digest
    if len(found) > 1:
        assert digest(put(DOC, path, found[::-1])) != PLAN.digest


def test_the_digest_survives_a_round_trip_through_json_and_does_not_depend_on_key_order() -> None:
    text = json.dumps(DOC, sort_keys=True, indent=2)
    backwards = json.dumps(dict(reversed(list(json.loads(text).items()))))
    for said in (text, backwards, PLAN.model_dump_json()):
        assert Plan.model_validate_json(said).digest == PLAN.digest
    assert len(PLAN.digest) == 64


@given(name=st.sampled_from(["play", "extra", "steps"]))
def test_a_plan_with_a_field_nobody_knows_is_refused(name: str) -> None:
    path = {"play": ("play", "x"), "extra": ("x",), "steps": ("play", "steps", 0, "x")}[name]
    with pytest.raises(ValidationError):
        Plan.model_validate(put(DOC, path, "smuggled"))


@pytest.mark.parametrize(
    ("impact", "reversibility", "risk"),
    [
        ("medium", "high", "medium_low"),
        ("high", "high", "medium"),
        ("critical", "high", "high"),
        ("high", "read-only", "low"),
    ],
)
def test_the_risk_table_reproduces_the_four_source_examples(
    impact: str, reversibility: str, risk: str
) -> None:
    """domain.md 5."""
    assert risk_of(impact, reversibility) == risk


def test_more_impact_or_less_reversibility_never_lowers_the_risk() -> None:
    order = ["low", "medium_low", "medium", "high", "critical"]
    for column in RISK.values():
        ranks = [order.index(risk) for risk in column]
        assert ranks == sorted(ranks)
    for impact in IMPACTS:
        row = [order.index(risk_of(impact, r)) for r in ("high", "medium", "low", "none")]
        assert row == sorted(row)


@given(tiers=st.lists(st.sampled_from(list(UndoTier)), max_size=5), mutates=st.booleans())
def test_the_worst_tier_of_a_mutating_step_decides_the_reversibility(
    tiers: list[UndoTier], mutates: bool
) -> None:
    base = PLAN.play.steps[0]
    steps = tuple(base.model_copy(update={"undo_tier": t, "mutates": mutates}) for t in tiers)
    found = reversibility_of(steps)
    if not mutates or not tiers:
        assert found == "read-only"
        return
    names = {"T0": "high", "T1": "high", "T3": "high", "T2": "medium", "T4": "low", "T5": "none"}
    order = ["high", "medium", "low", "none"]
    assert found == max((names[t.value] for t in tiers), key=order.index)
