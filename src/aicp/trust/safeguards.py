"""Safeguards as checks on one call. Pure; each returns why not, or "" (MI-6, TR-11).

Every mutating call passes all of them right before its intent is written, and a held effect passes
them again right before it leaves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from email.utils import getaddresses
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aicp.toolkits.model import UndoTier
from aicp.trust.plan import Safeguard, Step

LEAVING = ("mail.schedule", "mail.send")  # calls after which something goes to a recipient
LOOKAHEAD = 15  # days: every weekday twice, since a clock change may swallow one window


@dataclass(frozen=True, slots=True)
class Context:
    """What the checks may know beside the call itself."""

    now: datetime
    leaves_at: datetime | None = None  # when the effect leaves; None for what stays inside
    zone: str = ""  # the recipient's IANA zone, when known
    to: tuple[str, ...] = ()  # who receives it, as `bare` writes them
    body: str = ""
    calls_done: int = 0
    recipients: frozenset[str] = frozenset()  # those reached or held so far
    leaving: bool = False  # the effect leaves with this very call
    recent: dict[str, int] = field(default_factory=dict)  # uses by rate safeguard, in its own time


@dataclass(frozen=True, slots=True)
class Breach:
    safeguard: Safeguard
    why: str


def breaches(
    safeguards: tuple[Safeguard, ...], step: Step, args: dict[str, Any], context: Context
) -> list[Breach]:
    """Every safeguard this call would break, in the order they were declared."""
    found = ((guard, CHECKS[guard.kind](guard, step, args, context)) for guard in safeguards)
    return [Breach(guard, why) for guard, why in found if why]


def bare(to: Any) -> tuple[str, ...]:
    """The addresses of a `to` argument, however written: no names, no spaces, lower case, each once."""
    listed = [str(one) for one in (to if isinstance(to, list | tuple) else [to]) if one]
    found = (spec or text for text in listed for _, spec in getaddresses([text]))
    return tuple(dict.fromkeys(address.strip().casefold() for address in found))


def inside(window: dict[str, Any], moment: datetime, zone: str) -> bool:
    """Whether a moment lies in a send window, in the given zone (window zone wins if it names one)."""
    named = window.get("zone", "")
    local = moment.astimezone(ZoneInfo(zone if named in ("", "recipient") else named))
    opens, closes = (time.fromisoformat(window[k]) for k in ("from", "until"))
    days = window.get("weekdays") or range(1, 8)
    return local.isoweekday() in days and opens <= local.time() < closes


def next_inside(window: dict[str, Any], after: datetime, zone: str) -> datetime:
    """A moment in the window: `after` itself, or the next time that the window opens.

    Raises:
        ValueError: the window is empty.
    """
    if inside(window, after, zone):
        return after
    named = window.get("zone", "")
    place = ZoneInfo(zone if named in ("", "recipient") else named)
    opens = time.fromisoformat(window["from"])
    local = after.astimezone(place)
    for days in range(LOOKAHEAD):
        wall = datetime.combine(local.date() + timedelta(days=days), opens, place)
        for fold in (0, 1):  # where the clock goes back, a window opens twice
            opening = wall.replace(fold=fold).astimezone(UTC)
            if opening >= after and inside(window, opening, zone):
                return opening
    raise ValueError("the send window is empty")


def _window(guard: Safeguard, step: Step, _args: dict[str, Any], context: Context) -> str:
    if step.tool_name not in LEAVING:
        return ""
    if guard.params.get("zone") in (None, "", "recipient") and not context.zone:
        return "the recipient's time zone is not known, so the send window cannot be kept"
    moment = context.leaves_at or context.now
    try:
        kept = inside(guard.params, moment, context.zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a zone out of a cell may be anything
        return "the time zone is not one we know, so the send window cannot be kept"
    if kept:
        return ""
    return f"{moment.isoformat(timespec='minutes')} is outside the send window ({guard.text})"


def _exclusion(guard: Safeguard, _step: Step, args: dict[str, Any], context: Context) -> str:
    if set(context.to) & set(bare(guard.params.get("addresses", ()))):
        return f"the recipient is on the exclusion list ({guard.text})"
    if str(args.get("key", "")) in {str(k) for k in guard.params.get("keys", ())}:
        return f"row {args['key']} is on the exclusion list ({guard.text})"
    return ""


def _tone(guard: Safeguard, _step: Step, args: dict[str, Any], context: Context) -> str:
    text = " ".join((str(args.get("subject", "")), str(args.get("body", "")), context.body))
    for word in guard.params.get("forbid", ()):
        if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE):
            return f"the text says '{word}', which this mission rules out ({guard.text})"
    return ""


def _rate(guard: Safeguard, step: Step, _args: dict[str, Any], context: Context) -> str:
    """At most `count` in `seconds`. For mail it is the leaving that counts, not the drafting."""
    if guard.params.get("toolkit") not in ("", step.toolkit):
        return ""
    if step.toolkit == "mail" and not context.leaving:
        return ""
    count, seconds = rate_of(guard)
    done = context.recent.get(guard.id, 0)
    return (
        f"{done} of {count} in {seconds} seconds are used up ({guard.text})"
        if done >= count
        else ""
    )


def rate_of(guard: Safeguard) -> tuple[int, int]:
    """How many in how many seconds a rate safeguard allows."""
    per_minute = int(guard.params.get("per_minute", 60))
    return int(guard.params.get("count", per_minute)), int(guard.params.get("seconds", 60))


def _budget(guard: Safeguard, step: Step, _args: dict[str, Any], context: Context) -> str:
    most = guard.params.get("max_calls")
    if most is not None and context.calls_done >= int(most):
        return f"{most} calls are allowed and were made"
    return _recipients(guard, step, context)


def _audience(guard: Safeguard, step: Step, _args: dict[str, Any], context: Context) -> str:
    allowed = set(bare(guard.params.get("addresses", ())))
    if allowed and set(context.to) - allowed:
        return "the recipient is not in the approved audience"
    return _recipients(guard, step, context)


def _recipients(guard: Safeguard, step: Step, context: Context) -> str:
    most = guard.params.get("max_recipients")
    if most is None or not context.to or step.tool_name not in LEAVING:
        return ""
    reached = context.recipients.union(context.to)
    return f"more than {most} recipients would be reached" if len(reached) > int(most) else ""


def _rollback(guard: Safeguard, step: Step, _args: dict[str, Any], _context: Context) -> str:
    if not step.mutates or step.undo_tier in (UndoTier.T0, UndoTier.T1, UndoTier.T2, UndoTier.T3):
        return ""
    return f"{step.tool_name} cannot be taken back ({step.undo_tier}), and this mission demands that ({guard.text})"


def _kept_by_the_journal(*_: object) -> str:
    """Decisions and blockers are documented by construction: no call happens without its row."""
    return ""


def _privacy(_guard: Safeguard, step: Step, _args: dict[str, Any], context: Context) -> str:
    """Each mail carries one recipient's data to that recipient only."""
    if step.tool_name in ("mail.draft", "mail.send") and len(context.to) > 1:
        return "the mail would show one recipient's address to another"
    return ""


CHECKS: dict[str, Callable[[Safeguard, Step, dict[str, Any], Context], str]] = {
    "window": _window,
    "exclusion": _exclusion,
    "tone": _tone,
    "rate": _rate,
    "budget": _budget,
    "audience": _audience,
    "rollback": _rollback,
    "records": _kept_by_the_journal,
    "privacy": _privacy,
}
