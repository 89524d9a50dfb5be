"""What holds calls back: kill switches to pull and lift, breakers and quotas to look at (TR-14, TR-15)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from aicp.trust import stops, traffic
from aicp.web import ActorDep, AppDep

router = APIRouter(prefix="/api", tags=["limits"])


class SwitchBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    scope: stops.Scope
    target: str = ""
    reason: str


@router.get("/limits")
def limits(app: AppDep, actor: ActorDep) -> dict[str, Any]:
    """Breakers with state and resume time, quotas with what is used of them now."""
    with app.transaction(actor) as conn:
        return traffic.overview(conn, actor, app.services.limits, app.clock())


@router.get("/kill-switches")
def pulled(app: AppDep, actor: ActorDep) -> list[dict[str, Any]]:
    """The switches that are pulled and concern the asker, the widest first."""
    with app.transaction(actor) as conn:
        return [asdict(switch) | {"target": switch.target} for switch in stops.pulled(conn)]


@router.post("/kill-switches", status_code=201)
def pull(body: SwitchBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        made = stops.pull(
            conn, actor, scope=body.scope, target=body.target, reason=body.reason, at=app.clock()
        )
    return {"id": made, "scope": body.scope, "target": stops.named(body.scope, body.target)}


@router.post("/kill-switches/lift")
def lift(body: SwitchBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    """Calls may be made again; the missions that it paused wait for a person to resume them."""
    with app.transaction(actor) as conn:
        paused = stops.lift(
            conn, actor, scope=body.scope, target=body.target, reason=body.reason, at=app.clock()
        )
    return {
        "scope": body.scope, "target": stops.named(body.scope, body.target), "paused": paused,
    }  # fmt: skip
