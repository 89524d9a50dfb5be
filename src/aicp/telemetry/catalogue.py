"""Every event the product records or names, with its fields: the one source (domain.md 7, OB-3, OB-5).

`events/fields.yaml` says what a field is, once; the other files there say which events carry which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Literal

import jsonschema_rs
import yaml

from aicp.telemetry.redaction import register_all

Pii = Literal["none", "pseudonymous", "pii", "secret"]
Cardinality = Literal["low", "medium", "high"]
Scope = Literal["system", "tenant", "mission"]
Retention = Literal["raw", "audit"]
STAGES = ("", "Home", "Define", "Prepare", "Plan", "Approve", "Execute", "Reflect")

_TEXT, _NUMBER = {"type": "string"}, {"type": "number"}
TYPES: dict[str, dict[str, Any]] = {  # of fields, as JSON Schema
    "string": _TEXT,
    "integer": {"type": "integer"},
    "number": _NUMBER,
    "boolean": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "strings": {"type": "array", "items": _TEXT},
    "numbers": {"type": "array", "items": _NUMBER},
    "counts": {"type": "object", "additionalProperties": _NUMBER},
}


class Unsound(ValueError):
    """The catalogue's files contradict themselves; the message names file and entry."""


@dataclass(frozen=True, slots=True)
class Field:
    """What a context field is, wherever it appears; `unit` is a UCUM code."""

    name: str
    type: str
    pii: Pii
    cardinality: Cardinality
    example: Any
    brief: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Event:
    """One event: what happened, what it must and may carry, and how long it is kept."""

    name: str
    brief: str
    required: tuple[Field, ...]
    optional: tuple[Field, ...] = ()
    stage: str = ""  # where in a mission it belongs; "" anywhere
    scope: Scope = "mission"  # decides which ids it must have
    retention: Retention = "raw"
    owner: str = ""
    since: str = ""
    stability: str = "stable"
    aliases: tuple[str, ...] = ()  # older names, accepted from outside
    emitted: bool = True
    why: str = ""  # why the product does not record it
    file: str = field(default="", compare=False)

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.required + self.optional

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema 2020-12 of its context."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.name,
            "description": self.brief,
            "type": "object",
            "properties": {one.name: TYPES[one.type] for one in self.fields},
            "required": [one.name for one in self.required],
            "additionalProperties": False,
        }

    @property
    def example(self) -> dict[str, Any]:
        """A context as it should be."""
        return {one.name: one.example for one in self.fields}

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(self.schema)

    def misfit(self, context: Mapping[str, Any]) -> str:
        """Why a context is not one of this event; "" when it is. Values are never repeated."""
        names = {one.name for one in self.required}
        if lacking := sorted(names - context.keys()):
            return f"{self.name} lacks {', '.join(lacking)}"
        if unknown := sorted(context.keys() - {one.name for one in self.fields}):
            return f"{self.name} has no field {', '.join(map(str, unknown))[:200]}"
        if self._validator.is_valid(dict(context)):
            return ""
        wrong = next(self._validator.iter_errors(dict(context)))
        place = ".".join(map(str, wrong.instance_path)) or "its context"
        return f"{self.name}: {place} is not of its type"


@cache
def catalogue() -> dict[str, Event]:
    """Every event by name.

    Raises:
        Unsound: the files contradict themselves.
    """
    found: dict[str, Event] = {}
    for file, text in _texts():
        for event in _events(file, text):
            if event.name in found:
                raise Unsound(f"{file}: {event.name} stands in {found[event.name].file} already")
            found[event.name] = event
    return found


@cache
def fields() -> dict[str, Field]:
    """Every context field by name.

    Raises:
        Unsound: one of them is not as it must be.
    """
    text = (files("aicp.telemetry") / "events/fields.yaml").read_text(encoding="utf-8")
    return {name: _field(name, said) for name, said in _parsed("fields.yaml", text).items()}


@cache
def aliases() -> dict[str, str]:
    """The event's name by an older one."""
    return {alias: event.name for event in catalogue().values() for alias in event.aliases}


def declare() -> None:
    """Tell redaction which fields are personal or secret, and which never are (OB-3)."""
    register_all((one.name, one.pii) for one in fields().values())


def missing(event_type: str, context: Mapping[str, object]) -> frozenset[str]:
    """The required fields a context lacks.

    Raises:
        KeyError: the event is not in the catalogue.
    """
    return frozenset(one.name for one in catalogue()[event_type].required) - context.keys()


def _texts() -> list[tuple[str, str]]:
    folder = files("aicp.telemetry") / "events"
    names = sorted(one.name for one in folder.iterdir() if one.name.endswith(".yaml"))
    return [
        (name, (folder / name).read_text(encoding="utf-8"))
        for name in names
        if name != "fields.yaml"
    ]


def _parsed(file: str, text: str) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        found = yaml.load(text, Loader=loader)  # noqa: S506  one of the two safe loaders
    except yaml.YAMLError as error:
        raise Unsound(f"{file}: {str(error).splitlines()[0]}") from None
    if not isinstance(found, dict):
        raise Unsound(f"{file} is no mapping")
    return found


def _field(name: str, said: dict[str, Any]) -> Field:
    try:
        made = Field(name, **said)
    except TypeError as error:
        raise Unsound(f"fields.yaml: {name}: {error}") from None
    known = (
        made.type in TYPES
        and made.pii in ("none", "pseudonymous", "pii", "secret")
        and made.cardinality in ("low", "medium", "high")
    )
    if not known:
        raise Unsound(f"fields.yaml: {name} has a type, pii class or cardinality that is unknown")
    if not jsonschema_rs.Draft202012Validator(TYPES[made.type]).is_valid(made.example):
        raise Unsound(f"fields.yaml: the example of {name} is no {made.type}")
    return made


def _events(file: str, text: str) -> list[Event]:
    """The events of one file; what stands above them holds for each that says nothing else."""
    said = _parsed(file, text)
    usual = {name: value for name, value in said.items() if name != "events"}
    return [_made(file, name, usual | own) for name, own in (said.get("events") or {}).items()]


def _made(file: str, name: str, said: dict[str, Any]) -> Event:
    given = dict(said)
    try:
        required, optional = (
            tuple(fields()[one] for one in given.pop(kind, ())) for kind in ("fields", "optional")
        )
        made = Event(
            name, required=required, optional=optional, file=file,
            aliases=tuple(given.pop("aliases", ())), **given,
        )  # fmt: skip
    except KeyError as error:
        raise Unsound(
            f"{file}: {name} has the field {error.args[0]}, which fields.yaml lacks"
        ) from None
    except TypeError as error:
        raise Unsound(f"{file}: {name}: {error}") from None
    if made.stage not in STAGES or made.scope not in ("system", "tenant", "mission"):
        raise Unsound(f"{file}: {name} has a stage or a scope that is unknown")
    if made.retention not in ("raw", "audit") or made.emitted == bool(made.why):
        raise Unsound(
            f"{file}: {name} says why only when it is not emitted, and is kept raw or audit"
        )
    return made
