"""The door that telemetry comes in by: few requests at a time, a short wait for the database, else come again.

A sender keeps what it was not told to be stored, and sends it again: so a full house, and a database that
is away or slow, are answered at once or in bounded time, with when to come again (OB-4).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from aicp.errors import AicpError, BadInput, UpstreamDown
from aicp.kernel.db import Connection
from aicp.telemetry.otlp.wire import TooLarge, failure, form_of
from aicp.web import correlation_of, error_body

MOST_AT_ONCE = 6  # requests under way; the pool has connections, and the server threads, for others beside them
WAIT_SECONDS = 5  # for one statement of the database, and for a body to come in
AGAIN_SECONDS = {429: 1, 503: 5}

# Redaction keeps a core busy: threads that take turns at it, instead of passing the interpreter's lock to and
# fro, do some 40 % more (`python -m bench ingest`).
ONE_AT_A_TIME = threading.Lock()

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Full(UpstreamDown):
    """As many requests are under way as are taken at once."""

    code, status = "intake_full", 429


class Doors:
    """How many requests are under way in this process; only its event loop counts them."""

    def __init__(self, most: int = MOST_AT_ONCE) -> None:
        self.most = most
        self.inside = 0

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Be one of them.

        Raises:
            Full: there are enough.
        """
        if self.inside >= self.most:
            raise Full("too much telemetry arrives at once", hint="send it again in a moment")
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


def hurry(conn: Connection) -> None:
    """Let no statement of this transaction wait for long."""
    conn.execute("select set_config('statement_timeout', %s, true)", (f"{WAIT_SECONDS}s",))


class Intake(APIRoute):
    """A route behind the door; its errors say when to come again."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                with _doors(request).enter():
                    return await handle(request)
            except AicpError as error:
                return self.refusal(request, error)

        return handler

    def refusal(self, request: Request, error: AicpError) -> Response:
        body = error_body(error, correlation_of(request))
        return JSONResponse(body, error.status, headers=_again(error.status))


class OtlpIntake(Intake):
    """The same with the answers of OTLP/HTTP: a Status in the form of the request, if it has one."""

    def refusal(self, request: Request, error: AicpError) -> Response:
        try:
            form = form_of(request.headers.get("content-type", ""))
        except BadInput:
            return super().refusal(request, error)
        status = 400 if error.status == 422 else error.status
        words = error_body(error, correlation_of(request))["error"]
        said = f"{words['message']}; {words['hint']}" if words["hint"] else words["message"]
        return Response(failure(status, said, form), status, _again(status), media_type=form)


def _doors(request: Request) -> Doors:
    state = request.app.state
    if not hasattr(state, "doors"):
        state.doors = Doors()
    return state.doors


async def body_of(request: Request) -> bytes:
    """The body, read once it is known who sends it: named after the actor among a route's arguments.

    Raises:
        BadInput: it does not come in, or is too large.
    """
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            return await request.body()
    except TimeoutError:
        raise BadInput("the body did not come in", hint="send it again") from None
    except HTTPException as error:
        raise TooLarge(str(error.detail), hint="send it in parts") from None


BodyDep = Annotated[bytes, Depends(body_of)]


def _again(status: int) -> dict[str, str]:
    return {"Retry-After": str(AGAIN_SECONDS[status])} if status in AGAIN_SECONDS else {}
