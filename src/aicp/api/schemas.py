"""The forms that are handed in, published as JSON Schema."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from aicp.missions import offer
from aicp.telemetry.catalogue import catalogue
from aicp.web import ActorDep

router = APIRouter(prefix="/api/schemas", tags=["schemas"])


@router.get("/plan")
def plan(_actor: ActorDep) -> dict[str, Any]:
    """A ready plan, as POST /api/missions and the gateway take it."""
    return offer.schema()


@router.get("/events")
def events(_actor: ActorDep) -> dict[str, Any]:
    """The context of every telemetry event, by its name."""
    return {event.name: event.schema for event in catalogue().values()}
