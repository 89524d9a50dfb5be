"""From what the server offers and what the operator declares to the tools that may be called.

The reference of a tool covers all of it: the server's name, version, instructions and schemas, the
declaration, how it is started and how it is looked at. Any change voids an approval (TR-9).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from aicp.kernel.canonical import digest, sha256
from aicp.toolkits.model import Json, ToolSpec, UndoTier
from aicp.toolkits.providers.mcp.form import Reading, Server, Tool
from aicp.toolkits.providers.mcp.proofs import tier_of
from aicp.toolkits.providers.mcp.server import Listing, Offered, shown
from aicp.toolkits.providers.mcp.templates import holes

SAID = 300  # characters of a server's own description that are shown
PROSE = frozenset({"$schema", "$id", "$comment", "title", "description", "examples", "default"})
NAMES = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
VALUES = frozenset({"enum", "const", "required", "dependentRequired"})
UNDONE = {
    UndoTier.T5: "it cannot be taken back",
    UndoTier.T4: "it is compensated by the declared inverse, not restored",
}


@dataclass(frozen=True)
class Offer:
    """What may be called, and what may not and why."""

    tools: tuple[ToolSpec, ...]
    refused: dict[str, str] = field(default_factory=dict)  # declared, and not callable
    undeclared: tuple[str, ...] = ()  # the server has it, nobody declared it


def offer(name: str, server: Server, listing: Listing) -> Offer:
    """The declared tools of one server as it is now."""
    tools: list[ToolSpec] = []
    refused: dict[str, str] = {}
    for called, tool in server.tools.items():
        problem = next(_problems(server, called, listing), "")
        if problem:
            refused[called] = problem
        else:
            tools.append(_spec(name, server, called, tool, listing))
    used = {server.server_tool(called) for called in server.tools}
    undeclared = sorted(listing.tools.keys() - used)
    return Offer(tuple(tools), refused, tuple(map(shown, undeclared)))


def schema_pin(offered: Offered) -> str:
    """12 digits over a server's schema of a tool; what `pinned` in a declaration holds."""
    return sha256(json.dumps(offered.schema, sort_keys=True).encode())[:12]


def _problems(server: Server, called: str, listing: Listing) -> Iterator[str]:
    tool = server.tools[called]
    for used in _used(server, called):
        if used not in listing.tools:
            yield f"the server has no tool '{shown(used)}'"
            return
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", called):
        yield "its name is not letters, digits, '_' and '-': declare it under another, with 'uses'"
    offered = listing.tools[server.server_tool(called)]
    if tool.pinned and tool.pinned != schema_pin(offered):
        yield f"its schema changed: it is {schema_pin(offered)} now, {tool.pinned} was declared"
    yield from _schema_problems(offered.schema)
    known = offered.schema.get("properties", {})
    named = {hole.split(".")[1] for hole in _holes(tool) if hole.startswith("args.")}
    for argument in (*(tool.sensitive or ()), *sorted(named)):
        if argument not in known:
            yield f"the declaration speaks of the argument '{argument[:60]}', which it has not"


def _schema_problems(schema: Json) -> Iterator[str]:
    if schema.get("type") != "object" or not isinstance(schema.get("properties", {}), dict):
        yield "its schema is not that of an object"
        return
    if outside := next((ref for ref in _refs(schema) if not ref.startswith("#")), ""):
        yield f"its schema refers to {shown(outside)}, outside itself"
    try:
        Draft202012Validator.check_schema(_closed(schema, ""))
        digest(schema)
    except (SchemaError, ValueError) as error:
        yield f"its schema cannot be used: {str(getattr(error, 'message', error))[:120]}"


def _spec(name: str, server: Server, called: str, tool: Tool, listing: Listing) -> ToolSpec:
    offered = listing.tools[server.server_tool(called)]
    tier = tier_of(server, tool)
    return ToolSpec(
        name=f"mcp_{name}.{called}",
        title=tool.title or called.replace("_", " ").capitalize(),
        description=tool.description or _said(offered),
        args_schema=_closed(offered.schema, _pin(server, called, listing)),
        mutates=tool.does == "mutate",
        undo_tier=tier,
        scope=f"mcp_{name}:{tool.scope or ('write' if tool.does == 'mutate' else 'read')}",
        undo="" if tool.does == "read" else tool.undone or UNDONE.get(tier, ""),
        residue=tool.residue,
        sensitive=_sensitive(tool, offered),
        untrusted=True,
    )


def _sensitive(tool: Tool, offered: Offered) -> tuple[str, ...]:
    """Where the operator did not say, every argument may name a person, a place or an amount."""
    known = offered.schema.get("properties", {})
    return tuple(sorted(known) if tool.sensitive is None else tool.sensitive)


def _said(offered: Offered) -> str:
    said = shown(offered.description, SAID)
    if not said:
        return "The server describes it with no word."
    return f"The server's own words, which nobody checked: “{said}”"


def _closed(schema: Json, pin: str) -> Json:
    """The server's schema, refusing arguments it does not name. `$comment` decides nothing."""
    bare = _bare(schema)
    bare["properties"] = bare.get("properties", {})
    return bare | {"additionalProperties": False, "$comment": f"pin {pin}"}


def _bare(schema: Any) -> Any:
    """What a schema demands, without the server's prose: a model that reads it could obey it."""
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    bare: Json = {}
    for key, part in schema.items():
        if key in NAMES and isinstance(part, Mapping):
            bare[key] = {name: _bare(each) for name, each in part.items()}
        elif key not in PROSE:
            bare[key] = part if key in VALUES else _bare(part)
    return bare


def _pin(server: Server, called: str, listing: Listing) -> str:
    """Digits over everything that decides what a call of this tool does, and how it is undone."""
    launch = server.model_dump(exclude={"tools", "title"}, by_alias=True)
    used = {
        each: [listing.tools[each].schema, listing.tools[each].description]
        for each in sorted(_used(server, called))
    }
    said = [listing.name, listing.version, listing.instructions]
    parts = [said, launch, called, server.tools[called].model_dump(), used]
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode())[:24]


def _used(server: Server, called: str) -> set[str]:
    """The server's tools that a declared tool stands on."""
    tool = server.tools[called]
    state = [item.tool for item in server.state if isinstance(item, Reading)]
    undo = [tool.undo.tool] if tool.undo else []
    looks = [reading.tool for reading in tool.look]
    return {server.server_tool(called), *looks, *undo, *(state if tool.does == "mutate" else [])}


def _holes(tool: Tool) -> Iterator[str]:
    yield from holes([reading.args for reading in tool.look])
    yield from holes([tool.needs, tool.becomes, tool.undo.args if tool.undo else {}])


def _refs(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            yield from _refs(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _refs(value)
