"""The forms that are handed in, published as JSON Schema."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from aicp.missions import offer
from aicp.web import ActorDep

router = APIRouter(prefix="/api/schemas", tags=["schemas"])


@router.get("/plan")
def plan(_actor: ActorDep) -> dict[str, Any]:
    """A ready plan, as POST /api/missions and the gateway take it."""
    return offer.schema()
