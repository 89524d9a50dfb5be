"""What is different between two plans, for whoever read the first one. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aicp.kernel.canonical import canonical
from aicp.trust.plan import Frozen, Plan, Step

Identity = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `was` and `now` are as a person reads them; empty where there is none."""

    what: Literal["step", "play", "safeguard", "scope", "data"]
    kind: Literal["added", "removed", "changed", "moved"]
    name: str
    was: str = ""
    now: str = ""


def differences(old: Plan, new: Plan) -> tuple[Change, ...]:
    """Every difference that a digest would show: steps, safeguards, scopes and data versions.

    A step is the same one when tool, account and what it is about are the same.
    """
    return (
        *_steps(old, new),
        *_named("play", _without(old.play, "steps"), _without(new.play, "steps")),
        *_named(
            "safeguard",
            {g.id: g.model_dump(mode="json") for g in old.safeguards},
            {g.id: g.model_dump(mode="json") for g in new.safeguards},
        ),
        *_named("scope", dict.fromkeys(old.scopes, ""), dict.fromkeys(new.scopes, "")),
        *_named("data", old.data_versions, new.data_versions),
    )


def _steps(old: Plan, new: Plan) -> Iterable[Change]:
    before, after = _identified(old.play.steps), _identified(new.play.steps)
    kept_before = [one for one in before if one in after]
    kept_after = [one for one in after if one in before]
    for one, step in before.items():
        if one not in after:
            yield Change("step", "removed", _title(step), was=_text(step.args))
    for one, step in after.items():
        if one not in before:
            yield Change("step", "added", _title(step), now=_text(step.args))
            continue
        earlier = before[one]
        yield from _changed(earlier, step)
        if kept_before.index(one) != kept_after.index(one):
            yield Change("step", "moved", _title(step), str(earlier.seq), str(step.seq))


def _changed(was: Step, now: Step) -> Iterable[Change]:
    """Each argument that is another, and everything else of a step that is."""
    pairs = ((was.args, now.args), (_without(was, "args", "seq"), _without(now, "args", "seq")))
    for before, after in pairs:
        for name in sorted({*before, *after}):
            first, then = before.get(name), after.get(name)
            if (name in before) != (name in after) or _text(first) != _text(then):
                yield Change(
                    "step", "changed", f"{_title(now)}: {name}", _shown(first), _shown(then)
                )


def _without(model: Frozen, *names: str) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude=set(names))


def _identified(steps: tuple[Step, ...]) -> dict[Identity, Step]:
    seen: Counter[tuple[str, str, str]] = Counter()
    found: dict[Identity, Step] = {}
    for step in steps:
        about = str(step.args.get("key") or step.subject or step.effect)
        name = (step.tool_name, step.account, about)
        found[(*name, seen[name])] = step
        seen[name] += 1
    return found


def _named(
    what: Literal["play", "safeguard", "scope", "data"],
    old: Mapping[str, Any],
    new: Mapping[str, Any],
) -> Iterable[Change]:
    for name in sorted({*old, *new}):
        if name not in new:
            yield Change(what, "removed", name, was=_shown(old[name]))
        elif name not in old:
            yield Change(what, "added", name, now=_shown(new[name]))
        elif _text(old[name]) != _text(new[name]):
            yield Change(what, "changed", name, _shown(old[name]), _shown(new[name]))


def _title(step: Step) -> str:
    return f"{step.tool_name} {step.subject or step.effect}".strip()


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else _text(value)


def _text(value: Any) -> str:
    return canonical(value).decode()
