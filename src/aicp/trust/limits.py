"""What limits calls to a toolkit, as pure decisions: facts in, decision out (TR-13 to TR-15, MI-8).

Backoff between the attempts of one call; a breaker that lets a failing toolkit rest; quotas so that no
tenant and no mission drains it; priorities where a quota runs short.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

ATTEMPTS = 5  # of one call, the first included (TR-13)
BACKOFF = (1, 2, 4, 8)  # seconds
PATIENCE = timedelta(hours=1)  # who asks for a longer wait is answered by a person
FAILED_CALLS = 3  # in a row open the breaker (TR-14); attempts inside a call do not count (C-9)
PROBE = timedelta(minutes=2)  # a probe whose worker died is given up after this
LOOK_AGAIN = timedelta(seconds=2)  # for those who wait for the end of a probe

State = Literal["closed", "open", "half_open"]
# done; failed for good or unknown; failed with another attempt to come; never made
Result = Literal["done", "failed", "attempt", "void"]


def backoff(failed: int, *, retryable: bool, retry_after: float = 0) -> timedelta | None:
    """How long to wait before the next attempt; None when there is none and a person has to look.

    Args:
        failed: attempts that failed so far, at least 1.
        retry_after: seconds the other side asked for; they win when they are more.
    """
    if not retryable or failed >= ATTEMPTS:
        return None
    asked = 0 if math.isnan(retry_after) else retry_after
    seconds = max(BACKOFF[max(failed, 1) - 1], asked)
    return timedelta(seconds=seconds) if seconds <= PATIENCE.total_seconds() else None


# The breaker ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Breaker:
    """The breaker of one toolkit for one tenant; for MCP a toolkit is a server."""

    failed: int = 0  # calls in a row
    resume_at: datetime | None = None  # None while it is closed
    probe: str = ""  # key of the one call that tries whether the toolkit is well again
    probe_until: datetime | None = None

    def state(self, now: datetime) -> State:
        if self.resume_at is None:
            return "closed"
        return "open" if now < self.resume_at else "half_open"

    def probing(self, now: datetime) -> bool:
        """Whether a probe is under way."""
        return bool(self.probe) and self.probe_until is not None and now < self.probe_until


def enter(breaker: Breaker, key: str, now: datetime) -> tuple[Breaker, datetime | None]:
    """Whether a call may be made: the breaker as it is with it, and until when it has to wait.

    The first call after the rest is the probe; all others wait until it has ended.
    """
    state = breaker.state(now)
    if state == "closed":
        return breaker, None
    if state == "open":
        return breaker, breaker.resume_at
    if breaker.probing(now) and breaker.probe != key:
        return breaker, now + LOOK_AGAIN
    return replace(breaker, probe=key, probe_until=now + PROBE), None


def after(
    breaker: Breaker, key: str, result: Result, now: datetime, cooldown: timedelta
) -> Breaker:
    """The breaker after a call has ended. While it is not closed, only its probe has a say."""
    if breaker.resume_at is None:
        if result == "done":
            return Breaker()
        failed = breaker.failed + (result == "failed")
        opens = result == "failed" and failed >= FAILED_CALLS
        return Breaker(failed, now + cooldown if opens else None)
    if breaker.probe != key:
        return breaker
    if result == "done":
        return Breaker()
    if result == "void":
        return replace(breaker, probe="", probe_until=None)
    return Breaker(breaker.failed + 1, now + cooldown)


# Quotas ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `calls` in any `seconds` that slide, by one tenant to one toolkit (TR-15)."""

    calls: int = 60
    seconds: int = 60

    def room(self, priority: int) -> int:
        """How much of it a mission of this priority may see used up and still call (0 is the highest).

        Low ones (3, 4) wait from 70 % on, the usual ones leave a tenth to the high ones (0, 1).
        """
        part = 1.0 if priority <= 1 else 0.9 if priority == 2 else 0.7
        return max(1, math.floor(self.calls * part))

    @property
    def share(self) -> int:
        """The most that one mission may use."""
        return max(1, math.floor(self.calls * 0.75))


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that an installation sets."""

    usual: Quota = field(default_factory=Quota)
    own: Mapping[str, Quota] = field(default_factory=dict)  # by toolkit
    cooldown: timedelta = timedelta(seconds=60)

    def quota(self, toolkit: str) -> Quota:
        return self.own.get(toolkit, self.usual)


def quotas(text: str) -> tuple[Quota, dict[str, Quota]]:
    """`60, gmail=100, crm=20/5`: calls a minute, or in so many seconds, for all and for single toolkits.

    Raises:
        ValueError: a part is of another form, or a number is 0.
    """
    usual, own = Quota(), dict[str, Quota]()
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, equals, amount = part.rpartition("=")
        calls, _, seconds = amount.partition("/")
        found = Quota(int(calls), int(seconds or 60))
        if (equals and not name.strip()) or found.calls < 1 or found.seconds < 1:
            raise ValueError(part)
        if equals:
            own[name.strip()] = found
        else:
            usual = found
    return usual, own


# One call's turn ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is known about a toolkit when a call wants its turn.

    The marks say when the call was made that fills the room left to this mission's priority, and the
    one that fills the mission's own share; None while there is room.
    """

    breaker: Breaker = field(default_factory=Breaker)
    tenant_mark: datetime | None = None
    mission_mark: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet: the rule, one sentence why, and when to come back."""

    rule: str
    why: str
    until: datetime


def turn(traffic: Traffic, toolkit: str, quota: Quota, key: str, now: datetime) -> Breaker | Wait:
    """The breaker with the call let through, or until when the call has to wait.

    Quotas come first, so that who has to wait for its quota does not take the probe.
    """
    marks = (("mission", traffic.mission_mark), ("tenant", traffic.tenant_mark))
    full = [(mark + timedelta(seconds=quota.seconds), who) for who, mark in marks if mark]
    if full:
        until, who = max(full)
        of = "this mission's share" if who == "mission" else "what this priority may use"
        why = f"{of} of {quota.calls} calls in {quota.seconds} s to {toolkit} is used up; on at {clock(until)}"
        return Wait("quota", why, until)
    breaker, until = enter(traffic.breaker, key, now)
    if until is None:
        return breaker
    failed = f"{traffic.breaker.failed} calls failed in a row"
    if traffic.breaker.state(now) == "half_open":
        return Wait("breaker", f"toolkit {toolkit} is being tried by one call: {failed}", until)
    return Wait("breaker", f"toolkit {toolkit} is resting until {clock(until)}: {failed}", until)


def clock(moment: datetime) -> str:
    """A time of day as the texts name it."""
    return f"{moment:%H:%M:%S} UTC"
