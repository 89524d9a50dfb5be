"""The names of OpenTelemetry that are kept, and the older ones they are met under.

`gen_ai.*` is still in development upstream, so the one table is here: senders of any age are understood,
and one thing has one name in what is stored.
"""

from __future__ import annotations

from typing import Any

# Older name -> today's (OpenTelemetry GenAI semantic conventions 0.1.0).
RENAMED = {
    "gen_ai.system": "gen_ai.provider.name",
    "gen_ai.prompt": "gen_ai.input.messages",
    "gen_ai.completion": "gen_ai.output.messages",
    "gen_ai.usage.prompt_tokens": "gen_ai.usage.input_tokens",
    "gen_ai.usage.completion_tokens": "gen_ai.usage.output_tokens",
    "gen_ai.tool.input": "gen_ai.tool.call.arguments",
    "gen_ai.tool.output": "gen_ai.tool.call.result",
    "gen_ai.workflow.name": "gen_ai.agent.name",
    "gen_ai.openai.request.seed": "gen_ai.request.seed",
}
MISSION = ("mission_id", "gen_ai.conversation.id")
CORRELATION = ("correlation_id",)
SERVICE = ("service.name",)
EVENT = ("event.name",)


def renamed(attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes under today's names; where both are there, each stays as it is."""
    if RENAMED.keys().isdisjoint(attributes):
        return attributes
    return {
        new if (new := RENAMED.get(name, name)) not in attributes else name: value
        for name, value in attributes.items()
    }


def said(attributes: dict[str, Any], names: tuple[str, ...], *, most: int = 200) -> str:
    """The first of some attributes that is a text, cut to what an index takes; "" when none is."""
    found = (attributes.get(name) for name in names)
    return next((text for text in found if isinstance(text, str) and text), "")[:most]
