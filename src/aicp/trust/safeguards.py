"""Safeguards as checks on one call. Pure; each returns why not, or "" (MI-6, TR-11).

Every mutating call passes all of them right before its intent is written, and a held effect passes
them again right before it leaves.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from aicp.toolkits.model import Outcome, UndoTier
from aicp.trust.leaving import RECIPIENTS, bare, leaves, leaves_now, recipients
from aicp.trust.plan import Safeguard, Step
from aicp.trust.windows import inside, next_opening, zone_for

AMOUNTS = ("amount", "amounts", "price", "total", "sum", "cost")
PATHS = ("path", "paths", "file", "folder", "src", "dst", "source", "destination", "target")
RATE_PAUSE = timedelta(seconds=5)  # until a rate is looked at again


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
    leaves: bool | None = None  # it goes outside, now or later; None: judged from the step alone
    spent: float = 0.0  # the amounts of the calls before
    approved_as: frozenset[str] = frozenset()  # capacities and people that approved the plan
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


def wait_until(breach: Breach, step: Step, args: dict[str, Any], now: datetime) -> datetime | None:
    """When a call may be tried again that a safeguard only delays; None when it rules it out.

    Waiting changes nothing that was approved: a call without a time of its own may go at any.
    """
    guard = breach.safeguard
    if guard.kind == "rate":
        return now + RATE_PAUSE
    if guard.kind == "window" and leaves_now(step) and not args.get("not_before"):
        return next_opening(guard.params, step.zone, now)
    return None


def after(
    safeguards: tuple[Safeguard, ...], step: Step, args: dict[str, Any], outcome: Outcome
) -> tuple[str, ...]:
    """What reading back found against the approved call: recipients are exactly those approved."""
    reached, approved = set(recipients(outcome.data)), set(recipients(args))
    named = {name.casefold() for name in outcome.data} & set(RECIPIENTS)
    found = []
    if named and approved and reached != approved:
        odd = sorted(reached ^ approved)
        found.append(f"the recipients are not those approved ({', '.join(odd)[:200]})")
    told = Context(now=datetime.min, to=tuple(sorted(reached)))  # noqa: DTZ901  no check here looks at the time
    kinds = ("exclusion", "audience")
    guards = tuple(guard for guard in safeguards if guard.kind in kinds) if named else ()
    found += [breach.why for breach in breaches(guards, step, {}, told)]
    return tuple(found)


def _leaves(step: Step, context: Context) -> bool:
    return leaves(step) if context.leaves is None else context.leaves


def _window(guard: Safeguard, step: Step, _args: dict[str, Any], context: Context) -> str:
    if not _leaves(step, context):
        return ""
    zone = zone_for(guard.params, context.zone)
    if zone is None:  # a zone out of a cell may be anything
        return "the recipient's time zone is not known, so the send window cannot be kept"
    moment = context.leaves_at or context.now
    if inside(moment, guard.params, zone):
        return ""
    return f"{moment.isoformat(timespec='minutes')} is outside the send window ({guard.text})"


def _exclusion(guard: Safeguard, _step: Step, args: dict[str, Any], context: Context) -> str:
    if set(context.to) & set(bare(guard.params.get("addresses", ()))):
        return f"the recipient is on the exclusion list ({guard.text})"
    if "key" in args and str(args["key"]) in {str(k) for k in guard.params.get("keys", ())}:
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


def _budget(guard: Safeguard, step: Step, args: dict[str, Any], context: Context) -> str:
    most = guard.params.get("max_calls")
    if most is not None and context.calls_done >= int(most):
        return f"{most} calls are allowed and were made"
    limit = guard.params.get("max_amount")
    if limit is not None and step.mutates:
        spent = context.spent + amount_of(args)
        if not spent <= float(limit):  # what is no number is never within the budget
            return f"{spent:g} would be spent, and {limit:g} are allowed ({guard.text})"
    return _recipients(guard, step, context)


def amount_of(args: dict[str, Any]) -> float:
    """The amounts a call names, as one sum; not a number when one of them is none."""
    named = [value for name, value in args.items() if name.casefold() in AMOUNTS]
    try:
        return sum(abs(float(value)) for value in named)
    except (TypeError, ValueError):
        return float("nan")


def _access(guard: Safeguard, step: Step, args: dict[str, Any], _context: Context) -> str:
    """Which accounts, columns and paths may be read or written; what is not told is not limited."""
    verb = "write" if step.mutates else "read"
    allowed = guard.params.get(verb, {})
    asked = {"accounts": [step.account], "columns": columns_of(args), "paths": paths_of(args)}
    for what, names in asked.items():
        globs = allowed.get(what)
        out = [n for n in names if globs is not None and not any(fnmatchcase(n, g) for g in globs)]
        if out:
            return f"it would {verb} {out[0][:120]}, which is out of bounds ({guard.text})"
    return ""


def columns_of(args: dict[str, Any]) -> list[str]:
    """The columns a call names, to set, to return or in a condition."""
    found: list[str] = []
    for name in ("set", "values", "columns"):
        given = args.get(name, ())
        found += [str(one) for one in given] if isinstance(given, dict | list | tuple) else []
    for name in ("where", "exclude"):
        conditions = args.get(name, ())
        found += [str(c["column"]) for c in conditions if isinstance(c, dict) and "column" in c]
    return list(dict.fromkeys(found))


def paths_of(args: dict[str, Any]) -> list[str]:
    """The paths a call names, dots resolved, so that none is out of bounds by way of `..`."""
    found = [value for name, value in args.items() if name.casefold() in PATHS]
    texts = [str(one) for value in found for one in (value if isinstance(value, list) else [value])]
    return [posixpath.normpath(text) for text in texts]


def _approval(guard: Safeguard, step: Step, _args: dict[str, Any], context: Context) -> str:
    """A call that needs somebody's approval beyond what its risk demands."""
    if not needs_extra(guard, step):
        return ""
    who = str(guard.params.get("by", "governance"))
    return "" if who in context.approved_as else f"{who} has not approved it ({guard.text})"


def needs_extra(guard: Safeguard, step: Step) -> bool:
    """Whether an approval safeguard means this call: by tool and undo tier."""
    tools, tiers = guard.params.get("tools", ["*"]), guard.params.get("tiers")
    named = any(fnmatchcase(step.tool_name, glob) for glob in tools)
    return step.mutates and named and (tiers is None or step.undo_tier.value in tiers)


def extra_approvals(
    safeguards: tuple[Safeguard, ...], steps: tuple[Step, ...], required: tuple[str, ...]
) -> tuple[str, ...]:
    """The capacities that must approve a plan: by its risk, and by its safeguards."""
    extra = (
        str(guard.params.get("by", "governance"))
        for guard in safeguards
        if guard.kind == "approval" and any(needs_extra(guard, step) for step in steps)
    )
    return tuple(dict.fromkeys([*required, *extra]))


def _audience(guard: Safeguard, step: Step, _args: dict[str, Any], context: Context) -> str:
    allowed = set(bare(guard.params.get("addresses", ())))
    if allowed and set(context.to) - allowed:
        return "the recipient is not in the approved audience"
    return _recipients(guard, step, context)


def _recipients(guard: Safeguard, step: Step, context: Context) -> str:
    most = guard.params.get("max_recipients")
    if most is None or not context.to or not _leaves(step, context):
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
    if step.mutates and "mail" in step.tool_name and len(context.to) > 1:
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
    "access": _access,
    "approval": _approval,
}
