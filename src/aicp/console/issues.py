"""Issues: the ready queue, the list, one issue with what hangs on it, and the graph; live from disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from aicp.console.errors import TITLES
from aicp.console.forms import Fields, SignedDep
from aicp.console.frame import HEADERS, Viewer, ViewerDep, answer, get_viewer
from aicp.console.picture import KINDS, MOST, open_ids, picture
from aicp.console.route import PageRoute, correlation
from aicp.console.sections import changes, parts
from aicp.errors import AicpError, BadInput, NotFound
from aicp.issues.graph import Graph
from aicp.issues.model import EDGES, STATUSES, UNHEARD
from aicp.issues.model import KINDS as TYPES
from aicp.tracker import MISSING, Damaged, Tracker, Wish, may_write, need_writer
from aicp.web import AppDep, SignedIn, error_body

router = APIRouter(route_class=PageRoute, include_in_schema=False)
ANCHORS = {
    "comments": "comments",
    "dependencies": "needs",
    "removal": "needs",
}  # where one returns to
LOOK_SECONDS, HEARTBEAT_LOOKS = 0.4, 10
PROBLEM = (("problem", "issues/_problem.html"),)
LIST = (*PROBLEM, ("ready", "issues/_ready.html"), ("list", "issues/_list.html"))
GRAPH = (*PROBLEM, ("graph", "issues/_picture.html"))
ISSUE = (
    *PROBLEM,
    ("head", "issues/_head.html"),
    ("comments", "issues/_comments.html"),
    ("needs", "issues/_needs.html"),
    ("tree", "issues/_tree.html"),
    ("graph", "issues/_picture.html"),
)


def get_tracker(app: AppDep) -> Tracker:
    return Tracker(app.settings.issues_dir)


def get_wish(status: str = "", label: str = "", priority: str = "") -> Wish:
    """The filter in the address."""
    return Wish(status, tuple(filter(None, [label])), priority)


TrackerDep = Annotated[Tracker, Depends(get_tracker)]
WishDep = Annotated[Wish, Depends(get_wish)]


@router.get("/issues")
@router.get("/issues.json")
def index(request: Request, tracker: TrackerDep, viewer: ViewerDep, wish: WishDep) -> Response:
    return _list_page(request, tracker, viewer, wish)


@router.get("/issues/changes")
def index_changed(
    request: Request, tracker: TrackerDep, viewer: ViewerDep, wish: WishDep
) -> Response:
    return _changes(request, viewer, LIST, lambda: _list(tracker, wish))


@router.get("/issues/graph")
@router.get("/issues/graph.json")
def graph(request: Request, tracker: TrackerDep, viewer: ViewerDep, label: str = "") -> Response:
    """Everything unfinished with its dependencies; a label narrows it."""
    return _followed(request, tracker, viewer, lambda: _graph_page(request, tracker, viewer, label))


def _graph_page(request: Request, tracker: Tracker, viewer: Viewer, label: str) -> Response:
    stamp, context = tracker.stamp(), _graph(tracker, label)
    drawn = context["picture"]
    data = {"nodes": drawn.boxes, "edges": drawn.lines, "left_out": drawn.left_out}
    return answer(
        request, viewer, "issues/graph.html", data=data, label=label, after=stamp,
        live=parts(request, viewer, GRAPH, problem=None, **context), query=_query(label=label),
    )  # fmt: skip


@router.get("/issues/graph/changes")
def graph_changed(
    request: Request, tracker: TrackerDep, viewer: ViewerDep, label: str = ""
) -> Response:
    return _changes(request, viewer, GRAPH, lambda: _graph(tracker, label))


@router.get("/issues/again")
def again(_viewer: ViewerDep) -> Response:
    """What a page without a list fetches when something changed: the order to load it again."""
    return Response(status_code=204, headers={**HEADERS, "HX-Refresh": "true"})


@router.get("/issues/stream")
async def stream(
    request: Request, tracker: TrackerDep, _viewer: ViewerDep,
    last_event_id: Annotated[str, Header()] = "", after: str = "",
) -> StreamingResponse:  # fmt: skip
    """Says when the list on disk is not as it was at `after`, whoever changed it."""
    signed_in = SignedIn(lambda: get_viewer(request))
    told = _told(request, tracker, last_event_id or after, signed_in)
    return StreamingResponse(
        told, media_type="text/event-stream", headers={**HEADERS, "X-Accel-Buffering": "no"}
    )


async def _told(
    request: Request, tracker: Tracker, seen: str, signed_in: SignedIn
) -> AsyncIterator[bytes]:
    yield b": hello\n\n"
    quiet = 0
    while await signed_in.still() and not await request.is_disconnected():
        stamp = await asyncio.to_thread(tracker.stamp)
        if stamp != seen:
            seen, quiet = stamp, 0
            yield b'id: %s\nevent: aicp\ndata: {"issues": "%s"}\n\n' % ((stamp.encode(),) * 2)
        quiet += 1
        if quiet % HEARTBEAT_LOOKS == 0:
            yield b": heartbeat\n\n"
        await asyncio.sleep(LOOK_SECONDS)


@router.post("/issues")
def create(request: Request, tracker: TrackerDep, viewer: ViewerDep, form: SignedDep) -> Response:
    try:
        need_writer(viewer.actor.roles)
        made = tracker.create(
            form["title"], by=viewer.email, kind=form["type"] or "task",
            priority=form.integer("priority") if form["priority"] else 2,
            labels=tuple(filter(None, [form["labels"]])), description=form["description"],
        )  # fmt: skip
    except (BadInput, NotFound) as error:
        return _list_page(request, tracker, viewer, Wish(), error=error, typed=form.values)
    return RedirectResponse(f"/issues/{made['id']}", 303)


@router.get("/issues/{issue_id}")
def show(request: Request, issue_id: str, tracker: TrackerDep, viewer: ViewerDep) -> Response:
    return _issue_page(request, tracker, viewer, issue_id.removesuffix(".json"))


@router.get("/issues/{issue_id}/changes")
def changed(request: Request, issue_id: str, tracker: TrackerDep, viewer: ViewerDep) -> Response:
    return _changes(request, viewer, ISSUE, lambda: _issue(tracker, viewer, issue_id))


@router.get("/issues/{issue_id}/{action}")
def back(issue_id: str, action: str, _viewer: ViewerDep) -> Response:  # noqa: ARG001
    """Reloading what a refused form left in the address bar leads to the issue."""
    return RedirectResponse(f"/issues/{issue_id}", 303)


@router.post("/issues/{issue_id}/{action}")
def act(
    request: Request, issue_id: str, action: str, tracker: TrackerDep, viewer: ViewerDep,
    form: SignedDep,
) -> Response:  # fmt: skip
    """Do one thing to an issue; a refusal comes back with what was typed."""
    try:
        need_writer(viewer.actor.roles)
        _do(tracker, issue_id, action, form, viewer.email)
    except NotFound:
        raise
    except AicpError as error:
        typed = {**form.values, "action": action}
        return _issue_page(request, tracker, viewer, issue_id, error=error, typed=typed)
    return RedirectResponse(f"/issues/{issue_id}#{ANCHORS.get(action, 'head')}", 303)


def _do(tracker: Tracker, issue_id: str, action: str, form: Fields, by: str) -> None:
    if action == "comments":
        tracker.comment(issue_id, form["text"], by=by)
    elif action == "close":
        tracker.close(issue_id, form["reason"], by=by)
    elif action == "reopen":
        tracker.reopen(issue_id, form["reason"], by=by)
    elif action == "removal":
        tracker.unlink(issue_id, form["on"], form["type"], by=by)
    elif action == "update":
        change = {key: form[key] for key in ("status", "priority") if form[key]}
        tracker.update(issue_id, change, by=by)
    elif action == "dependencies":
        tracker.link(issue_id, form["on"], form["type"] or "blocks", by=by)
    else:
        raise NotFound(f"an issue has no {action[:40]}", hint="go back to the issue's page")


def _changes(
    request: Request, viewer: Viewer, templates: Sequence[tuple[str, str]],
    read: Callable[[], dict[str, Any]],
) -> Response:  # fmt: skip
    """The parts that changed; while they cannot be read, only why not, above what was shown before."""
    try:
        context = read()
    except AicpError as error:
        return changes(request, viewer, parts(request, viewer, PROBLEM, problem=error))
    return changes(request, viewer, parts(request, viewer, templates, problem=None, **context))


def _followed(
    request: Request, tracker: Tracker, viewer: Viewer, page: Callable[[], Response]
) -> Response:
    """A page, or why the list cannot be read; that page follows the list on disk as well."""
    stamp = tracker.stamp()
    try:
        return page()
    except (NotFound, Damaged) as error:
        if error.reason_code not in (MISSING, Damaged.code):
            raise
        return answer(
            request, viewer, "issues/unreadable.html", data=error_body(error, correlation(request)),
            status=error.status, error=error, title=TITLES.get(error.status, "The list is damaged"),
            after=stamp,
        )  # fmt: skip


def _list_page(
    request: Request, tracker: Tracker, viewer: Viewer, wish: Wish, *,
    error: AicpError | None = None, typed: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    return _followed(
        request, tracker, viewer,
        lambda: _whole_list(request, tracker, viewer, wish, error=error, typed=typed or {}),
    )  # fmt: skip


def _whole_list(
    request: Request, tracker: Tracker, viewer: Viewer, wish: Wish, *, error: AicpError | None,
    typed: dict[str, str],
) -> Response:  # fmt: skip
    stamp, context = tracker.stamp(), _list(tracker, wish)
    body = error_body(error, correlation(request)) if error else {}
    label = next(iter(wish.labels), "")
    return answer(
        request, viewer, "issues/list.html", status=error.status if error else 200, error=error,
        data={"ready": context["ready"], "issues": context["issues"]} | body, after=stamp,
        live=parts(request, viewer, LIST, problem=None, **context), typed=typed, statuses=STATUSES,
        types=TYPES, wish=wish, label=label, no=may_write(viewer.actor.roles),
        query=_query(status=wish.statuses, label=label, priority=wish.priorities),
    )  # fmt: skip


def _issue_page(
    request: Request, tracker: Tracker, viewer: Viewer, issue_id: str, *,
    error: AicpError | None = None, typed: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    return _followed(
        request, tracker, viewer,
        lambda: _whole_issue(request, tracker, viewer, issue_id, error=error, typed=typed or {}),
    )  # fmt: skip


def _whole_issue(
    request: Request, tracker: Tracker, viewer: Viewer, issue_id: str, *, error: AicpError | None,
    typed: dict[str, str],
) -> Response:  # fmt: skip
    stamp, context = tracker.stamp(), _issue(tracker, viewer, issue_id)
    body = error_body(error, correlation(request)) if error else {}
    return answer(
        request, viewer, "issues/show.html", data=context["doc"] | body, after=stamp,
        status=error.status if error else 200, error=error, issue=context["doc"]["issue"],
        live=parts(request, viewer, ISSUE, problem=None, **context), typed=typed, statuses=STATUSES,
        edge_types=EDGES, no=context["no"],
    )  # fmt: skip


def _list(tracker: Tracker, wish: Wish) -> dict[str, Any]:
    filtered = bool(wish.statuses or wish.labels or wish.priorities)
    ready = Wish(labels=wish.labels, priorities=wish.priorities)
    return {
        "ready": tracker.listed(ready, ready=True),
        "issues": tracker.listed(wish),
        "filtered": filtered,
    }


def _issue(tracker: Tracker, viewer: Viewer, issue_id: str) -> dict[str, Any]:
    doc = tracker.show(issue_id)
    nodes = [node["id"] for node in doc["tree"]]
    graph = tracker.snapshot().graph
    edges = doc["issue"]["dependencies"]
    return {
        "doc": doc, "issue": doc["issue"], "picture": picture(graph, nodes), "kinds": KINDS,
        "most": MOST, "no": may_write(viewer.actor.roles),
        "needs": [_need(graph, edge.get("type") or "blocks", edge["depends_on_id"]) for edge in edges],
    }  # fmt: skip


def _need(graph: Graph, kind: str, issue_id: str) -> dict[str, str]:
    """One dependency as the page lists it; what is gone has no title."""
    issue = graph.by_id.get(issue_id)
    there = issue is not None and issue.status not in UNHEARD
    title, status = (issue.title, issue.status) if issue and there else ("", "missing")
    return {"type": kind, "id": issue_id, "title": title, "status": status}


def _graph(tracker: Tracker, label: str) -> dict[str, Any]:
    graph = tracker.snapshot().graph
    return {
        "picture": picture(graph, open_ids(graph, label)), "kinds": KINDS, "most": MOST,
        "issue": None,
    }  # fmt: skip


def _query(**given: str) -> str:
    words = urlencode({key: value for key, value in given.items() if value})
    return f"?{words}" if words else ""
