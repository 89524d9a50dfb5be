"""Events of others, by HTTP: answered when they are committed (OB-4)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query

from aicp.errors import Forbidden
from aicp.telemetry import ingest
from aicp.telemetry.audit.spot import spot
from aicp.web import ActorDep, AppDep

router = APIRouter(prefix="/api", tags=["telemetry"])


@router.post("/telemetry")
def take(
    events: Annotated[list[Any], Body(max_length=ingest.MOST_EVENTS)], app: AppDep, actor: ActorDep
) -> dict[str, Any]:
    """Up to 1,000 events of the catalogue, 4 MB; what is not one is told by its position, the rest is kept.

    Each has an `event_id` (UUIDv7, whose time is the event's), `event` and `context`; sent again, it adds nothing.
    """
    with app.transaction(actor) as conn:
        taken = ingest.take(conn, actor, events, at=app.clock())
    return {"stored": taken.stored, "known": taken.known,
            "rejected": [{"index": n, "reason": why} for n, why in taken.rejected.items()]}  # fmt: skip


MAY_AUDIT = frozenset({"governance", "security_lead", "admin", "oncall", "engineering_lead"})


@router.get("/telemetry/audit")
def audit(
    app: AppDep, actor: ActorDep, minutes: Annotated[int, Query(ge=1, le=1440)] = 15
) -> dict[str, Any]:
    """The spot audit of the asker's tenant: findings, what was looked at, and what could not be."""
    if not MAY_AUDIT & set(actor.roles):
        raise Forbidden(
            "the spot audit is for governance, security, on-call, engineering and administrators"
        )
    with app.transaction(actor) as conn:
        return spot(conn, actor, at=app.clock(), minutes=minutes).as_dict()
