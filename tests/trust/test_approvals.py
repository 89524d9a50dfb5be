"""Who must approve, and when a decision counts (TR-9, TR-10, domain.md 5): the rules without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicp.trust.approvals import REQUIRED, Decider, Refusal, Request, capacity_for, complete
from aicp.trust.plan import Risk

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
PEOPLE = [UUID(int=n) for n in range(1, 5)]
OWNER = PEOPLE[0]
DIGEST = "d" * 64
RISKS = st.sampled_from(get_args(Risk))
ROLES = st.sets(
    st.sampled_from(["operator", "governance", "engineering_lead", "security_lead", "analytics"])
)


def a_request(risk: Risk, **given: object) -> Request:
    request = Request(
        digest=DIGEST, required=REQUIRED[risk], risk=risk, status="requested", requested_by=OWNER,
        expires_at=NOW + timedelta(hours=24), consumed=False, decided=(),
    )  # fmt: skip
    return replace(request, **given)  # type: ignore[arg-type]


def decide(request: Request, decider: Decider) -> Request:
    """One person's decision, counted when it counts."""
    capacity = capacity_for(request, decider, DIGEST, NOW)
    if isinstance(capacity, Refusal):
        return request
    return replace(request, decided=(*request.decided, (decider.person_id, capacity)))


@given(risk=RISKS, roles=st.lists(ROLES, min_size=4, max_size=4), order=st.lists(st.integers(0, 3)))
def test_whoever_decides_in_whatever_order_dual_control_holds(
    risk: Risk, roles: list[set[str]], order: list[int]
) -> None:
    """TR-10: high and critical are never complete with one person, whatever hats that person wears."""
    request = a_request(risk)
    for n in order:
        request = decide(request, Decider(PEOPLE[n], n == 0, tuple(roles[n])))
    people = [person for person, _ in request.decided]
    capacities = [capacity for _, capacity in request.decided]
    assert len(set(people)) == len(people)
    assert len(set(capacities)) == len(capacities)
    assert set(capacities) <= set(request.required)
    if complete(request) is None:
        assert set(capacities) == set(request.required)
        if risk in ("high", "critical"):
            assert len(people) >= 2
            assert set(people) != {request.requested_by}
    for person, capacity in request.decided:
        n = PEOPLE.index(person)
        held = Decider(person, n == 0, tuple(roles[n])).capacities
        stands_in = capacity == "owner" and risk == "medium" and "governance" in held
        assert capacity in held or stands_in


@given(risk=RISKS)
def test_one_person_with_every_role_counts_once(risk: Risk) -> None:
    everything = Decider(OWNER, True, ("governance", "engineering_lead", "security_lead"))
    request = decide(decide(a_request(risk), everything), everything)
    assert len(request.decided) == 1
    again = capacity_for(request, everything, DIGEST, NOW)
    assert isinstance(again, Refusal)
    assert again.rule == "same-person"
    assert (complete(request) is None) == (risk in ("low", "medium_low", "medium"))


def test_the_requester_alone_never_completes_high_risk_even_when_the_rows_say_so() -> None:
    """Defence in depth: two capacities by the requester are still one person."""
    request = a_request("high", decided=((OWNER, "owner"), (OWNER, "governance")))
    found = complete(request)
    assert found is not None
    assert found.rule == "self-approval"


@pytest.mark.parametrize(
    ("risk", "roles", "owns", "capacity"),
    [
        ("low", (), True, "owner"),
        ("medium_low", (), True, "owner"),
        ("low", ("governance",), False, None),
        ("medium", ("governance",), False, "owner"),
        ("high", ("governance",), False, "governance"),
        ("high", ("security_lead",), False, None),
        ("critical", (), True, None),
        ("critical", ("governance",), False, "governance"),
        ("critical", ("engineering_lead",), False, "lead"),
        ("critical", ("security_lead",), False, "lead"),
    ],
)
def test_risk_decides_who(
    risk: Risk, roles: tuple[str, ...], owns: bool, capacity: str | None
) -> None:
    found = capacity_for(a_request(risk), Decider(PEOPLE[1], owns, roles), DIGEST, NOW)
    if capacity is None:
        assert isinstance(found, Refusal)
        assert found.rule == "role"
    else:
        assert found == capacity


@given(digest=st.text(max_size=70), seconds=st.integers(-100_000, 100_000), consumed=st.booleans(),
       status=st.sampled_from(["requested", "approved", "rejected", "expired", "voided"]))  # fmt: skip
def test_a_decision_counts_only_on_this_digest_in_time_once_and_while_open(
    digest: str, seconds: int, consumed: bool, status: str
) -> None:
    request = a_request("low", status=status, consumed=consumed)
    now = request.expires_at + timedelta(seconds=seconds)
    owner = Decider(OWNER, True, ())
    for said in (digest, DIGEST):
        found = capacity_for(request, owner, said, now)
        counts = status == "requested" and not consumed and seconds < 0 and said == DIGEST
        assert (found == "owner") == counts
        if isinstance(found, Refusal):
            assert found.rule in {"used-once", "not-open", "expired", "digest"}
            assert found.why
