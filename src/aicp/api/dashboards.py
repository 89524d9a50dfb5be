"""The four dashboards over JSON, for the asker's tenant (OB-1)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from aicp.telemetry import dashboard
from aicp.web import ActorDep, AppDep

router = APIRouter(prefix="/api/dashboards", tags=["dashboards"])


@router.get("")
def index(_actor: ActorDep) -> list[dict[str, str]]:
    boards = [dashboard.dashboard(name) for name in dashboard.NAMES]
    return [{"name": one.name, "title": one.title, "watch": one.watch} for one in boards]


@router.get("/{name}")
def one(name: str, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    """Each panel with value, count, threshold, usual value and state: ok, breach, thin, silent, uncollected."""
    board = dashboard.dashboard(name)
    with app.transaction(actor) as conn:
        return dashboard.as_dict(dashboard.show(conn, name, at=app.clock()), board)
