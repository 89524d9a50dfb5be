"""What every page shares: who looks at it, how it is rendered, and the headers it leaves with."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aicp import __version__
from aicp.console import assets, words
from aicp.console.route import correlation
from aicp.errors import SignInNeeded
from aicp.kernel.db import Actor
from aicp.people import tenants
from aicp.people.sessions import who
from aicp.web import SESSION_COOKIE, get_app

THEME_COOKIE = "aicp_theme"
THEMES = ("system", "light", "dark", "contrast")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Accept, Cookie, HX-Request",
}


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a page."""

    actor: Actor
    email: str
    tenant: str
    csrf: str  # proof that a form came from one of our pages in this session


def get_viewer(request: Request) -> Viewer:
    """The person of the browser's session.

    Raises:
        SignInNeeded: there is no session, or it ended.
    """
    app, secret = get_app(request), request.cookies.get(SESSION_COOKIE, "")
    if not secret:
        raise SignInNeeded("you are not signed in", hint="get a link with `aicp login`")
    with app.db.service() as conn:
        person = who(conn, secret, ("session",), at=app.clock())
        tenant = tenants.name_of(conn, person.tenant_id)
    return Viewer(person.actor, person.email, tenant, csrf_of(secret))


ViewerDep = Annotated[Viewer, Depends(get_viewer)]


def csrf_of(secret: str) -> str:
    """The form token of a session: nobody without the session can compute it."""
    return hmac.new(secret.encode(), b"aicp console form", "sha256").hexdigest()


def wants_json(request: Request) -> bool:
    """Whether the JSON twin of a page is asked for: by its .json address or by Accept."""
    accept = request.headers.get("accept", "")
    path = request.url.path
    return (
        path.endswith(".json")
        or path.startswith("/api/")
        or ("application/json" in accept and "text/html" not in accept)
    )


def answer(
    request: Request, viewer: Viewer | None, template: str, *, data: Any, status: int = 200,
    **context: Any,
) -> Response:  # fmt: skip
    """A page, or its JSON twin `data` for whoever asked for that."""
    if wants_json(request):
        body = orjson.dumps(data, default=str, option=orjson.OPT_INDENT_2)
        return Response(body, status, _headers(request), media_type="application/json")
    html = render(request, viewer, template, **context)
    return HTMLResponse(html, status, _headers(request))


def render(request: Request, viewer: Viewer | None, template: str, **context: Any) -> Markup:
    """A template with what all of them may use."""
    app = get_app(request)
    theme = request.cookies.get(THEME_COOKIE, "system")
    shared = {
        "viewer": viewer,
        "env": app.settings.env,
        "now": app.clock(),
        "path": request.url.path,
        "theme": theme if theme in THEMES else "system",
        "themes": THEMES,
        "version": __version__,
        "correlation_id": correlation(request),
    }
    html = environment().get_template(template).render({**shared, **context})
    return Markup(html)  # noqa: S704 - it left an autoescaping template


def _headers(request: Request) -> dict[str, str]:
    return {**HEADERS, "X-Correlation-Id": correlation(request)}


@cache
def environment() -> Environment:
    """Autoescaping, and strict: a name that a template expects and does not get is an error."""
    env = Environment(
        loader=PackageLoader("aicp.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )
    env.filters.update(words.FILTERS)
    env.globals.update(words.TABLES, asset=assets.url, styles=assets.STYLES)
    return env
