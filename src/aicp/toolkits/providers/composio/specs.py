"""From Composio's description of a tool to a declaration of ours. The schema is theirs, closed; the
rest is what `declared.py` says."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from aicp.toolkits.model import Json, ToolSpec
from aicp.toolkits.providers.composio.declared import Declared, Tool, undeclared

MUCH = 1_000  # characters of a stranger's description
KEPT = ("type", "properties", "required", "$defs", "definitions")


def action_of(toolkit: str, slug: str) -> str:
    """`GMAIL_SEND_EMAIL` -> `send_email`."""
    return slug.lower().removeprefix(f"{toolkit}_")


def tool_of(known: Declared, slug: str) -> Tool:
    """What is declared about a tool, or how one that nothing is declared about is treated."""
    return known.tools.get(slug) or undeclared(known.toolkit, action_of(known.toolkit, slug))


def spec_of(known: Declared, theirs: Any, version: str) -> ToolSpec | None:
    """The tool as we offer it; None when its schema is not one that can be checked."""
    ours = tool_of(known, theirs.slug)
    schema = closed(theirs.input_parameters, ours.offered)
    if schema is None:
        return None
    every = tuple(schema["properties"])
    return ToolSpec(
        name=f"{known.toolkit}.{action_of(known.toolkit, theirs.slug)}",
        title=ours.title or _short(theirs.name) or theirs.slug,
        # the version is part of the declaration: another one voids approvals
        description=f"{_short(theirs.description)} [Composio {theirs.slug} {version}]",
        args_schema=schema,
        mutates=not ours.reads,
        undo_tier=ours.tier,
        scope=ours.scope,
        undo=ours.undo,
        residue=ours.residue,
        sensitive=every if ours.effect == "unknown" else ours.sensitive,
        untrusted=ours.untrusted,
    )


def closed(schema: Any, offered: frozenset[str] | None = None) -> Json | None:
    """A vendor's schema with every object closed that names its properties; None when it is unsound.

    Args:
        offered: the only properties that are kept; one more that is required makes it unsound.

    A reference to somewhere else would be fetched while checking, so it makes the schema unsound.
    """
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        return None
    if not _inside(schema):
        return None
    kept = {key: _closed(schema[key]) for key in KEPT if key in schema}
    made = {"type": "object", "properties": {}, "required": []} | kept
    made["additionalProperties"] = False
    if offered is not None and isinstance(made["properties"], dict):
        made["properties"] = {k: v for k, v in made["properties"].items() if k in offered}
        if not set(made["required"]) <= offered:
            return None
    try:
        Draft202012Validator.check_schema(made)
    except SchemaError:
        return None
    return made


def _closed(part: Any) -> Any:
    if isinstance(part, list):
        return [_closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    made = {key: _closed(one) for key, one in part.items()}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


def _inside(part: Any) -> bool:
    """Whether every reference stays in the schema."""
    if isinstance(part, list):
        return all(_inside(one) for one in part)
    if not isinstance(part, dict):
        return True
    targets = (part[key] for key in ("$ref", "$dynamicRef") if isinstance(part.get(key), str))
    return all(to.startswith("#") for to in targets) and all(_inside(v) for v in part.values())


def _short(text: Any) -> str:
    return " ".join(str(text or "").split())[:MUCH]
