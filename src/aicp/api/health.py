"""Health: open to everybody, says nothing about anybody."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from aicp import __version__
from aicp.errors import AicpError
from aicp.schema.apply import schema_sha256
from aicp.web import AppDep

router = APIRouter(tags=["health"])


@router.get("/health")
def health(app: AppDep) -> JSONResponse:
    """200 when the database answers with the expected schema and a worker lives; else 503 (MI-2)."""
    checks: dict[str, Any] = {"version": __version__, "env": app.settings.env}
    try:
        with app.db.service() as conn:
            schema = conn.execute("select schema_sha256 from app.meta").fetchone()
            workers = conn.execute(
                "select app.live_workers(%s)",
                (app.settings.integer("stalled_seconds"),),
            ).fetchone()
    except AicpError as error:
        return JSONResponse(
            {**checks, "status": "down", "database": error.message}, status_code=503
        )
    checks |= {
        "database": "ok",
        "schema": "ok" if schema == (schema_sha256(),) else "drift",
        "workers": workers[0] if workers else 0,
    }
    well = checks["schema"] == "ok" and checks["workers"]
    return JSONResponse(
        {**checks, "status": "ok" if well else "degraded"}, status_code=200 if well else 503
    )
