"""What every route, JSON or page, shares: the app, who is asking, and how an error leaves the building."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aicp.app import App
from aicp.errors import AicpError, BadInput, DatabaseDown, Forbidden, NotFound, SignInNeeded
from aicp.kernel.db import Actor
from aicp.people.sessions import who
from aicp.telemetry.logs import log
from aicp.telemetry.redaction import without_secrets

SESSION_COOKIE = "aicp_session"


def get_app(request: Request) -> App:
    return request.app.state.aicp


def secret_of(request: Request) -> str:
    """The token of a program (Authorization: Bearer) or the session of a browser."""
    header = request.headers.get("authorization", "")
    if header.lower().startswith("bearer "):
        return header[7:].strip()
    return request.cookies.get(SESSION_COOKIE, "")


def same_origin(request: Request) -> None:
    """Refuse what a page of another site, or of another port of this machine, made a browser send.

    Raises:
        Forbidden: the browser says that it comes from elsewhere.
    """
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")
    if foreign or site not in ("same-origin", "none"):
        raise Forbidden(
            "this request came from another site; nothing was done",
            hint="open the console itself and try there", code="origin",
        )  # fmt: skip


def get_actor(request: Request) -> Actor:
    """Who is asking.

    Raises:
        SignInNeeded: nobody we know.
        Forbidden: a browser's session, used by another site to change something.
    """
    app, secret = get_app(request), secret_of(request)
    if not secret:
        raise SignInNeeded("you are not signed in", hint="get a link with `aicp login`")
    if "authorization" not in request.headers and request.method not in ("GET", "HEAD"):
        same_origin(request)  # cookies go along with any request to this host, whatever the port
    with app.db.service() as conn:
        return who(conn, secret, ("token", "session"), at=app.clock()).actor


SIGNED_IN_SECONDS = 2.0  # how long a stream may believe what it was told


class SignedIn:
    """Whether whoever opened a stream is still signed in: a session that ends, ends what it opened.

    Args:
        ask: raises SignInNeeded when they are not; it may take a moment, and runs in a thread.
    """

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask
        self._due = 0.0

    async def still(self) -> bool:
        """Looks once in a while. A database that is away says nothing: it is asked again next time."""
        now = asyncio.get_running_loop().time()
        if now < self._due:
            return True
        self._due = now + SIGNED_IN_SECONDS
        try:
            await asyncio.to_thread(self._ask)
        except SignInNeeded:
            return False
        except DatabaseDown:
            return True
        return True


AppDep = Annotated[App, Depends(get_app)]
ActorDep = Annotated[Actor, Depends(get_actor)]


def correlation_of(request: Request) -> str:
    """One id for everything a request causes: the caller's own, or a new one."""
    given = request.headers.get("x-correlation-id", "")
    if (
        given.isascii()
        and 0 < len(given) <= 64
        and given.replace("-", "").replace("_", "").isalnum()
    ):
        return given
    return f"req_{secrets.token_hex(8)}"


def error_body(error: AicpError, correlation_id: str) -> dict[str, Any]:
    """The wire form. A credential that strayed into the words is taken out of the error itself."""
    error.message, error.hint = without_secrets([error.message, error.hint])
    error.facts = without_secrets(error.facts)
    return {"error": error.as_dict() | {"correlation_id": correlation_id}}


def install_errors(server: FastAPI) -> None:
    """Every error is one JSON sentence with a correlation id; never a traceback."""

    @server.exception_handler(AicpError)
    def refused(request: Request, error: AicpError) -> JSONResponse:
        return JSONResponse(error_body(error, correlation_of(request)), status_code=error.status)

    @server.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or "the request"
        wrong = BadInput(
            f"{place}: {first['msg']}", hint="see /api/openapi.json for what this route takes"
        )
        return JSONResponse(error_body(wrong, correlation_of(request)), status_code=422)

    @server.exception_handler(HTTPException)
    def no_such_route(request: Request, error: HTTPException) -> JSONResponse:
        missing = error.status_code in (404, 405)
        what = f"there is no {request.method} {request.url.path} here" if missing else error.detail
        kind = NotFound if error.status_code == 404 else BadInput
        wrong = kind(what, hint="see /api/openapi.json for what there is and what it takes")
        body = error_body(wrong, correlation_of(request))
        return JSONResponse(body, status_code=error.status_code, headers=error.headers)

    @server.exception_handler(Exception)
    def broken(request: Request, error: Exception) -> JSONResponse:
        correlation_id = correlation_of(request)
        log.error("request failed", correlation_id=correlation_id, exc_info=error)
        wrong = AicpError(
            f"something went wrong here; the log has it under {correlation_id}",
            hint="try again; report it with that id if it stays",
        )
        return JSONResponse(error_body(wrong, correlation_id), status_code=500)


MOST_BYTES = 4_000_000  # of a request; an intent is at most 20,000 characters


class SmallBodies:
    """ASGI: refuse a body beyond the limit before anything reads it, whoever sends it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"")
        if declared.isdigit() and int(declared) > MOST_BYTES:
            await self._refuse(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > MOST_BYTES:
                raise HTTPException(413, "the request is larger than 4 MB")
            return message

        await self.app(scope, counted, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        wrong = BadInput("the request is larger than 4 MB", hint="send less, and data as a file")
        body = error_body(wrong, correlation_of(Request(scope)))
        await JSONResponse(body, status_code=413)(scope, receive, send)
