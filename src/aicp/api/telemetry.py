"""Events of others, by HTTP: answered when they are committed (OB-4)."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query

from aicp.api.intake import BodyDep, Intake, hurry
from aicp.errors import BadInput, Forbidden
from aicp.telemetry import ingest
from aicp.telemetry.audit.spot import spot
from aicp.web import ActorDep, AppDep

router = APIRouter(prefix="/api", tags=["telemetry"])


def take(app: AppDep, actor: ActorDep, body: BodyDep) -> dict[str, Any]:
    """Up to 1,000 events of the catalogue, 4 MB; what is not one is told by its position, the rest is kept.

    Each has an `event_id` (UUIDv7, whose time is the event's), `event` and `context`; sent again, it adds nothing.
    """
    with app.transaction(actor) as conn:
        hurry(conn)
        taken = ingest.take(conn, actor, _events(body), at=app.clock())
    return {"stored": taken.stored, "known": taken.known,
            "rejected": [{"index": n, "reason": why} for n, why in taken.rejected.items()]}  # fmt: skip


_LIST = {"type": "array", "maxItems": ingest.MOST_EVENTS}
router.add_api_route(
    "/telemetry", take, methods=["POST"], route_class_override=Intake,
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _LIST}}}},
)  # fmt: skip


def _events(body: bytes) -> list[Any]:
    """The list in a body.

    Raises:
        BadInput: it is none.
    """
    try:
        events = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadInput("the body is no JSON", hint="send a list of events") from None
    if not isinstance(events, list):
        raise BadInput("the body is no list", hint="send a list of events")
    return events


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
