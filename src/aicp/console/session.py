"""Signing in by a one-time link, signing out, and how bright the pages are."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from threading import Lock

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from aicp.console.forms import PostedDep, SignedDep, local
from aicp.console.frame import THEME_COOKIE, THEMES, ViewerDep, answer
from aicp.console.route import PageRoute
from aicp.errors import AicpError, BadInput
from aicp.people import sessions
from aicp.web import SESSION_COOKIE, AppDep

router = APIRouter(route_class=PageRoute, include_in_schema=False)
YEAR = 31_536_000  # seconds


class TooMany(AicpError):
    code, status, exit_code = "too_many_attempts", 429, 4


class Attempts:
    """How often each address tried a link lately, in this process.

    Args:
        most: attempts within `window`; one more is refused.
    """

    def __init__(self, *, most: int = 10, window: timedelta = timedelta(minutes=1)) -> None:
        self.most = most
        self.window = window
        self._seen: dict[str, deque[datetime]] = {}
        self._lock = Lock()

    def note(self, address: str, at: datetime) -> None:
        """Count one attempt.

        Raises:
            TooMany: there were too many.
        """
        with self._lock:
            self._forget(at)
            seen = self._seen.setdefault(address, deque())
            if len(seen) >= self.most:
                raise TooMany(
                    "too many sign-in attempts from this address",
                    hint="wait a minute and try again",
                )
            seen.append(at)

    def _forget(self, at: datetime) -> None:
        for address in list(self._seen):
            seen = self._seen[address]
            while seen and at - seen[0] > self.window:
                seen.popleft()
            if not seen:
                del self._seen[address]


def _attempts(request: Request) -> Attempts:
    """One counter for each server process."""
    if not hasattr(request.app.state, "sign_in_attempts"):
        request.app.state.sign_in_attempts = Attempts()
    return request.app.state.sign_in_attempts


@router.get("/login/{secret}")
def offer(request: Request, secret: str) -> Response:
    """Only shows a button: whatever merely looks at a link must not use it up."""
    return answer(request, None, "session/link.html", data={"post": "to sign in"}, secret=secret)


@router.post("/login/{secret}")
def sign_in(request: Request, secret: str, app: AppDep, _form: PostedDep) -> Response:
    at = app.clock()
    _attempts(request).note(request.client.host if request.client else "", at)
    with app.db.service() as conn:
        session = sessions.redeem(conn, secret, at=at)
    home = RedirectResponse("/", 303)
    home.set_cookie(
        SESSION_COOKIE, session, max_age=int(sessions.LIFETIME["session"].total_seconds()),
        httponly=True, samesite="strict", secure=request.url.scheme == "https",
    )  # fmt: skip
    return home


@router.post("/logout")
def sign_out(request: Request, app: AppDep, _viewer: ViewerDep, _form: SignedDep) -> Response:
    with app.db.service() as conn:
        sessions.revoke(conn, request.cookies[SESSION_COOKIE], at=app.clock())
    gone = RedirectResponse("/", 303)
    gone.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
    return gone


@router.post("/theme")
def theme(_viewer: ViewerDep, form: SignedDep) -> Response:
    if form["theme"] not in THEMES:
        raise BadInput(f"there is no theme '{form['theme'][:40]}'", hint=f"use {', '.join(THEMES)}")
    back = RedirectResponse(local(form["back"]), 303)
    back.set_cookie(THEME_COOKIE, form["theme"], max_age=YEAR, samesite="strict")
    return back
