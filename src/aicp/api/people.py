"""Who I am, and who else is here."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from aicp.errors import Forbidden
from aicp.people import sessions, tenants
from aicp.web import ActorDep, AppDep

router = APIRouter(prefix="/api", tags=["people"])


class PersonBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    email: str
    name: str
    roles: list[str]


@router.get("/me")
def me(actor: ActorDep) -> dict[str, Any]:
    return {"id": str(actor.person_id), "name": actor.name, "roles": list(actor.roles)}


@router.get("/people")
def index(app: AppDep, actor: ActorDep) -> list[dict[str, Any]]:
    with app.transaction(actor) as conn:
        return [_public(person) for person in tenants.people_of(conn, actor.tenant_id)]


@router.post("/people", status_code=201)
def add(body: PersonBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    """A new person and a token for their command line, shown this once."""
    if "admin" not in actor.roles:
        raise Forbidden("only an admin adds people")
    at = app.clock()
    with app.db.service() as conn:
        person = tenants.add_person(
            conn, actor.tenant_id, email=body.email, name=body.name, roles=tuple(body.roles), at=at
        )
        token = sessions.issue(conn, person, "token", at=at)
    return _public(person) | {"token": token}


@router.post("/login-link", status_code=201)
def login_link(app: AppDep, actor: ActorDep) -> dict[str, str]:
    """A one-time link into the console for whoever asks."""
    with app.db.service() as conn:
        me_ = next(p for p in tenants.people_of(conn, actor.tenant_id) if p.id == actor.person_id)
        secret = sessions.issue(conn, me_, "link", at=app.clock())
    return {"path": f"/login/{secret}"}


def _public(person: tenants.Person) -> dict[str, Any]:
    return {
        "id": str(person.id), "email": person.email, "name": person.display_name, "roles": list(person.roles),
    }  # fmt: skip
