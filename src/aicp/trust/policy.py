"""Operator policies in Cedar: may this call happen? The only module that knows the Cedar engine.

Nothing is permitted unless a policy permits it, and a `forbid` wins over every `permit`. What does
not parse, does not validate or breaks while it is evaluated denies (TR-11).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any

import cedarpy

from aicp.toolkits.catalogue import Catalogue
from aicp.toolkits.model import Json
from aicp.trust.policy_schema import Kind, Untypable, schema, shapes, values


@dataclass(frozen=True, slots=True)
class Source:
    """A policy file: its name for people, and what it says, or why it cannot be read."""

    name: str
    text: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """One policy, where it stands, and what its annotations call it."""

    file: str
    line: int
    text: str
    id: str = ""
    reason: str = ""
    effect: str = ""  # permit forbid
    actions: tuple[str, ...] | None = None  # tools and toolkits it is for; None: every one

    def concerns(self, tool: str) -> bool:
        """Whether its scope can fit a call of the tool at all."""
        return self.actions is None or bool({tool, tool.split(".", 1)[0]} & set(self.actions))

    @property
    def name(self) -> str:
        return self.id or f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Who:
    """The principal: a mission with what its owner is."""

    mission: str
    tenant: str
    owner: str
    roles: tuple[str, ...]
    priority: int
    risk: str


@dataclass(frozen=True, slots=True)
class Question:
    """One call as policies see it."""

    who: Who
    tool: str
    account: str
    args: Json
    context: Json  # `policy_schema.CONTEXT` but for args


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    by: tuple[Statement, ...] = ()  # the policies that decided
    why: str = ""  # of a denial, one sentence


class Unsound(ValueError):
    """A policy set that must not be used; the message names file and line."""


@dataclass(frozen=True)
class Policies:
    """The base policy and the operator's, parsed and validated; with a `problem` it denies all."""

    statements: tuple[Statement, ...]
    tools: Catalogue
    problem: str = ""

    _engines: dict[str, tuple[cedarpy.PolicySet, tuple[Statement, ...]]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def engine(self, tool: str) -> tuple[cedarpy.PolicySet, tuple[Statement, ...]]:
        """The policies whose scope can fit a tool, parsed once for it: the others cannot matter."""
        if tool not in self._engines:
            mine = tuple(one for one in self.statements if one.concerns(tool))
            text = "\n".join(one.text for one in mine)
            self._engines[tool] = (cedarpy.PolicySet.from_str(text), mine)
        return self._engines[tool]

    @cached_property
    def shapes(self) -> dict[str, dict[str, Kind]]:
        return shapes(self.tools)

    def decide(self, asked: Question) -> Decision:
        """Whether the policies permit the call, and which of them decided."""
        if self.problem:
            return Decision(False, why=f"the policies cannot be used: {self.problem}")
        if asked.tool not in self.shapes:
            return Decision(False, why=f"the policies know no tool {asked.tool}")
        try:
            args = values(asked.args, self.shapes[asked.tool])
        except Untypable as error:
            return Decision(False, why=f"policies cannot judge {asked.tool}: {error}")
        toolkit = asked.tool.split(".", 1)[0]
        engine, mine = self.engine(asked.tool)
        found = cedarpy.is_authorized(
            {
                "principal": {"type": "Mission", "id": asked.who.mission},
                "action": {"type": "Action", "id": asked.tool},
                "resource": {"type": "Account", "id": asked.account},
                "context": asked.context | {"args": args},
            },
            engine,
            _entities(asked.who, toolkit, asked.account, self.tools),
            _schema(self.tools),
        )
        return _told(found, mine)


BASE = Source("built in", (files("aicp.trust") / "base.cedar").read_text(encoding="utf-8"))


@lru_cache(maxsize=32)
def load(sources: tuple[Source, ...], tools: Catalogue) -> Policies:
    """The base policy with these on top; the same content is parsed once."""
    statements: list[Statement] = []
    try:
        for source in (BASE, *sources):
            statements += _sound(source, tools)
    except Unsound as error:
        return Policies((), tools, str(error))
    return Policies(tuple(statements), tools)


def _told(found: cedarpy.AuthzResult, asked: tuple[Statement, ...]) -> Decision:
    """A policy that breaks is left out by the engine, so a `forbid` would not hold: that denies."""
    by = tuple(asked[int(name.removeprefix("policy"))] for name in found.diagnostics.reasons)
    if found.diagnostics.errors:
        return Decision(False, by, f"a policy broke: {_first(found.diagnostics.errors, asked)}")
    if found.decision is cedarpy.Decision.Allow:
        return Decision(True, by)
    if not by:
        return Decision(False, why="no policy permits it")
    first = by[0]
    return Decision(False, by, f"policy {first.name}: {first.reason or 'it forbids this call'}")


def _first(errors: list[str], asked: tuple[Statement, ...]) -> str:
    text = errors[0]
    for n, one in enumerate(asked):
        text = text.replace(f"`policy{n}`", f"`{one.name}`")
    return text[:300]


def schema_text(tools: Catalogue) -> str:
    """The generated schema in Cedar's own words, for people who write policies."""
    return str(_schema(tools))


def split(text: str) -> Iterator[tuple[int, str]]:
    """Each policy of a file with the line it begins on; what follows the last one is one as well."""
    begin, line, at, quoted, n = None, 1, 1, False, 0
    while n < len(text):
        sign = text[n]
        if not quoted and text.startswith("//", n):
            n = (text + "\n").index("\n", n)
            continue
        if begin is None and not sign.isspace():
            begin, at = n, line
        if quoted and sign == "\\":
            n += 1
        elif sign == '"':
            quoted = not quoted
        elif sign == ";" and not quoted and begin is not None:
            yield at, text[begin : n + 1]
            begin = None
        line += text[n : n + 1] == "\n"
        n += 1
    if begin is not None:
        yield at, text[begin:]


def _sound(source: Source, tools: Catalogue) -> list[Statement]:
    """The policies of a file.

    Raises:
        Unsound: it cannot be read, parsed or validated.
    """
    if source.problem:
        raise Unsound(f"{source.name} {source.problem}")
    found = [_parsed(source.name, line, text) for line, text in split(source.text)]
    checked = cedarpy.validate_policies("\n".join(one.text for one in found), _schema(tools))
    for error in checked.errors:
        at = found[int(error.policy_id.removeprefix("policy"))] if error.policy_id else found[0]
        why = error.error.replace(f"for policy `{error.policy_id}`, ", "")
        raise Unsound(f"{source.name} line {at.line}: {why}")
    return found


def _parsed(file: str, line: int, text: str) -> Statement:
    try:
        parsed = cedarpy.PolicySet.from_str(text)
        plain = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    except ValueError as error:
        raise Unsound(f"{file} line {line}: {error}") from None
    if parsed.templates() or len(plain) != 1:
        raise Unsound(f"{file} line {line}: a template permits and forbids nothing by itself")
    (policy,) = plain.values()
    said = policy.get("annotations", {})
    return Statement(
        file, line, text, said.get("id") or "", said.get("reason") or "", policy["effect"],
        _actions(policy["action"]),
    )  # fmt: skip


def _actions(scope: Json) -> tuple[str, ...] | None:
    """The tools and toolkits that a policy's scope names; None when it is for every one."""
    if scope["op"] not in ("==", "in"):
        return None
    named = scope.get("entities") or [scope["entity"]]
    return tuple(str(one["id"]) for one in named)


@lru_cache(maxsize=32)
def _schema(tools: Catalogue) -> cedarpy.Schema:
    return cedarpy.Schema.from_json_str(json.dumps(schema(tools)))


@lru_cache(maxsize=1024)
def _entities(who: Who, toolkit: str, account: str, tools: Catalogue) -> cedarpy.Entities:
    """Mission in tenant, account in toolkit, and (by the schema) action in toolkit; parsed once."""
    known: list[dict[str, Any]] = [
        {"uid": {"type": "Tenant", "id": who.tenant}, "attrs": {}, "parents": []},
        {"uid": {"type": "Toolkit", "id": toolkit}, "attrs": {}, "parents": []},
        {
            "uid": {"type": "Mission", "id": who.mission},
            "attrs": {
                "tenant": who.tenant, "owner": who.owner, "owner_roles": list(who.roles),
                "priority": who.priority, "risk": who.risk,
            },
            "parents": [{"type": "Tenant", "id": who.tenant}],
        },
        {
            "uid": {"type": "Account", "id": account},
            "attrs": {"name": account, "toolkit": toolkit},
            "parents": [{"type": "Toolkit", "id": toolkit}],
        },
    ]  # fmt: skip
    return cedarpy.Entities.from_json_str(json.dumps(known), _schema(tools))
