"""Live events: one LISTEN connection a process, fanned out to whoever streams."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg

CHANNEL = "aicp_events"
log = logging.getLogger("aicp.live")


class Live:
    """Wakes its subscribers when an event was committed. Missed wake-ups are harmless: readers go on
    from the last id they saw, and look again every few seconds anyway."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._waiting: set[asyncio.Queue[dict[str, Any]]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._listen_forever())
        try:
            yield
        finally:
            task.cancel()

    @asynccontextmanager
    async def subscribed(self) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
        """A queue of wake-ups {"id", "tenant_id", "mission_id"}; at most one waits in it."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=1)
        self._waiting.add(queue)
        try:
            yield queue
        finally:
            self._waiting.discard(queue)

    async def _listen_forever(self) -> None:
        while True:
            try:
                await self._listen()
            except psycopg.Error:
                log.warning("the event stream lost its database connection; trying again")
            await asyncio.sleep(1)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self.url, autocommit=True, application_name="aicp:live"
        ) as conn:
            await conn.execute(f"listen {CHANNEL}")
            async for notice in conn.notifies():
                self._wake(json.loads(notice.payload))

    def _wake(self, event: dict[str, Any]) -> None:
        for queue in self._waiting:
            if queue.empty():
                queue.put_nowait(event)
