"""Every form of the mission workspace: one verb each, then back to the place it was sent from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from aicp.app import App
from aicp.console.forms import Fields, SignedDep
from aicp.console.frame import Viewer, ViewerDep
from aicp.console.missions import workspace
from aicp.console.route import PageRoute
from aicp.errors import AicpError, BadInput, NotFound, UpstreamDown
from aicp.kernel.db import Actor, Connection
from aicp.missions import (
    approve,
    consent,
    control,
    define,
    delegate,
    disconnect,
    finalize,
    followups,
    plan,
    prepare,
    reflect,
    undo,
)
from aicp.missions.services import Services
from aicp.web import AppDep

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Verb = Callable[[Connection, Actor, Services, str, Fields], Any]


def _edit(conn: Connection, actor: Actor, services: Services, mission: str, form: Fields) -> None:
    words = None if form["accept"] else form["text"]
    if words == "":
        raise BadInput("the new words are empty", hint="write what this part should say")
    define.edit(conn, actor, services, mission, form["chip"], words)


def _answer(conn: Connection, actor: Actor, services: Services, mission: str, form: Fields) -> None:
    text = form["leave_out"] or form["text"]
    if not text:
        raise BadInput("the answer is empty", hint="write it, or leave the words out")
    define.answer(conn, actor, services, mission, form["question"], text)


def _acknowledge(
    conn: Connection, actor: Actor, services: Services, mission: str, _form: Fields
) -> None:
    define.acknowledge(conn, actor, services, mission)


def _override(
    conn: Connection, actor: Actor, services: Services, mission: str, form: Fields
) -> None:
    prepare.override(conn, actor, services, mission, form["reason"])


def _consent(
    conn: Connection, actor: Actor, services: Services, mission: str, form: Fields
) -> None:
    consent.give(
        conn, actor, services, mission, form["account"],
        scopes=[scope for scope in form["scopes"].split() if scope],
    )  # fmt: skip


def _disconnect(
    conn: Connection, actor: Actor, services: Services, mission: str, form: Fields
) -> None:
    disconnect.request(conn, actor, services, mission, form["account"])


def _select(conn: Connection, actor: Actor, services: Services, mission: str, form: Fields) -> None:
    plan.select(conn, actor, services, mission, form.integer("rank"))


def _approve(
    conn: Connection, actor: Actor, services: Services, mission: str, form: Fields
) -> None:
    approve.approve(
        conn, actor, services, mission, digest=form["digest"], rationale=form["rationale"],
        named=[value for name, value in form.values.items() if name.startswith("named-")],
    )  # fmt: skip


def _reject(conn: Connection, actor: Actor, services: Services, mission: str, form: Fields) -> None:
    approve.reject(conn, actor, services, mission, rationale=form["reason"])


def _pause(conn: Connection, actor: Actor, services: Services, mission: str, form: Fields) -> None:
    control.pause(conn, actor, services, mission, form["reason"])


def _resume(conn: Connection, actor: Actor, services: Services, mission: str, form: Fields) -> None:
    answers = {"": None, "yes": True, "no": False}
    if form["happened"] not in answers:
        raise BadInput("say whether the call happened: yes or no")
    control.resume(conn, actor, services, mission, answers[form["happened"]])


def _stop(conn: Connection, actor: Actor, services: Services, mission: str, _form: Fields) -> None:
    control.stop(conn, actor, services, mission)


def _undo(conn: Connection, actor: Actor, services: Services, mission: str, form: Fields) -> None:
    if not form["sure"]:
        raise BadInput("tick that everything listed is to be taken back", hint="then undo again")
    undo.request(
        conn, actor, services, mission, form["reason"],
        to_step=form.integer("to_step") if form["to_step"] else 0,
    )  # fmt: skip


def _try_undo(
    conn: Connection, actor: Actor, services: Services, mission: str, form: Fields
) -> None:
    undo.request(
        conn, actor, services, mission, "tried",
        to_step=form.integer("to_step") if form["to_step"] else 0, dry_run=True,
    )  # fmt: skip


def _finalize(
    conn: Connection, actor: Actor, services: Services, mission: str, _form: Fields
) -> None:
    finalize.finalize(conn, actor, services, mission)


def _delegate(
    conn: Connection, actor: Actor, services: Services, mission: str, form: Fields
) -> None:
    delegate.delegate(conn, actor, services, mission, to=form["to"], reason=form["reason"])


def _feedback(
    conn: Connection, actor: Actor, services: Services, mission: str, form: Fields
) -> None:
    reflect.feedback(
        conn, actor, services, mission, rating=form.integer("rating"), notes=form["notes"],
        hours=_hours(form["hours"]),
    )  # fmt: skip


def _follow_up(
    conn: Connection, actor: Actor, services: Services, mission: str, form: Fields
) -> None:
    followups.schedule(
        conn, actor, services, mission, title=form["title"], priority=form.integer("priority"),
        labels=tuple(label for label in form["labels"].split(",") if label.strip()),
    )  # fmt: skip


def _hours(text: str) -> float | None:
    if not text:
        return None
    try:
        hours = float(text.replace(",", "."))
    except ValueError:
        raise BadInput(f"'{text[:40]}' is not a number of hours", hint="write 1.5, say") from None
    if not 0 <= hours < 10_000:
        raise BadInput("the hours saved are a number from 0 to 9,999")
    return hours


# What is posted where, and which part of the page the person comes back to.
VERBS: dict[str, tuple[Verb, str]] = {
    "brief": (_edit, "define"),
    "answer": (_answer, "define"),
    "acknowledgement": (_acknowledge, "define"),
    "override": (_override, "prepare"),
    "consents": (_consent, "prepare"),
    "disconnection": (_disconnect, "prepare"),
    "plan": (_select, "approve"),
    "approval": (_approve, "approve"),
    "rejection": (_reject, "plan"),
    "delegation": (_delegate, "approve"),
    "trial": (_try_undo, "execute"),
    "finalization": (_finalize, "execute"),
    "pause": (_pause, "now"),
    "resume": (_resume, "now"),
    "stop": (_stop, "now"),
    "undo": (_undo, "execute"),
    "feedback": (_feedback, "reflect"),
    "followups": (_follow_up, "reflect"),
}


@router.post("/missions/{mission_id}/{action}")
def act(
    request: Request, mission_id: str, action: str, app: AppDep, viewer: ViewerDep, form: SignedDep
) -> Response:
    """Do one thing to a mission.

    Raises:
        NotFound: there is no such mission or action.
    """
    if action not in VERBS:
        raise NotFound(f"a mission has no {action[:40]}", hint="go back to the mission's page")
    return _do(request, app, viewer, mission_id, action, form)


def _do(
    request: Request, app: App, viewer: Viewer, mission_id: str, action: str, form: Fields
) -> Response:
    verb, anchor = VERBS[action]
    try:
        with app.transaction(viewer.actor) as conn:
            verb(conn, viewer.actor, app.services, mission_id, form)
    except (NotFound, UpstreamDown):
        raise
    except AicpError as error:
        typed = {**form.values, "action": action}
        return workspace(request, app, viewer, mission_id, error=error, typed=typed)
    return RedirectResponse(f"/missions/{mission_id}#{anchor}", 303)
