"""An answer made up from its JSON Schema, for rehearsals in which nothing is asked."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError

PLAIN: Json = {"string": "", "integer": 0, "number": 0, "boolean": False, "null": None}


def sample(schema: Json) -> Any:
    """A value that the schema allows: an example where there is one, else the plainest.

    Raises:
        ProviderError: none is found without an example.
    """
    value = _made(schema)
    if not Draft202012Validator(schema).is_valid(value):
        raise ProviderError(
            "no answer can be made up from the declared schema, so it cannot be rehearsed",
            hint="add `examples` to the schema of the answer",
        )
    return value


def _made(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return None
    for name in ("examples", "enum", "anyOf", "oneOf"):
        if schema.get(name):
            first = schema[name][0]
            return _made(first) if name.endswith("Of") else first
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    return _of_type(schema)


def _of_type(schema: Json) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "null")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: _made(one) for name, one in schema.get("properties", {}).items()}
    if kind == "array":
        return [_made(schema.get("items", {}))] * schema.get("minItems", 0)
    if kind == "string":
        return "x" * schema.get("minLength", 0)
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    return PLAIN[kind]
