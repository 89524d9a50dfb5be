"""The missions list and the mission workspace, with their JSON twins."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from aicp.app import App
from aicp.console import words
from aicp.console.frame import Viewer, ViewerDep, answer
from aicp.console.may import why_not
from aicp.console.route import PageRoute, correlation
from aicp.console.sections import Part, changes, parts
from aicp.errors import AicpError, BadInput
from aicp.kernel.db import Connection
from aicp.missions import approve, reflect, store, view
from aicp.missions.lifecycle import STAGES
from aicp.missions.store import Mission
from aicp.web import AppDep, error_body

router = APIRouter(route_class=PageRoute, include_in_schema=False)
STATUSES = ("draft", "in_progress", "ready", "blocked", "completed", "archived")
SHOWN = 500
LIVE = (
    ("head", "missions/_head.html"),
    ("now", "missions/_now.html"),
    ("define", "missions/_define.html"),
    ("prepare", "missions/_prepare.html"),
    ("plan", "missions/_plan.html"),
    ("approve", "missions/_approve.html"),
    ("execute", "missions/_execute.html"),
    ("reflect", "missions/_reflect.html"),
    ("events", "missions/_events.html"),
)


@router.get("/missions")
@router.get("/missions.json")
def index(
    request: Request, app: AppDep, viewer: ViewerDep, stage: str = "", status: str = ""
) -> Response:
    """The newest missions; the filter is in the address."""
    for name, value, known in (("stage", stage, STAGES), ("status", status, STATUSES)):
        if value and value not in known:
            raise BadInput(
                f"there is no {name} '{value[:40]}'", hint=f"use one of {words.listed(known)}"
            )
    with app.transaction(viewer.actor) as conn:
        found = store.recent(conn, limit=SHOWN, stage=stage or None, status=status or None)
    rows = [view.summary(mission) for mission in found]
    return answer(
        request, viewer, "missions/list.html", data=rows, missions=rows, stage=stage,
        status_=status, statuses=STATUSES, full=len(rows) == SHOWN,
    )  # fmt: skip


@router.get("/search")
def search(app: AppDep, viewer: ViewerDep, id: str = "") -> Response:  # noqa: A002 - the field's name
    """Jump to a mission by its id or the beginning of it."""
    with app.transaction(viewer.actor) as conn:
        return RedirectResponse(f"/missions/{store.get(conn, id.strip()).id}", 303)


@router.get("/missions/{mission_id}")
def show(
    request: Request, mission_id: str, app: AppDep, viewer: ViewerDep, verify: bool = False
) -> Response:
    return workspace(request, app, viewer, mission_id.removesuffix(".json"), verify=verify)


@router.get("/missions/{mission_id}/changes")
def changed(
    request: Request, mission_id: str, app: AppDep, viewer: ViewerDep, verify: bool = False
) -> Response:
    """The parts that are not as this browser has them."""
    with app.transaction(viewer.actor) as conn:
        context = _context(conn, app, viewer, store.get(conn, mission_id), verify=verify)
    return changes(request, viewer, _live(request, viewer, context))


@router.get("/missions/{mission_id}/sheet")
@router.get("/missions/{mission_id}/sheet.json")
def sheet(request: Request, mission_id: str, app: AppDep, viewer: ViewerDep) -> Response:
    """The approval sheet alone, every call with its arguments: made to be printed."""
    with app.transaction(viewer.actor) as conn:
        found = approve.export(conn, viewer.actor, app.services, mission_id, format="page")
    return answer(request, viewer, "missions/sheet.html", data=found, sheet=found)


@router.get("/missions/{mission_id}/{action}")
def back(mission_id: str, action: str, _viewer: ViewerDep) -> Response:  # noqa: ARG001
    """Reloading what a refused form left in the address bar leads to the mission."""
    return RedirectResponse(f"/missions/{mission_id}", 303)


def workspace(
    request: Request, app: App, viewer: Viewer, mission_id: str, *, error: AicpError | None = None,
    typed: dict[str, str] | None = None, verify: bool = False,
) -> Response:  # fmt: skip
    """The one page of a mission, with what was refused on top when something was."""
    with app.transaction(viewer.actor) as conn:
        mission = store.get(conn, mission_id)
        context = _context(conn, app, viewer, mission, verify=verify, typed=typed or {})
    body = error_body(error, correlation(request)) if error else {}
    return answer(
        request, viewer, "missions/show.html", data=context["doc"] | body,
        status=error.status if error else 200, error=error, mission=mission,
        live=_live(request, viewer, context), after=context["newest"],
        query=f"?{urlencode({'verify': 'true'})}" if verify else "",
    )  # fmt: skip


def _live(request: Request, viewer: Viewer, context: dict[str, Any]) -> list[Part]:
    return parts(request, viewer, LIVE, **context)


def _context(
    conn: Connection, app: App, viewer: Viewer, mission: Mission, *, verify: bool = False,
    typed: dict[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    doc = view.document(conn, mission)
    events = view.events(conn, mission.id, after=0, limit=5000)
    checked = reflect.check(app.services, mission, conn) if verify else []
    current = STAGES.index(mission.current_stage)
    return {
        "doc": doc,
        "mission": mission,
        "stage": {row["stage"]: row for row in doc["stages"]},
        "reached": {name: at <= current for at, name in enumerate(STAGES)},
        "no": why_not(conn, viewer.actor, mission, doc, app.clock()),
        "is_owner": viewer.actor.person_id == mission.owner_id,
        "typed": typed or {},
        "events": events[-200:],
        "event_count": len(events),
        "newest": events[-1]["id"] if events else 0,
        "verified": {row["manifest_sha256"]: row["damage"] for row in checked},
        "verify": verify,
        "artifacts": _artifacts(app, mission, doc["bundles"]),
    }


def _artifacts(app: App, mission: Mission, bundles: list[dict[str, Any]]) -> dict[str, Any]:
    """The files of each bundle by manifest hash; None when the manifest itself cannot be read."""
    found: dict[str, Any] = {}
    for bundle in bundles:
        manifest = bundle["manifest_sha256"]
        try:
            found[manifest] = reflect.contents(app.services, mission, manifest)
        except (AicpError, ValueError, KeyError, TypeError):
            found[manifest] = None
    return found
