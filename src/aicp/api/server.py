"""The HTTP server: JSON under /api, pages everywhere else, /health for machines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI

from aicp import __version__
from aicp.api import (
    audit,
    dashboards,
    health,
    issues,
    limits,
    missions,
    otlp,
    people,
    policies,
    schemas,
    secrets,
    stream,
    telemetry,
)
from aicp.api.gateway import http, mcp_server
from aicp.app import App
from aicp.kernel.live import Live
from aicp.web import ActorDep, SmallBodies, install_errors


def make_server(app: App, *, pages: Sequence[APIRouter] = ()) -> FastAPI:
    """The ASGI application of a composed app.

    Args:
        pages: the console's routers, handed in by the process that serves pages too.
    """

    @asynccontextmanager
    async def lifespan(server: FastAPI) -> AsyncIterator[None]:
        server.state.live = Live(app.db.direct)
        async with server.state.live.running(), mcp_server.running(server):
            yield
        app.close()

    server = FastAPI(title="AI Employee Control Plane", version=__version__, lifespan=lifespan,
                     docs_url=None, redoc_url=None, openapi_url=None)  # fmt: skip
    server.state.aicp = app

    @server.get("/api/openapi.json", include_in_schema=False)
    def schema(_actor: ActorDep) -> dict[str, Any]:
        return server.openapi()

    install_errors(server)
    server.add_middleware(SmallBodies)
    own = (
        health, audit, dashboards, missions, schemas, http, mcp_server, stream, people, issues, limits, policies, secrets,
        telemetry, otlp,
    )  # fmt: skip
    for router in (*(module.router for module in own), *pages):
        server.include_router(router)
    return server
