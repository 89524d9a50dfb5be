"""Operators' policies over JSON: what is in force, and candidates judged before they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from aicp.missions import policies
from aicp.trust.policy import Source
from aicp.web import ActorDep, AppDep

router = APIRouter(prefix="/api/policies", tags=["policies"])


class FileBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=200)
    text: str


class CheckBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    files: list[FileBody] = Field(default_factory=list)

    @property
    def sources(self) -> tuple[Source, ...]:
        return tuple(Source(one.name, one.text) for one in self.files)


class TestBody(CheckBody):
    since_seconds: Annotated[int, Field(ge=1, le=10 * 366 * 86_400)] = 30 * 86_400


@router.get("")
def index(app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return policies.overview(conn, app.services)


@router.get("/schema")
def schema(app: AppDep, actor: ActorDep) -> dict[str, str]:
    with app.transaction(actor) as conn:
        return {"schema": policies.schema(conn)}


@router.post("/check")
def check(body: CheckBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return policies.check(conn, app.services, body.sources)


@router.post("/test")
def test(body: TestBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    since = app.clock() - timedelta(seconds=body.since_seconds)
    with app.transaction(actor) as conn:
        return policies.rehearse(conn, app.services, body.sources, since)
