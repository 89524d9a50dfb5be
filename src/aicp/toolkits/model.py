"""The words every toolkit speaks: tools, calls, before-images, outcomes, undo."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import jsonschema_rs
from jsonschema import Draft202012Validator

from aicp.kernel.canonical import digest

Json = dict[str, Any]


class UndoTier(StrEnum):
    """How far an effect can be taken back. A tier shown better than what happens is a defect."""

    T0 = "T0"  # no effect
    T1 = "T1"  # exact, proved by hash
    T2 = "T2"  # restored, with a residue that is named
    T3 = "T3"  # held, cancellable until a time
    T4 = "T4"  # only compensable
    T5 = "T5"  # irreversible


@dataclass(frozen=True)
class ToolSpec:
    """One tool as its provider declares it; `ref` pins the exact declaration."""

    name: str  # "table.update"
    title: str  # "Update one row"
    description: str
    args_schema: Json  # JSON Schema (2020-12) of the arguments, additionalProperties false
    mutates: bool
    undo_tier: UndoTier
    scope: str  # narrowest grant it needs: "table:write"
    undo: str = ""  # how it is taken back, one sentence
    residue: str = ""  # T2: what stays behind
    sensitive: tuple[
        str, ...
    ] = ()  # arguments that say who, where or how much: "to", "url", "path"
    untrusted: bool = False  # what it returns may hold words of strangers
    leaves: bool | None = None  # something goes outside; None: decided from tier and arguments

    @property
    def toolkit(self) -> str:
        return self.name.split(".", 1)[0]

    @cached_property
    def schema_hash(self) -> str:
        """12 digits over the whole declaration: any change of it voids approvals."""
        declared = asdict(self) | {"undo_tier": self.undo_tier.value}
        return digest(declared)[:12]

    @cached_property
    def validator(self) -> Draft202012Validator:
        """Checks arguments against the declaration."""
        return Draft202012Validator(self.args_schema)

    @cached_property
    def _quick(self) -> jsonschema_rs.Draft202012Validator | None:
        """The same check in microseconds; None where its dialect does not know the declaration."""
        try:
            return jsonschema_rs.Draft202012Validator(self.args_schema)
        except (ValueError, TypeError):
            return None

    def misfit(self, args: Json) -> str:
        """Why the arguments do not fit the declaration; "" when they do."""
        if self._quick is not None and self._quick.is_valid(args):
            return ""
        first = next(iter(self.validator.iter_errors(args)), None)
        if first is not None:
            return first.message
        return "" if self._quick is None else "two validators disagree about them"

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.schema_hash}"


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call with literal arguments. `key` is its idempotency key."""

    tool: str  # name without the schema hash
    args: Json
    key: str = ""


@dataclass(frozen=True, slots=True)
class BeforeImage:
    """What must be known to take a call back: the version seen, and the data it replaces."""

    version: str
    data: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call did. `version` is the touched thing's version after it."""

    data: Json = field(default_factory=dict)
    version: str = ""
    held_until: str = ""  # ISO 8601, T3 only: nothing has left before this time


class Found(StrEnum):
    """What reading back says about a call whose outcome is unknown."""

    DONE = "done"
    NOT_DONE = "not_done"
    UNCLEAR = "unclear"  # neither: a person has to look


@dataclass(frozen=True, slots=True)
class Reconciled:
    found: Found
    outcome: Outcome | None = None
    why: str = ""


class UndoStatus(StrEnum):
    RESTORED = "restored"
    ALREADY = "already"  # the state before the call is already there
    CONFLICT = "conflict"  # somebody changed it since: nothing was touched
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class UndoResult:
    status: UndoStatus
    difference: tuple[Json, ...] = ()  # CONFLICT: {"field", "ours", "theirs"} rows
    residue: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as read-only inspection found it."""

    name: str
    kind: str  # text enum number money date datetime bool email phone timezone url id
    nulls: int = 0
    distinct: int = 0
    values: tuple[
        str, ...
    ] = ()  # distinct values when few enough (<= 200), as text; data, not words of ours
    minimum: str = ""
    maximum: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """One connected thing a mission can use, described without changing it (TR-1)."""

    toolkit: str  # table mail calendar
    account: str  # stable name shown to people: "accounts.csv", "smtp 127.0.0.1:2525"
    title: str
    version: str  # of the data behind it; approvals bind to it
    tools: tuple[str, ...]  # names of the tools that work on it
    rows: int = 0
    key: str = ""  # the column that names a row
    columns: tuple[Column, ...] = ()
    facts: Json = field(default_factory=dict)


def resource_from(data: Json) -> Resource:
    """A Resource out of its `dataclasses.asdict` JSON form."""
    columns = tuple(
        Column(**{**column, "values": tuple(column["values"])}) for column in data["columns"]
    )
    return Resource(**{**data, "tools": tuple(data["tools"]), "columns": columns})
