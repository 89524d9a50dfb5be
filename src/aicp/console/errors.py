"""What went wrong, as a page: what, why, how to fix it, and the id it is logged under."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from aicp.console.frame import Viewer, answer, get_viewer
from aicp.console.route import PageRoute, correlation
from aicp.errors import AicpError, NotFound, SignInNeeded
from aicp.web import error_body

router = APIRouter(route_class=PageRoute, include_in_schema=False)
TITLES = {
    401: "Sign in", 403: "Not allowed", 404: "Not found", 409: "Not now", 422: "Not understood",
    502: "Something outside is down", 504: "It took too long",
}  # fmt: skip


def error_page(request: Request, error: AicpError) -> Response:
    """The page of an error; who is not signed in is told how to sign in instead."""
    data = error_body(error, correlation(request))
    if isinstance(error, SignInNeeded):
        return answer(request, None, "session/needed.html", data=data, status=401, error=error)
    title = TITLES.get(error.status, "Something went wrong")
    return answer(
        request, _viewer(request), "errors/error.html", data=data, status=error.status,
        error=error, title=title,
    )  # fmt: skip


@router.get("/{path:path}")
def nowhere(request: Request, path: str) -> Response:
    """Everything that has no page; whoever is not signed in does not even learn that."""
    if not path.startswith("api/"):
        get_viewer(request)
    raise NotFound(
        f"there is nothing at /{path[:200]}", hint="look in the missions list, or search by id"
    )


def _viewer(request: Request) -> Viewer | None:
    try:
        return get_viewer(request)
    except AicpError:
        return None
