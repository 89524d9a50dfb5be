"""Tools as a Cedar schema, and a call as values of it. Pure.

What JSON Schema can say and Cedar can hold becomes typed: texts, whole numbers, decimals, booleans,
sets of those, closed objects as records. An object with free keys becomes the set of its keys. The
rest is not visible to policies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_UP, Decimal, InvalidOperation
from typing import Any

from aicp.toolkits.catalogue import Catalogue
from aicp.toolkits.model import Json

Kind = dict[str, Any]  # a Cedar type, as the JSON form of schemas writes it
TEXT: Kind = {"type": "String"}
LONG: Kind = {"type": "Long"}
BOOL: Kind = {"type": "Boolean"}
DECIMAL: Kind = {"type": "Extension", "name": "decimal"}
TEXTS: Kind = {"type": "Set", "element": TEXT}
SCALARS: dict[str, Kind] = {"string": TEXT, "integer": LONG, "boolean": BOOL, "number": DECIMAL}
LIMIT = 2**63  # of a Cedar Long, and of a decimal without its four places
PLACES = Decimal("0.0001")

ENTITIES: Json = {
    "Tenant": {},
    "Toolkit": {},
    "Account": {
        "memberOfTypes": ["Toolkit"],
        "shape": {"type": "Record", "attributes": {"name": TEXT, "toolkit": TEXT}},
    },
    "Mission": {
        "memberOfTypes": ["Tenant"],
        "shape": {
            "type": "Record",
            "attributes": {
                "tenant": TEXT, "owner": TEXT, "owner_roles": TEXTS, "priority": LONG, "risk": TEXT,
            },
        },
    },
}  # fmt: skip
CONTEXT: dict[str, Kind] = {
    "approved": BOOL, "tier": LONG, "mutates": BOOL, "leaves": BOOL, "purpose": TEXT, "hour": LONG,
    "weekday": LONG, "recipients": LONG, "domains": TEXTS, "untrusted": TEXTS,
}  # fmt: skip


class Untypable(ValueError):
    """A value that Cedar cannot hold, or that is not of its declared type."""


def schema(tools: Catalogue) -> Json:
    """The Cedar schema of all tools, in its JSON form."""
    actions: Json = {spec.toolkit: {} for spec in tools.specs}
    for name, shape in shapes(tools).items():
        attributes = {**CONTEXT, "args": {"type": "Record", "attributes": shape}}
        actions[name] = {
            "memberOf": [{"id": name.split(".", 1)[0]}],
            "appliesTo": {
                "principalTypes": ["Mission"],
                "resourceTypes": ["Account"],
                "context": {"type": "Record", "attributes": _required(attributes)},
            },
        }
    return {"": {"entityTypes": _entities(), "actions": actions}}


def shapes(tools: Catalogue) -> dict[str, dict[str, Kind]]:
    """The typed arguments by tool; where two declarations of a name differ, what they agree on."""
    found: dict[str, dict[str, Kind]] = {}
    for spec in tools.specs:
        mine = _attributes(spec.args_schema)
        found[spec.name] = _agreed(found[spec.name], mine) if spec.name in found else mine
    return found


def values(args: Mapping[str, Any], shape: Mapping[str, Kind]) -> Json:
    """The arguments of a call as the JSON form of Cedar values.

    Raises:
        Untypable: one is not of its declared type, or too large for Cedar.
    """
    return {
        name: _value(args[name], kind) for name, kind in shape.items() if args.get(name) is not None
    }


def _entities() -> Json:
    return {
        name: {**entity, "shape": entity["shape"] | {"attributes": _required(entity["shape"]["attributes"])}}
        if "shape" in entity else entity
        for name, entity in ENTITIES.items()
    }  # fmt: skip


def _required(attributes: Mapping[str, Kind]) -> dict[str, Kind]:
    return {name: {"required": True} | kind for name, kind in attributes.items()}


def _attributes(declared: Json) -> dict[str, Kind]:
    """The typed properties of an object's schema."""
    needed = set(declared.get("required", ()))
    found: dict[str, Kind] = {}
    for name, inner in declared.get("properties", {}).items():
        kind = _kind(inner)
        if kind is not None:
            found[name] = kind | {"required": name in needed and not _nullable(inner)}
    return found


def _agreed(one: Mapping[str, Kind], other: Mapping[str, Kind]) -> dict[str, Kind]:
    """Attributes of both; one of two types is in neither, one that either can lack is optional."""
    found: dict[str, Kind] = {}
    for name in dict.fromkeys([*one, *other]):
        kinds = [shape[name] for shape in (one, other) if name in shape]
        if all(_bare(kind) == _bare(kinds[0]) for kind in kinds):
            needed = len(kinds) == 2 and all(kind["required"] for kind in kinds)
            found[name] = kinds[0] | {"required": needed}
    return found


def _bare(kind: Kind) -> Kind:
    return {key: value for key, value in kind.items() if key != "required"}


def _nullable(declared: Any) -> bool:
    said = declared.get("type") if isinstance(declared, dict) else None
    return "null" in said if isinstance(said, list) else said == "null"


def _kind(declared: Any) -> Kind | None:
    """The Cedar type of a JSON Schema, None when there is none."""
    if not isinstance(declared, dict):
        return None
    either = declared.get("anyOf") or declared.get("oneOf")
    if either:
        return _either([_kind(one) for one in either if not _nullable(one)])
    said = declared.get("type")
    names = [name for name in (said if isinstance(said, list) else [said]) if name != "null"]
    match names:
        case [None]:
            return _listed(declared.get("enum") or [declared.get("const")])
        case ["array"]:
            return _set(_kind(declared.get("items")))
        case ["object"]:
            return _object(declared)
        case _:
            return _scalar({str(name) for name in names})


def _scalar(names: set[str]) -> Kind | None:
    if names == {"integer", "number"}:
        return DECIMAL
    return SCALARS.get(next(iter(names))) if len(names) == 1 else None


def _either(kinds: list[Kind | None]) -> Kind | None:
    """One type that holds all alternatives: the same, or a text that may also be a list of texts."""
    if kinds and all(kind == kinds[0] for kind in kinds):
        return kinds[0]
    return TEXTS if kinds and all(kind in (TEXT, TEXTS) for kind in kinds) else None


def _listed(choices: Iterable[Any]) -> Kind | None:
    return TEXT if all(isinstance(one, str) for one in choices) else None


def _set(element: Kind | None) -> Kind | None:
    return {"type": "Set", "element": element} if element in (TEXT, LONG, BOOL) else None


def _object(declared: Json) -> Kind:
    closed = declared.get("additionalProperties") is False and declared.get("properties")
    if not closed or declared.get("patternProperties"):
        return TEXTS  # its keys
    return {"type": "Record", "attributes": _attributes(declared)}


def _value(value: Any, kind: Kind) -> Any:
    match kind["type"]:
        case "Set":
            return [_value(one, kind["element"]) for one in _members(value)]
        case "Record" if isinstance(value, dict):
            return values(value, kind["attributes"])
        case "String" if isinstance(value, str):
            return value
        case "Boolean" if isinstance(value, bool):
            return value
        case "Long":
            return _long(value)
        case "Extension":
            return {"__extn": {"fn": "decimal", "arg": decimal(value)}}
    raise Untypable(f"{str(value)[:60]!r} is not a {kind['type']}")


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return list(value)  # the set of its keys
    return value if isinstance(value, list | tuple) else [value]


def _long(value: Any) -> int:
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    if not whole or not -LIMIT <= value < LIMIT:
        raise Untypable(f"{str(value)[:60]} is not a whole number that Cedar can hold")
    return int(value)


def decimal(value: Any) -> str:
    """A number with Cedar's four places, rounded away from zero: no limit is passed by rounding.

    Raises:
        Untypable: it is no number, or too large.
    """
    try:
        exact = Decimal(str(value)).quantize(PLACES, rounding=ROUND_UP)
    except InvalidOperation:
        raise Untypable(f"{str(value)[:60]} is not a number that Cedar can hold") from None
    if not exact.is_finite() or abs(exact) >= LIMIT * PLACES:
        raise Untypable(f"{str(value)[:60]} is too large a number for Cedar")
    return f"{exact:f}"
