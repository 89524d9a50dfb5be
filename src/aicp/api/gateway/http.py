"""The gateway over plain HTTP, and who holds which token.

A token is taken from the Authorization header only, never from a cookie.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from aicp.app import App
from aicp.errors import Forbidden, NotFound, SignInNeeded
from aicp.missions import agent, agent_access, agent_status, store
from aicp.missions.agent import Wanted
from aicp.missions.agent_calls import Denied
from aicp.people import agent_tokens
from aicp.people.agent_tokens import Holder
from aicp.toolkits.model import ToolSpec
from aicp.web import ActorDep, AppDep, get_actor, get_app, secret_of

Json = dict[str, Any]
router = APIRouter(tags=["gateway"])
STATUS, PROPOSE, TOOLS = "mission.status", "mission.propose", "mission.tools"


# Tokens: the owner's side ---------------------------------------------------------------------


class TokenBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    hours: int = Field(8, ge=1, le=168)


@router.post("/api/missions/{mission_id}/tokens", status_code=201)
def make_token(mission_id: str, body: TokenBody, app: AppDep, actor: ActorDep) -> Json:
    """A token for an agent of yours; it is shown this once."""
    at = app.clock()
    with app.transaction(actor) as conn:
        mission = agent_access.check_token(conn, actor, mission_id)
        agent_access.announce_token(conn, actor, mission, hours=body.hours, at=at)
    with app.db.service() as conn:
        token = agent_tokens.issue(
            conn, tenant_id=mission.tenant_id, owner_id=mission.owner_id, mission_id=mission.id,
            hours=body.hours, at=at,
        )  # fmt: skip
    return {"mission": mission.id, "token": token, "hours": body.hours, "mcp": "/mcp"}


@router.delete("/api/missions/{mission_id}/tokens")
def revoke_tokens(mission_id: str, app: AppDep, actor: ActorDep) -> Json:
    """Take back every token of a mission."""
    at = app.clock()
    with app.transaction(actor) as conn:
        mission = agent_access.check_token(conn, actor, mission_id)
    with app.db.service() as conn:
        count = agent_tokens.revoke_all(conn, mission.tenant_id, mission.id, at=at)
    with app.transaction(actor) as conn:
        agent_access.announce_revoked(conn, actor, mission, count=count, at=at)
    return {"mission": mission.id, "revoked": count}


# Who is asking --------------------------------------------------------------------------------


def get_holder(request: Request) -> Holder:
    """Whose agent is asking.

    Raises:
        SignInNeeded: no token of an agent, or one that has ended; then a finding says so.
    """
    app = get_app(request)
    secret = secret_of(request) if "authorization" in request.headers else ""
    with app.db.service() as conn:
        found = agent_tokens.holder(conn, secret, at=app.clock()) if secret else None
    if found is None:
        raise SignInNeeded(
            "this is not the token of an agent",
            hint="the mission's owner makes one: aicp mission token ID",
        )
    if found.over:
        error = agent_access.over(found)
        agent.refuse(app.services, found, Denied(found.over, error.message), {"asked": "anything"})
        raise error
    return found


def get_holder_of(mission_id: str, request: Request) -> Holder:
    """The agent of this very mission.

    Raises:
        NotFound: the token is for another mission, as if this one were not there.
        Forbidden: a person asks; people have routes of their own.
    """
    app = get_app(request)
    try:
        found = get_holder(request)
    except SignInNeeded as error:
        if error.facts:
            raise
        _refuse_people(app, request, mission_id)
        raise
    if mission_id != found.mission_id:
        denied = Denied("other-mission", f"there is no mission {mission_id[:40]}")
        about = {"asked": mission_id[:40]}
        raise NotFound(denied.why, facts=agent.refuse(app.services, found, denied, about))
    return found


def _refuse_people(app: App, request: Request, mission_id: str) -> None:
    actor = get_actor(request)
    with app.transaction(actor) as conn:
        mission = store.get(conn, mission_id)
    raise Forbidden(
        "calls are made with an agent's token", hint=f"make one: aicp mission token {mission.id}"
    )


HolderDep = Annotated[Holder, Depends(get_holder)]


# Plain HTTP -----------------------------------------------------------------------------------


async def body_of(request: Request) -> bytes:
    """The request's bytes; what is in them is judged where it can be recorded."""
    return await request.body()


CALL_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {
            "type": "object", "required": ["tool"],
            "properties": {
                "tool": {"type": "string", "description": f"table.select, or {STATUS}, {TOOLS}, {PROPOSE}"},
                "account": {"type": "string"},
                "args": {"type": "object"},
                "step": {"type": "integer", "description": "the step it is meant for"},
            },
        }}},
    }
}  # fmt: skip


@router.post("/api/missions/{mission_id}/calls", openapi_extra=CALL_BODY)
def make_call(
    holder: Annotated[Holder, Depends(get_holder_of)], app: AppDep,
    content: Annotated[bytes, Depends(body_of)],
) -> Json:  # fmt: skip
    """One call of an agent. A denial is an answer too: {allowed: false, rule, why, hint}."""
    try:
        asked = json.loads(content)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict) or asked.keys() - {"tool", "account", "args", "step"}:
        denied = Denied("junk", "a call is a JSON object of tool, account, args and step")
        return agent.refuse(app.services, holder, denied, {"bytes": len(content)})
    wanted = Wanted(
        asked.get("tool"), asked.get("account", ""), asked.get("args", {}), asked.get("step")
    )
    return answer(app, holder, wanted)


def answer(app: App, holder: Holder, wanted: Wanted) -> Json:
    """A call by its name: those about the mission itself, and everything else."""
    if wanted.tool == STATUS:
        return {"allowed": True, **agent_status.status(app.services, holder)}
    if wanted.tool == TOOLS:
        return {
            "allowed": True,
            "tools": [_listed(*one) for one in agent.tools(app.services, holder)],
        }
    if wanted.tool == PROPOSE:
        plan = wanted.args.get("plan") if isinstance(wanted.args, dict) else None
        return agent.propose(app.services, holder, plan)
    return agent.call(app.services, holder, wanted)


def _listed(account: str, spec: ToolSpec) -> Json:
    return {
        "tool": spec.name, "account": account, "title": spec.title, "description": described(spec),
        "mutates": spec.mutates, "undo": spec.undo, "undo_tier": spec.undo_tier.value,
        "args_schema": spec.args_schema,
    }  # fmt: skip


def described(spec: ToolSpec) -> str:
    """A tool's description, and what it takes to use it."""
    needs = " Needs the approved plan." if spec.mutates else " Only reads."
    return spec.description.rstrip() + needs
