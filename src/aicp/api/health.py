"""Health: open to everybody, says nothing about anybody."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from aicp import __version__
from aicp.errors import AicpError
from aicp.kernel import sessions
from aicp.schema import backups
from aicp.web import AppDep

router = APIRouter(tags=["health"])


@router.get("/health")
def health(app: AppDep) -> JSONResponse:
    """200 when the database answers with the expected schema and a worker lives; else 503 (MI-2).

    A schema that was changed since it was applied is said, yet requests are served: status `degraded`.
    """
    checks: dict[str, Any] = {"version": __version__, "env": app.settings.env}
    try:
        with app.db.service() as conn:
            schema = app.schema.standing(conn)
            workers = conn.execute(
                "select app.live_workers(%s)",
                (app.settings.integer("stalled_seconds"),),
            ).fetchone()
            kept, use = backups.latest(conn), sessions.use(conn)
    except AicpError as error:
        return JSONResponse(
            {**checks, "status": "down", "database": error.message}, status_code=503
        )
    checks |= {
        "database": "ok",
        "schema": schema.state,
        "fingerprint": schema.fingerprint,
        "workers": workers[0] if workers else 0,
        "connections": {"used": use.used, "most": use.most, "percent": use.percent},
        "backups": {name: _told(result) for name, result in kept.items()},
    }
    serves = schema.state != "drift" and checks["workers"]
    status = "ok" if serves and schema.state == "ok" else "degraded"
    return JSONResponse({**checks, "status": status}, status_code=200 if serves else 503)


def _told(result: backups.Result) -> dict[str, Any]:
    """When, how long it took and whether it went well; the problem itself is for those who may look."""
    return {"at": result.at.isoformat(), "seconds": result.seconds, "ok": not result.problem}
