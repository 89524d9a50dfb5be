"""The one place that runs ADK agents: in memory, bounded, without content in traces."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

from aicp.errors import UpstreamDown

if TYPE_CHECKING:
    from google.adk.agents import LlmAgent
    from google.adk.plugins.base_plugin import BasePlugin

APP = "aicp"
USER = "mission"
MOST_TOOLS = 6  # TR-12


def run(agent: LlmAgent, payload: dict[str, Any], *, turns: int, plugins: list[BasePlugin]) -> str:
    """Run an agent on a payload to its end; the last text it said.

    Args:
        turns: most calls of its model.

    Raises:
        UpstreamDown: the model failed or did not come to an end.
    """
    try:
        return asyncio.run(_run(agent, payload, turns, plugins))
    except Exception as error:
        raise UpstreamDown(
            f"The model of {agent.name} failed: {type(error).__name__}.",
            hint="Try again, or unset AICP_MODEL to use the rules.",
        ) from error


async def _run(
    agent: LlmAgent, payload: dict[str, Any], turns: int, plugins: list[BasePlugin]
) -> str:  # fmt: skip
    # Prompts and arguments hold personal data: they stay out of spans.
    os.environ["ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS"] = "false"
    from google.adk.agents.run_config import RunConfig
    from google.adk.apps.app import App
    from google.adk.runners import InMemoryRunner
    from google.genai import types

    runner = InMemoryRunner(app=App(name=APP, root_agent=agent, plugins=plugins))
    session = await runner.session_service.create_session(app_name=APP, user_id=USER)
    message = types.Content(role="user", parts=[types.Part(text=json.dumps(payload, default=str))])
    said = ""
    async for event in runner.run_async(
        user_id=USER,
        session_id=session.id,
        new_message=message,
        run_config=RunConfig(max_llm_calls=turns),
    ):
        if event.is_final_response() and event.content:
            said = "".join(part.text or "" for part in event.content.parts or []) or said
    await runner.close()
    return said
