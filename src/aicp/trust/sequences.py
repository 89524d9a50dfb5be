"""What may not follow what within one mission: rules as data, judged over plan and journal. Pure.

A rule has two patterns, `after` and `never`: once a call fits the first, no call may fit the second.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aicp.toolkits.model import ToolSpec
from aicp.trust.leaving import leaves
from aicp.trust.plan import Step


class Pattern(BaseModel):
    """What a call must be like: every field that is given must fit; lists are alternatives, * any."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    toolkits: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    mutates: bool | None = None
    leaves: bool | None = None

    @property
    def empty(self) -> bool:
        return self == Pattern()

    def fits(self, one: Deed) -> bool:
        """Whether a call is like this."""
        toolkit = one.tool.split(".", 1)[0]
        texts = (
            (self.toolkits, toolkit), (self.tools, one.tool), (self.scopes, one.scope),
            (self.accounts, one.account),
        )  # fmt: skip
        if any(globs and not any(fnmatchcase(t, glob) for glob in globs) for globs, t in texts):
            return False
        facts = ((self.mutates, one.mutates), (self.leaves, one.leaves))
        return all(wanted is None or wanted == is_ for wanted, is_ in facts)


class Rule(BaseModel):
    """After a call like `after`, no call like `never` in the same mission."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str = Field(min_length=1)
    reason: str = ""
    after: Pattern = Pattern()
    never: Pattern = Pattern()
    prepared: bool = False  # what Prepare read before the plan was made counts as done, too
    off: bool = False  # takes the built-in rule of this id out


@dataclass(frozen=True, slots=True)
class Sequences:
    """The rules in force; with a `problem` nothing may be planned or called."""

    rules: tuple[Rule, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """A call, planned or made, as the patterns see it."""

    seq: int  # 0: read while the mission was prepared
    tool: str
    account: str
    scope: str
    mutates: bool
    leaves: bool
    state: Literal["prepared", "planned", "done"] = "planned"


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that two calls break together."""

    rule: Rule
    first: Deed
    second: Deed

    @property
    def why(self) -> str:
        first = f"step {self.first.seq}" if self.first.seq else "preparing"
        reason = f": {self.rule.reason}" if self.rule.reason else ""
        return (
            f"step {self.second.seq} ({self.second.tool}) may not come after {first}"
            f" ({self.first.tool}) by rule {self.rule.id}{reason}"
        )


def read(text: str, *, problem: str = "") -> Sequences:
    """The built-in rules with an operator's file on top: a rule of the same id replaces one.

    Args:
        problem: why the file itself could not be read.
    """
    built_in = _parse(_built_in())
    try:
        own = _parse(text)
    except (tomllib.TOMLDecodeError, ValidationError, ValueError) as error:
        return Sequences(built_in, f"sequences.toml: {_first(error)}")
    rules = {rule.id: rule for rule in (*built_in, *own)}
    return Sequences(tuple(rule for rule in rules.values() if not rule.off), problem)


def deed(step: Step, spec: ToolSpec | None, *, done: bool = False) -> Deed:
    """A step as the patterns see it. An unknown tool has no scope, and by its tier it may leave."""
    return Deed(
        step.seq, step.tool_name, step.account, spec.scope if spec else "", step.mutates,
        leaves(step, spec), "done" if done else "planned",
    )  # fmt: skip


def broken(rules: Iterable[Rule], before: Sequence[Deed], now: Deed) -> Broken | None:
    """The first rule that the call would break after those before it."""
    for rule in rules:
        if not rule.never.fits(now):
            continue
        for earlier in before:
            counts = earlier.state != "prepared" or rule.prepared
            if counts and rule.after.fits(earlier):
                return Broken(rule, earlier, now)
    return None


def broken_in(
    rules: Sequence[Rule], prepared: Sequence[Deed], plan: Sequence[Deed]
) -> list[Broken]:
    """Every step of a plan that would break a rule, each with the first it breaks."""
    found = (broken(rules, [*prepared, *plan[:n]], one) for n, one in enumerate(plan))
    return [one for one in found if one is not None]


def _parse(text: str) -> tuple[Rule, ...]:
    """The rules of a file.

    Raises:
        ValueError: it is not of this form.
    """
    said = tomllib.loads(text)
    if unknown := set(said) - {"rule"}:
        raise ValueError(f"it has '{min(unknown)}', and only [[rule]] is known")
    rules = tuple(Rule.model_validate(one) for one in said.get("rule", ()))
    for rule in rules:
        if not rule.off and (rule.after.empty or rule.never.empty):
            raise ValueError(f"rule {rule.id} needs both `after` and `never`")
    return rules


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        one = error.errors()[0]
        return f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
    return str(error)


@lru_cache(maxsize=1)
def _built_in() -> str:
    return (files("aicp.trust") / "sequences.toml").read_text(encoding="utf-8")
