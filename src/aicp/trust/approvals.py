"""Approvals: who must decide, and when a decision counts. Pure rules here; rows in store.py.

Risk decides who (domain.md 5); one person gives one decision in one capacity; the requester alone
never suffices from high risk up (TR-10); an approval is for one digest, expires, and is used once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aicp.trust.plan import Risk

REQUIRED: dict[Risk, tuple[str, ...]] = {
    "low": ("owner",),
    "medium_low": ("owner",),
    "medium": ("owner",),
    "high": ("owner", "governance"),
    "critical": ("governance", "lead"),
}


@dataclass(frozen=True, slots=True)
class Decider:
    """The person who decides, and what they may decide as."""

    person_id: UUID
    is_owner: bool
    roles: tuple[str, ...]
    delegated: tuple[str, ...] = ()  # capacities that others handed on, for this request only

    @property
    def capacities(self) -> tuple[str, ...]:
        """Their own first, then what was handed on to them."""
        return tuple(dict.fromkeys((*self.own, *self.delegated)))

    @property
    def own(self) -> tuple[str, ...]:
        """What they may decide as by themselves: only this can be handed on."""
        held = ["owner"] if self.is_owner else []
        held += ["governance"] if "governance" in self.roles else []
        held += ["lead"] if {"engineering_lead", "security_lead"} & set(self.roles) else []
        return tuple(held)


@dataclass(frozen=True, slots=True)
class Request:
    """An approval request as it stands."""

    digest: str
    required: tuple[str, ...]
    risk: Risk
    status: str
    requested_by: UUID
    expires_at: datetime
    consumed: bool
    decided: tuple[tuple[UUID, str], ...]  # (person, capacity) of the approvals so far


@dataclass(frozen=True, slots=True)
class Refusal:
    """A decision that does not count: the rule, and one sentence."""

    rule: str
    why: str


def capacity_for(  # noqa: PLR0911  one return for each rule, in the order they are told
    request: Request, decider: Decider, digest: str, now: datetime
) -> str | Refusal:
    """In which capacity this person's approval counts, or why it does not."""
    if request.consumed:
        return Refusal("used-once", "this approval was already used; it cannot be replayed")
    if request.status != "requested":
        return Refusal("not-open", f"this request is {request.status}, not open")
    if now >= request.expires_at:
        return Refusal(
            "expired", f"this request expired at {request.expires_at:%Y-%m-%d %H:%M} UTC"
        )
    if digest != request.digest:
        return Refusal(
            "digest",
            "the digest is not that of the plan now waiting: it was changed since you read it",
        )
    if any(person == decider.person_id for person, _ in request.decided):
        return Refusal(
            "same-person", "you already decided; a second decision must come from another person"
        )
    missing = missing_capacities(request)
    open_to = [c for c in missing if c in decider.capacities or _may_stand_in(c, request, decider)]
    if not open_to:
        return Refusal("role", f"this needs the {' and the '.join(missing)}, and you are neither")
    return open_to[0]


def delegable(request: Request, giver: Decider, to: UUID, now: datetime) -> str | Refusal:
    """Which capacity this person may hand on to another one for this request, or why none.

    What was handed on is not handed on again, and nobody who has decided gets a second say.
    """
    if request.consumed or request.status != "requested" or now >= request.expires_at:
        return Refusal("not-open", "this request is not open")
    if to == giver.person_id:
        return Refusal("same-person", "you cannot delegate to yourself")
    decided = {person for person, _ in request.decided}
    if giver.person_id in decided or to in decided:
        return Refusal("same-person", "one of you has decided already")
    open_to = [c for c in missing_capacities(request) if c in giver.own]
    if not open_to:
        return Refusal("role", "you hold no capacity that is still missing")
    return open_to[0]


def missing_capacities(request: Request) -> tuple[str, ...]:
    """The capacities still to be filled, in order."""
    given = {capacity for _, capacity in request.decided}
    return tuple(c for c in request.required if c not in given)


def complete(request: Request) -> Refusal | None:
    """None when the approvals suffice; else why they do not."""
    if missing := missing_capacities(request):
        return Refusal("dual-control", f"still needed: the {' and the '.join(missing)}")
    people = {person for person, _ in request.decided}
    if request.risk in ("high", "critical") and people <= {request.requested_by}:
        return Refusal("self-approval", "the requester alone cannot approve a plan of high risk")
    return None


def _may_stand_in(capacity: str, request: Request, decider: Decider) -> bool:
    """At medium risk the governance delegate may decide for the owner."""
    return capacity == "owner" and request.risk == "medium" and "governance" in decider.capacities
