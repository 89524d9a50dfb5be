"""The rules brain as an ADK model: deterministic, offline, the same typed answers as any other.

It reads the payload of the request and answers with the pure functions of this package. It holds
no state: what was done already it sees in the conversation, like every model.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.genai import types

from aicp.brain.intake import understand
from aicp.brain.wire import brief_out
from aicp.toolkits.model import resource_from

try:
    from google.adk.models._capabilities import LlmCapabilities
except ImportError:  # pragma: no cover (a later ADK may move it; the base class then decides)
    LlmCapabilities = None


class RulesModel(BaseLlm):
    """Answers intake, inspector, planner, executor and evidence payloads by rule."""

    model: str = "rules"

    @property
    def capabilities(self) -> Any:
        if LlmCapabilities is None:
            return super().capabilities
        return LlmCapabilities(output_schema_and_tools=True)

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False  # noqa: ARG002 (the contract's name)
    ) -> AsyncGenerator[LlmResponse, None]:  # fmt: skip
        payload = payload_of(llm_request)
        answer = ANSWERS[payload["task"]](payload, results_of(llm_request))
        yield response(answer, llm_request)


def payload_of(request: LlmRequest) -> dict[str, Any]:
    """The JSON of the first user text."""
    for content in request.contents:
        for part in content.parts or []:
            if content.role == "user" and part.text:
                return json.loads(part.text)
    return {"task": "evidence", "facts": {}}


def results_of(request: LlmRequest) -> list[dict[str, Any]]:
    """What the tools answered so far, in order."""
    parts = (part for content in request.contents for part in content.parts or [])
    return [dict(p.function_response.response or {}) for p in parts if p.function_response]


def response(answer: types.Part, request: LlmRequest) -> LlmResponse:
    """One part as a response, with the sizes counted (in characters: there are no tokens here)."""
    size = sum(len(p.text or "") for c in request.contents for p in c.parts or [])
    out = len(answer.text or "")
    usage = types.GenerateContentResponseUsageMetadata(
        prompt_token_count=size, candidates_token_count=out, total_token_count=size + out
    )
    return LlmResponse(content=types.Content(role="model", parts=[answer]), usage_metadata=usage)


def _intake(payload: dict[str, Any], _: list[dict[str, Any]]) -> types.Part:
    resources = [resource_from(r) for r in payload["resources"]]
    brief = understand(payload["intent"], resources, now=datetime.fromisoformat(payload["now"]))
    return types.Part(text=brief_out(brief).model_dump_json())


def _planner(payload: dict[str, Any], _: list[dict[str, Any]]) -> types.Part:
    """The plays in the order their scores give."""
    ordered = sorted(payload["candidates"], key=lambda c: -c["score"])
    plays = [{"id": c["id"], "why": c["rationale"], "params_json": "{}"} for c in ordered]
    return types.Part(text=json.dumps({"plays": plays}))


def _next_call(payload: dict[str, Any], results: list[dict[str, Any]]) -> types.Part:
    """The next call of the list, until all are made or one failed."""
    calls = payload["calls"]
    if len(results) >= len(calls) or (results and "error" in results[-1]):
        return types.Part(text=f"{len(results)} of {len(calls)} calls made")
    call = calls[len(results)]
    return types.Part(function_call=types.FunctionCall(name=call["name"], args=call["args"]))


def _evidence(payload: dict[str, Any], _: list[dict[str, Any]]) -> types.Part:
    facts = ", ".join(f"{value} {name}" for name, value in payload["facts"].items())
    return types.Part(text=json.dumps({"summary": f"Counted: {facts or 'nothing'}."}))


ANSWERS = {
    "intake": _intake,
    "planner": _planner,
    "inspector": _next_call,
    "executor": _next_call,
    "evidence": _evidence,
}
