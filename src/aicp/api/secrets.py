"""Secrets of connections: put in, named, forgotten; never given out again (TR-4)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from aicp.errors import BadInput, Forbidden, NotFound
from aicp.kernel.db import Actor
from aicp.web import ActorDep, AppDep

router = APIRouter(prefix="/api/secrets", tags=["secrets"])
MAY = {"admin", "operator", "security_lead"}


class SecretBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,62}$")
    value: str = Field(min_length=1, max_length=16_384, repr=False)


@router.get("")
def index(app: AppDep, actor: ActorDep) -> list[dict[str, Any]]:
    """Names, ages and fingerprints; the secrets themselves never leave."""
    with app.transaction(actor) as conn:
        rows = conn.execute(
            "select distinct on (name) name, fingerprint, created_at from secrets"
            " where sealed is not null order by name, created_at desc, id"
        ).fetchall()
    return [dict(zip(("name", "fingerprint", "created_at"), row, strict=True)) for row in rows]


@router.put("", status_code=201)
def put(body: SecretBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    """Keep a secret under a name; an older one of that name is destroyed."""
    _may(actor)
    vault = app.services.vault
    if vault is None:
        raise BadInput("this server keeps no secrets", hint="set AICP_SECRET_KEY")
    with app.transaction(actor) as conn:
        vault.forget(conn, body.name, clock=app.clock)
        vault.put(conn, actor, body.name, body.value, clock=app.clock)
    return {"name": body.name}


@router.delete("/{name}")
def forget(name: str, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    """Destroy a secret for good.

    Raises:
        NotFound: there is none of that name.
    """
    _may(actor)
    vault = app.services.vault
    with app.transaction(actor) as conn:
        if vault is None or not vault.forget(conn, name, clock=app.clock):
            raise NotFound(f"no secret is called '{name[:60]}'", hint="see `aicp secret list`")
    return {"name": name}


def _may(actor: Actor) -> None:
    if not MAY & set(actor.roles):
        raise Forbidden("your role may not change secrets", hint="ask an admin")
