"""A google-adk agent on one mission, through ADK's own McpToolset.

Its model is a script, so that it runs without a key and without a network; put any ADK model in its
place. The control plane does not care which: it trusts neither.

    aicp mission new "Put the call with Kim into the calendar" --agent --calendar calendar.ics
    aicp mission token m-… > token.txt
    python examples/agent_adk.py --url http://127.0.0.1:8700/mcp --account calendar.ics < token.txt
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any

from google.adk.agents import LlmAgent
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset, StreamableHTTPConnectionParams
from google.genai import types

Json = dict[str, Any]
Turn = Callable[[list[Json]], tuple[str, Json] | None]  # answers so far -> the next call
EVENT = {
    "start": "2027-03-02T10:00:00+01:00",
    "end": "2027-03-02T10:30:00+01:00",
    "summary": "Call with Kim",
}
INSTRUCTION = "Ask mission_status, propose a plan, and make exactly the approved calls."


class Script(BaseLlm):
    """A model that asks for one call after the other, as a function of what the tools answered."""

    model: str = "script"
    turn: Turn

    async def generate_content_async(
        self,
        llm_request: LlmRequest,
        stream: bool = False,  # noqa: ARG002  ADK's own form
    ) -> AsyncGenerator[LlmResponse, None]:
        call = self.turn(answers(llm_request))
        part = types.Part(text="done")
        if call:
            part = types.Part(function_call=types.FunctionCall(name=call[0], args=call[1]))
        yield LlmResponse(content=types.Content(role="model", parts=[part]))


def answers(request: LlmRequest) -> list[Json]:
    """What the tools answered in this conversation, in order."""
    parts = (part for content in request.contents for part in content.parts or [])
    return [plain(p.function_response.response or {}) for p in parts if p.function_response]


def plain(response: Json) -> Json:
    """Our answer out of ADK's wrapping of an MCP result."""
    inner = response.get("structuredContent") or response.get("structured_content")
    return inner or json.loads(response["content"][0]["text"])


def propose(account: str) -> Turn:
    """Read what is in the calendar, then propose one event."""
    step = {"tool": "calendar.add", "account": account, "args": EVENT}
    plan = {"title": "A call with Kim", "steps": [step], "reason": "Kim is free then."}
    day = EVENT["start"][:10]
    script = [("calendar_events", {"start": day, "end": day}), ("mission_propose", {"plan": plan})]
    return lambda said: script[len(said)] if len(said) < len(script) else None


def carry_out(said: list[Json]) -> tuple[str, Json] | None:
    """Ask for the next call, try it changed, then make it as it was approved."""
    if not said:
        return "mission_status", {}
    now = said[0]["next"]
    if len(said) == 1:
        return now["tool"].replace(".", "_"), now["args"] | {"summary": "Something else"}
    return (now["tool"].replace(".", "_"), now["args"]) if len(said) == 2 else None


def look(said: list[Json]) -> tuple[str, Json] | None:
    return None if said else ("mission_status", {})


async def run(tools: McpToolset, turn: Turn) -> list[Json]:
    """One conversation to its end; what the tools answered."""
    agent = LlmAgent(name="helper", model=Script(turn=turn), instruction=INSTRUCTION, tools=[tools])
    runner = InMemoryRunner(agent=agent, app_name="helper")
    session = await runner.session_service.create_session(app_name="helper", user_id="me")
    message = types.Content(role="user", parts=[types.Part(text="Do your part of the mission.")])
    said: list[Json] = []
    async for event in runner.run_async(user_id="me", session_id=session.id, new_message=message):
        said += [plain(r.response or {}) for r in event.get_function_responses()]
    return said


async def main(url: str, token: str, account: str, poll: float) -> None:
    """Propose, wait for people, carry out."""
    headers = {"Authorization": f"Bearer {token}"}
    tools = McpToolset(connection_params=StreamableHTTPConnectionParams(url=url, headers=headers))
    try:
        read, proposed = await run(tools, propose(account))
        tell("read", f"{len(read['output']['events'])} events, untrusted: {read['untrusted']}")
        tell("proposed", f"{proposed['steps']} call")
        told = ""
        while not (now := (await run(tools, look))[0])["next"]:
            if now["waits_for"] != told:
                told = now["waits_for"]
                tell("waits for", told)
            await asyncio.sleep(poll)
        _, denied, done = await run(tools, carry_out)
        tell("denied", f"{denied['rule']}: {denied['why']}")
        tell("done", f"step {done['step']} of {done['steps']}")
    finally:
        await tools.close()


def tell(what: str, text: str) -> None:
    print(f"{what:<10} {text}", flush=True)  # noqa: T201  this is its output


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--account", default="calendar.ics")
    parser.add_argument("--poll", type=float, default=5.0)
    return parser.parse_args()


if __name__ == "__main__":
    given = options()
    asyncio.run(main(given.url, sys.stdin.readline().strip(), given.account, given.poll))
