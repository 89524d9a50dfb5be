"""The difference of two plans names every change a digest would show, and nothing else."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aicp.trust.difference import differences
from aicp.trust.plan import Plan
from trust.plans import a_plan

VALUES = st.one_of(st.none(), st.integers(0, 2), st.sampled_from(["", "a"]))
ARGS = st.dictionaries(st.sampled_from(["key", "to", "note"]), VALUES, max_size=3)
STEPS = st.lists(
    st.tuples(ARGS, st.sampled_from(["", "Acme"]), st.sampled_from(["", "v1"])), max_size=4
)
VERSIONS = st.dictionaries(st.just("t.csv"), st.sampled_from(["1", "2"]))
PARTS = st.tuples(STEPS, st.sets(st.sampled_from(["a:r", "b:w"])), VERSIONS)


def plan_of(steps: list[Any], scopes: set[str], versions: dict[str, str]) -> Plan:
    base = a_plan()
    made = tuple(
        base.play.steps[0].model_copy(
            update={"seq": n, "args": args, "subject": subject, "expect_version": version}
        )
        for n, (args, subject, version) in enumerate(steps, 1)
    )
    return base.model_copy(update={
        "play": base.play.model_copy(update={"steps": made}),
        "scopes": tuple(sorted(scopes)), "data_versions": versions,
    })  # fmt: skip


@given(PARTS, PARTS)
def test_plans_differ_exactly_when_their_digests_do(one: Any, other: Any) -> None:
    old, new = plan_of(*one), plan_of(*other)
    assert (differences(old, new) == ()) is (old.digest == new.digest)


@given(PARTS, PARTS)
def test_a_difference_read_backwards_is_the_same_difference(one: Any, other: Any) -> None:
    back = {"added": "removed", "removed": "added", "changed": "changed", "moved": "moved"}
    there = Counter((c.what, c.kind) for c in differences(plan_of(*one), plan_of(*other)))
    here = Counter((c.what, back[c.kind]) for c in differences(plan_of(*other), plan_of(*one)))
    assert there == here
