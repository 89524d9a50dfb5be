"""How requests are read and answers are written: always labelled, always in Composio's forms."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from aicp.toolkits.sandbox.composio import shapes
from aicp.toolkits.sandbox.composio.kit import Json, Refused

MARK = {"x-aicp-sandbox": "1"}
BODY = 1_000_000  # bytes of a request


def paged(items: list[Json], query: Any) -> Json:
    limit = query.get("limit", "")
    whole = limit.split(".")[0]
    return shapes.page(
        items,
        limit=int(whole) if whole.isdigit() and int(whole) else 20,
        cursor=query.get("cursor", ""),
    )


async def body_of(request: Request) -> Json:
    """The JSON object of a request.

    Raises:
        Refused: it is none, or too large.
    """
    data = await request.body()
    try:
        found = json.loads(data) if len(data) <= BODY else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused("Invalid request data provided")
    return found


def as_json(value: Any, status: int = 200) -> Response:
    return JSONResponse(value, status, headers=MARK)


def as_html(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, headers=MARK)


def as_error(
    message: str, status: int, *, slug: str = "Sandbox_Error", headers: dict[str, str] | None = None
) -> Response:
    return JSONResponse(
        shapes.error(message, status, slug=slug), status, headers=MARK | (headers or {})
    )
