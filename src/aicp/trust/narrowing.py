"""Is a changed safeguard narrower than it was? Pure; a doubt is a no (TR-7, TR-10).

Narrower: every call that the old one stops, the new one stops as well, whatever the circumstances.
So a narrower safeguard may hold at once, and anything else is asked for (agents.md A2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import time
from fnmatch import fnmatchcase
from typing import Any

from aicp.trust.leaving import bare
from aicp.trust.plan import Safeguard
from aicp.trust.safeguards import rate_of

Params = Mapping[str, Any]
WILD = frozenset("*?[")


def narrower(old: Safeguard, new: Safeguard) -> bool:
    """Whether `new` stops at least what `old` stops; the same safeguard is narrower than itself."""
    if old.kind != new.kind:
        return False
    judged, rule = RULES[old.kind]
    try:
        return _same_but(judged, old.params, new.params) and rule(old, new)
    except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError):
        return False  # parameters of another form: nobody can tell


def _same_but(judged: tuple[str, ...], old: Params, new: Params) -> bool:
    """What no rule here knows must stay as it is."""
    others = {*old, *new} - {*judged}
    return all(old.get(name) == new.get(name) for name in others)


def _window(old: Safeguard, new: Safeguard) -> bool:
    was, now = old.params, new.params
    every = range(1, 8)
    return (
        (was.get("zone") or "recipient") == (now.get("zone") or "recipient")
        and {*(now.get("weekdays") or every)} <= {*(was.get("weekdays") or every)}
        and time.fromisoformat(was["from"]) <= time.fromisoformat(now["from"])
        and time.fromisoformat(now["until"]) <= time.fromisoformat(was["until"])
    )


def _exclusion(old: Safeguard, new: Safeguard) -> bool:
    was, now = old.params, new.params
    columns = not was.get("column") or (
        was["column"] == now.get("column")
        and all(one in [*now["values"]] for one in [*was["values"]])
    )
    keys = {str(k) for k in was.get("keys", ())} <= {str(k) for k in now.get("keys", ())}
    return columns and keys and _addresses(was) <= _addresses(now)


def _tone(old: Safeguard, new: Safeguard) -> bool:
    return {*old.params.get("forbid", ())} <= {*new.params.get("forbid", ())}


def _rate(old: Safeguard, new: Safeguard) -> bool:
    """No more uses, in no less time, of the same toolkit."""
    (most, seconds), (now_most, now_seconds) = rate_of(old), rate_of(new)
    same = old.params.get("toolkit") == new.params.get("toolkit")
    return same and now_most <= most and seconds <= now_seconds


def _budget(old: Safeguard, new: Safeguard) -> bool:
    was, now = old.params, new.params
    counted = all(_at_most(was, now, name, int) for name in ("max_calls", "max_recipients"))
    return counted and _at_most(was, now, "max_amount", float)


def _audience(old: Safeguard, new: Safeguard) -> bool:
    """An empty list of addresses allows everybody, so it is never a subset of one that is not."""
    was, now = _addresses(old.params), _addresses(new.params)
    inside = not was or (bool(now) and now <= was)
    return inside and _at_most(old.params, new.params, "max_recipients", int)


def _access(old: Safeguard, new: Safeguard) -> bool:
    pairs = ((old.params.get(verb, {}), new.params.get(verb, {})) for verb in ("read", "write"))
    return all(_reach(was, now) for was, now in pairs)


def _reach(was: Params, now: Params) -> bool:
    names = ("accounts", "columns", "paths")
    limited = (name for name in names if was.get(name) is not None)
    return _same_but(names, was, now) and all(
        now.get(name) is not None and all(_covered(glob, was[name]) for glob in now[name])
        for name in limited
    )


def _covered(glob: str, by: Iterable[str]) -> bool:
    """Whether a pattern surely means nothing that the others do not: one of them, or one plain name."""
    allowed = list(by)
    plain = not WILD & {*glob}
    return glob in allowed or (plain and any(fnmatchcase(glob, one) for one in allowed))


def _approval(old: Safeguard, new: Safeguard) -> bool:
    """The same person's word for at least the same calls."""
    was, now = old.params, new.params
    by = was.get("by", "governance") == now.get("by", "governance")
    tools = {*was.get("tools", ["*"])} <= {*now.get("tools", ["*"])}
    tiers, now_tiers = was.get("tiers"), now.get("tiers")
    more = now_tiers is None or (tiers is not None and {*tiers} <= {*now_tiers})
    return by and tools and more


def _whatever(_old: Safeguard, _new: Safeguard) -> bool:
    """A kind without parameters stops the same calls always."""
    return True


def _at_most(was: Params, now: Params, name: str, number: Callable[[Any], float]) -> bool:
    """No maximum may become one; one may only fall. What is no number compares as false."""
    if was.get(name) is None:
        return True
    return now.get(name) is not None and number(now[name]) <= number(was[name])


def _addresses(params: Params) -> frozenset[str]:
    return frozenset(bare(params.get("addresses", ())))


# By kind: the parameters that the rule judges, and the rule.
RULES: dict[str, tuple[tuple[str, ...], Callable[[Safeguard, Safeguard], bool]]] = {
    "window": (("weekdays", "from", "until", "zone"), _window),
    "exclusion": (("column", "values", "keys", "addresses"), _exclusion),
    "tone": (("forbid",), _tone),
    "rate": (("toolkit", "count", "seconds", "per_minute"), _rate),
    "budget": (("max_calls", "max_recipients", "max_amount"), _budget),
    "audience": (("max_recipients", "addresses"), _audience),
    "rollback": ((), _whatever),
    "records": ((), _whatever),
    "privacy": ((), _whatever),
    "access": (("read", "write"), _access),
    "approval": (("by", "tools", "tiers"), _approval),
}
