"""Server-sent events: everything recorded, in order, resumable by the last id seen (MI-5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from aicp.app import App
from aicp.kernel.db import Actor
from aicp.kernel.live import Live
from aicp.missions import store, view
from aicp.web import ActorDep, AppDep, SignedIn, get_actor

router = APIRouter(tags=["stream"])
HEARTBEAT_SECONDS = 4.0
After = Annotated[int, Query(ge=-1, le=2**62)]


@router.get("/api/missions/{mission_id}/stream")
async def mission_stream(
    mission_id: str, request: Request, app: AppDep, actor: ActorDep,
    last_event_id: Annotated[str, Header()] = "", after: After = 0,
) -> StreamingResponse:  # fmt: skip
    def find() -> str:
        with app.transaction(actor) as conn:
            return store.get(conn, mission_id).id

    full_id = await asyncio.to_thread(find)
    return _stream(request, app, actor, full_id, _resume(last_event_id, after))


@router.get("/api/stream")
async def tenant_stream(
    request: Request, app: AppDep, actor: ActorDep,
    last_event_id: Annotated[str, Header()] = "", after: After = -1,
) -> StreamingResponse:  # fmt: skip
    """Every event of the tenant; from now on unless `after` or Last-Event-ID says otherwise."""
    start = _resume(last_event_id, after)
    if start < 0:
        start = await asyncio.to_thread(_newest, app, actor)
    return _stream(request, app, actor, None, start)


def _resume(last_event_id: str, after: int) -> int:
    known = last_event_id.isdecimal() and len(last_event_id) < 20
    return int(last_event_id) if known else after


def _newest(app: App, actor: Actor) -> int:
    with app.transaction(actor) as conn:
        row = conn.execute("select coalesce(max(id), 0) from telemetry_events").fetchone()
    return int(str(row[0])) if row else 0


def _stream(
    request: Request, app: App, actor: Actor, mission_id: str | None, after: int
) -> StreamingResponse:
    body = _events(request, app, actor, mission_id, after)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)


async def _events(
    request: Request, app: App, actor: Actor, mission_id: str | None, after: int
) -> AsyncIterator[bytes]:
    live: Live = request.app.state.live
    signed_in = SignedIn(lambda: get_actor(request))
    async with live.subscribed() as woken:
        while await signed_in.still() and not await request.is_disconnected():
            rows = await asyncio.to_thread(_read, app, actor, mission_id, after)
            for row in rows:
                after = row["id"]
                yield _frame(row)
            if rows:
                continue
            try:
                await asyncio.wait_for(woken.get(), HEARTBEAT_SECONDS)
            except TimeoutError:
                yield b": heartbeat\n\n"


def _read(app: App, actor: Actor, mission_id: str | None, after: int) -> list[dict[str, Any]]:
    with app.transaction(actor) as conn:
        return view.events(conn, mission_id, after=after)


def _frame(row: dict[str, Any]) -> bytes:
    data = orjson.dumps(row, default=str)
    return b"id: %d\nevent: aicp\ndata: %s\n\n" % (row["id"], data)
