"""The one place where a call is checked against its tool's declaration, before anything else."""

from __future__ import annotations

from jsonschema.exceptions import best_match

from aicp.toolkits.model import Call, Json, ToolSpec
from aicp.toolkits.providers.base import ProviderError


def checked(tools: tuple[ToolSpec, ...], call: Call, *, mutates: bool) -> ToolSpec:
    """The declaration the call keeps to.

    Raises:
        ProviderError: no such tool here, a read asked to write (or the reverse), or arguments
            that are not what the declaration allows.
    """
    spec = next((tool for tool in tools if tool.name == call.tool), None)
    if spec is None:
        names = ", ".join(tool.name for tool in tools)
        raise ProviderError(f"there is no tool '{call.tool}' here", hint=f"use one of: {names}")
    if spec.mutates is not mutates:
        kind = "changes something" if spec.mutates else "only reads"
        raise ProviderError(f"{call.tool} {kind} and was called as if it did not")
    _check_arguments(spec, call.args)
    return spec


def _check_arguments(spec: ToolSpec, args: Json) -> None:
    problem = best_match(spec.validator.iter_errors(args))
    if problem is not None:
        place = ".".join(str(part) for part in problem.absolute_path) or "the arguments"
        raise ProviderError(
            f"{spec.name}: {place}: {problem.message[:300]}",
            hint=f"see the arguments of {spec.name}: {', '.join(spec.args_schema['properties'])}",
        )


def schema_of(required: tuple[str, ...] = (), **properties: Json) -> Json:
    """A closed JSON Schema object of these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
