"""Live parts of a page: each is rendered on its own and known by the hash of what it shows.

A browser says which versions it has; only the parts that changed are sent, so a person typing into
one part is not disturbed by another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from aicp.console.frame import HEADERS, Viewer, render

PARTS = "_ui/parts.html"


@dataclass(frozen=True, slots=True)
class Part:
    """One live part, rendered."""

    name: str
    html: Markup

    @property
    def version(self) -> str:
        return sha256(self.html.encode()).hexdigest()[:12]


def parts(
    request: Request, viewer: Viewer, templates: Sequence[tuple[str, str]], **context: Any
) -> list[Part]:
    """Render (name, template) pairs with one context."""
    return [
        Part(name, render(request, viewer, template, **context)) for name, template in templates
    ]


def changes(request: Request, viewer: Viewer, rendered: Iterable[Part]) -> Response:
    """Those parts whose version the browser does not have; 204 when it has them all."""
    have = set(request.query_params.getlist("have"))
    new = [part for part in rendered if f"{part.name}:{part.version}" not in have]
    if not new:
        return Response(status_code=204, headers=HEADERS)
    return HTMLResponse(render(request, viewer, PARTS, parts=new, swap=True), headers=HEADERS)
