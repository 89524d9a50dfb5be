"""How a refusal leaves a page: as a page, or as JSON for whoever asked for JSON."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from aicp.errors import AicpError, BadInput
from aicp.telemetry.logs import log
from aicp.web import correlation_of

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route whose errors become pages; nothing leaves it as a traceback."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def page(request: Request) -> Response:
            try:
                return await handle(request)
            except AicpError as error:
                return await run_in_threadpool(_say, request, error)
            except RequestValidationError as error:
                return await run_in_threadpool(_say, request, _malformed(error))
            except Exception as error:  # noqa: BLE001 - the last net: logged, and shown as a page
                return await run_in_threadpool(_say, request, _broken(request, error))

        return page


def correlation(request: Request) -> str:
    """The one id of a request, the same however often it is asked for."""
    if not hasattr(request.state, "correlation_id"):
        request.state.correlation_id = correlation_of(request)
    return request.state.correlation_id


def _say(request: Request, error: AicpError) -> Response:
    from aicp.console.errors import error_page  # it renders pages, which are built on this module

    return error_page(request, error)


def _malformed(error: RequestValidationError) -> BadInput:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return BadInput(f"{place}: {first['msg']}", hint="go back and correct it")


def _broken(request: Request, error: Exception) -> AicpError:
    correlation_id = correlation(request)
    log.error("page failed", correlation_id=correlation_id, exc_info=error)
    return AicpError(
        "something went wrong on our side; nothing was changed by it",
        hint=f"try again; if it stays, report it with the id {correlation_id}",
    )
