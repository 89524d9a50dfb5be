"""Home: what needs you, what is under way, how it ended, and a box for the next mission."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from aicp.app import App
from aicp.console.forms import Fields, SignedDep
from aicp.console.frame import Viewer, ViewerDep, answer
from aicp.console.queue import waiting_for
from aicp.console.route import PageRoute, correlation
from aicp.console.sections import Part, changes, parts
from aicp.errors import AicpError, BadInput
from aicp.kernel.db import Connection
from aicp.missions import define, store, view
from aicp.missions.sources import Sources
from aicp.trust import stops, traffic
from aicp.web import AppDep, error_body

router = APIRouter(route_class=PageRoute, include_in_schema=False)
LOOKED_AT = 200  # newest missions that home knows of
EXAMPLES = (
    ("Win back quiet accounts", "Win back our 20 best manufacturing accounts (over $50k ARR) that went quiet in Q2; warm advisory e-mails, no promotion, send only Tue–Thu 9–17 recipient time, skip the do-not-contact list."),
    ("Tidy phone numbers", "Normalise the phone numbers of all accounts to international format; change nothing else."),
    ("Hand accounts over", "Reassign the accounts of Kim Reyes to Jo Park."),
    ("Merge duplicates", "Merge duplicate accounts with the same e-mail; keep the newest activity date."),
)  # fmt: skip
LIVE = (
    ("stops", "home/_stops.html"),
    ("queue", "home/_queue.html"),
    ("flight", "home/_flight.html"),
    ("outcomes", "home/_outcomes.html"),
    ("health", "home/_health.html"),
)


@router.get("/")
@router.get("/index.json")
def index(request: Request, app: AppDep, viewer: ViewerDep, intent: str = "") -> Response:
    return _page(request, app, viewer, typed={"intent": intent})


@router.get("/home/changes")
def changed(request: Request, app: AppDep, viewer: ViewerDep) -> Response:
    """The live parts that are not as this browser has them."""
    return changes(request, viewer, _live(request, viewer, _facts(app, viewer)))


@router.post("/missions")
def create(request: Request, app: AppDep, viewer: ViewerDep, form: SignedDep) -> Response:
    """A mission from the box; what cannot be taken comes back with the words as they were typed."""
    try:
        with app.transaction(viewer.actor) as conn:
            mission_id = define.create(conn, viewer.actor, app.services, _new(form))
    except AicpError as error:
        return _page(request, app, viewer, typed=form.values, error=error)
    return RedirectResponse(f"/missions/{mission_id}", 303)


def _new(form: Fields) -> define.NewMission:
    sources = Sources(
        data=form.lines("data"), smtp=form["smtp"], sender=form["sender"],
        mail_folder=form["mail_folder"], delivered="", calendar=form["calendar"],
    )  # fmt: skip
    if not sources.data:
        raise BadInput(
            "a mission needs a table to work on",
            hint="name a CSV file, a SQLite file with #table, or a database address with #table",
        )
    priority = form.integer("priority") if form["priority"] else 2
    return define.NewMission(form["intent"], sources, form["title"], priority, form["issue"])


def _page(
    request: Request, app: App, viewer: Viewer, *, typed: dict[str, str],
    error: AicpError | None = None,
) -> Response:  # fmt: skip
    facts = _facts(app, viewer)
    body = error_body(error, correlation(request)) if error else {}
    return answer(
        request, viewer, "home/index.html", data=_document(facts) | body,
        status=error.status if error else 200, error=error, typed=typed, examples=EXAMPLES,
        files=_files(app), live=_live(request, viewer, facts), after=facts["newest"],
    )  # fmt: skip


def _facts(app: App, viewer: Viewer) -> dict[str, Any]:
    with app.transaction(viewer.actor) as conn:
        missions = store.recent(conn, limit=LOOKED_AT)
        queue = waiting_for(conn, viewer.actor, missions, app.clock())
        newest = _newest(conn)
        pulled = stops.pulled(conn)
        kits = traffic.overview(conn, viewer.actor, app.services.limits, app.clock())["toolkits"]
    over = ("completed", "archived")
    return {
        "queue": queue,
        "flight": [view.summary(m) for m in missions if m.status not in over],
        "outcomes": [view.summary(m) for m in missions if m.status in over][:8],
        "health": health(app),
        "newest": newest,
        "stops": [asdict(switch) | {"target": switch.target} for switch in pulled],
        "resting": [kit for kit in kits if kit["state"] != "closed"],
    }


def _document(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if key != "newest"}


def _live(request: Request, viewer: Viewer, facts: dict[str, Any]) -> list[Part]:
    return parts(request, viewer, LIVE, **facts)


def health(app: App) -> dict[str, Any]:
    """Whether work gets done: workers alive, the schema as this version expects it."""
    with app.db.service() as conn:
        schema = app.schema.standing(conn)
        row = conn.execute(
            "select app.live_workers(%s)", (app.settings.integer("stalled_seconds"),)
        ).fetchone()
    workers = int(str(row[0])) if row else 0
    status = "ok" if workers and schema.state == "ok" else "degraded"
    return {"status": status, "workers": workers, "schema": schema.state, "fingerprint": schema.fingerprint,
            "brain": app.services.model or "rules"}  # fmt: skip


def _newest(conn: Connection) -> int:
    row = conn.execute("select coalesce(max(id), 0) from telemetry_events").fetchone()
    return int(str(row[0])) if row else 0


def _files(app: App) -> list[str]:
    """Tables and calendars a mission could be given, as suggestions; never a deep search."""
    kinds = ("*.csv", "*/*.csv", "*.ics", "*/*.ics")
    found = (path for root in app.services.roots for kind in kinds for path in root.glob(kind))
    return sorted({str(path) for path in islice(found, 40)})
