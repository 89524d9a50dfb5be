"""Limits as pure rules, for all inputs: backoff, breaker, quotas (TR-13, TR-14, TR-15, MI-8, C-9)."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from aicp.trust import limits
from aicp.trust.limits import Breaker, Limits, Quota, Traffic, Wait

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
COOLDOWN = timedelta(seconds=60)


def seconds(failed: int, **given: float | bool) -> float | None:
    wait = limits.backoff(failed, **({"retryable": True} | given))  # type: ignore[arg-type]
    return wait.total_seconds() if wait is not None else None


# Backoff --------------------------------------------------------------------------------------


def test_a_call_is_tried_five_times_after_one_two_four_and_eight_seconds() -> None:
    assert [seconds(n) for n in range(1, 7)] == [1, 2, 4, 8, None, None]


@given(failed=st.integers(1, 9), asked=st.floats(allow_nan=True))
def test_only_what_may_be_retried_is_and_a_longer_wish_of_the_other_side_wins(
    failed: int, asked: float
) -> None:
    assert seconds(failed, retryable=False, retry_after=asked) is None
    wait = seconds(failed, retry_after=asked)
    if failed >= limits.ATTEMPTS or asked > limits.PATIENCE.total_seconds():
        assert wait is None
    else:
        own = limits.BACKOFF[failed - 1]
        wish = 0.0 if math.isnan(asked) else asked
        assert wait == pytest.approx(max(own, wish), abs=1e-6)


# The breaker ----------------------------------------------------------------------------------


class ABreaker(RuleBasedStateMachine):
    """Many workers and one breaker: calls begin, end in any order, die; the clock goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.breaker, self.made = NOW, Breaker(), 0
        self.under_way: dict[str, str] = {}  # key -> the state in which it was let through
        self.in_a_row = 0  # failed calls while closed, counted by hand
        self.opened_at: datetime | None = None

    @rule(by=st.integers(1, 200))
    def time_goes_on(self, by: int) -> None:
        self.now += timedelta(seconds=by)

    @rule()
    def a_call_wants_in(self) -> None:
        key, self.made = f"k{self.made}", self.made + 1
        state, probing = self.breaker.state(self.now), self.breaker.probing(self.now)
        self.breaker, until = limits.enter(self.breaker, key, self.now)
        if until is None:
            assert state == "closed" or (state == "half_open" and not probing)
            self.under_way[key] = state
        else:
            assert until > self.now
            assert state == "open" or probing
            assert state != "open" or until == self.breaker.resume_at

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), result=st.sampled_from(["done", "failed", "attempt", "void"]))
    def a_call_ends(self, data: st.DataObject, result: limits.Result) -> None:
        key = data.draw(st.sampled_from(sorted(self.under_way)))
        del self.under_way[key]
        before, state = self.breaker, self.breaker.state(self.now)
        self.breaker = limits.after(self.breaker, key, result, self.now, COOLDOWN)
        if before.resume_at is None:
            self._ends_while_closed(result)
        elif before.probe != key:
            assert self.breaker == before, f"only the probe has a say while it is {state}"
        else:
            self._probe_ends(result)

    def _ends_while_closed(self, result: str) -> None:
        self.in_a_row = {"done": 0, "failed": self.in_a_row + 1}.get(result, self.in_a_row)
        opens = self.in_a_row >= limits.FAILED_CALLS
        assert (self.breaker.state(self.now) == "open") is opens
        assert self.breaker.failed == self.in_a_row
        if opens:
            assert self.breaker.resume_at == self.now + COOLDOWN

    def _probe_ends(self, result: str) -> None:
        wanted = {"done": "closed", "void": "half_open"}.get(result, "open")
        assert self.breaker.state(self.now) == wanted
        assert not self.breaker.probing(self.now)
        self.in_a_row = 0 if wanted == "closed" else self.in_a_row

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def a_worker_dies(self, data: st.DataObject) -> None:
        del self.under_way[data.draw(st.sampled_from(sorted(self.under_way)))]

    @invariant()
    def at_most_one_call_probes(self) -> None:
        live = [key for key in self.under_way if key == self.breaker.probe]
        assert len(live) <= 1
        assert not self.breaker.probe or self.breaker.resume_at is not None

    @invariant()
    def it_never_stays_shut_for_ever(self) -> None:
        later = self.now + max(COOLDOWN, limits.PROBE)
        assert limits.enter(self.breaker, "another", later)[1] is None


TestABreaker = ABreaker.TestCase


# Quotas and priorities ------------------------------------------------------------------------


@given(calls=st.integers(1, 100_000))
def test_a_higher_priority_never_has_less_room_and_nobody_has_more_than_the_quota(
    calls: int,
) -> None:
    quota = Quota(calls)
    rooms = [quota.room(priority) for priority in range(5)]
    assert rooms == sorted(rooms, reverse=True)
    assert all(1 <= room <= calls for room in rooms)
    assert 1 <= quota.share <= calls
    if calls >= 10:
        assert rooms[4] <= 0.7 * calls < rooms[2] < rooms[0] == calls
        assert quota.share < calls


def test_quotas_are_read_as_they_are_written() -> None:
    assert limits.quotas("") == (Quota(60, 60), {})
    assert limits.quotas("30, gmail=100 ,crm=20/5") == (
        Quota(30, 60), {"gmail": Quota(100, 60), "crm": Quota(20, 5)},
    )  # fmt: skip
    own = Limits(Quota(30), {"crm": Quota(20, 5)})
    assert (own.quota("crm"), own.quota("slack")) == (Quota(20, 5), Quota(30))
    for wrong in ("0", "gmail=", "=5", "many", "5/0", "-1", "a=b"):
        with pytest.raises(ValueError, match=r".+"):
            limits.quotas(wrong)


@given(
    tenant=st.none() | st.integers(0, 59), mission=st.none() | st.integers(0, 59),
    resumes=st.none() | st.integers(-100, 100),
)  # fmt: skip
def test_who_waits_is_told_until_when_and_takes_no_probe(
    tenant: int | None, mission: int | None, resumes: int | None
) -> None:
    ago = [NOW - timedelta(seconds=n) if n is not None else None for n in (tenant, mission)]
    breaker = Breaker(3, NOW + timedelta(seconds=resumes)) if resumes is not None else Breaker()
    found = limits.turn(Traffic(breaker, *ago), "gmail", Quota(), "k", NOW)
    if any(ago):
        assert isinstance(found, Wait)
        assert (found.rule, found.until) == (
            "quota", max(mark for mark in ago if mark) + timedelta(seconds=60),
        )  # fmt: skip
    elif resumes is not None and resumes > 0:
        assert isinstance(found, Wait)
        assert found.rule == "breaker"
        assert found.until == breaker.resume_at
        assert "3 calls failed in a row" in found.why
    else:
        assert isinstance(found, Breaker)
        assert (found.probe == "k") is (resumes is not None)
