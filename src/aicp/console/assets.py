"""Stylesheets, scripts and pictures of the console, under addresses that carry their content's hash.

Our own files live in static/; htmx comes out of its installed package. Any change changes the addresses,
so browsers may keep what they have for a year.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from mimetypes import guess_type

from fastapi import APIRouter, Response

from aicp.console.route import PageRoute
from aicp.errors import NotFound

HTMX = "vendor/htmx.min.js"
STYLES = (
    "css/tokens.css",
    "css/base.css",
    "css/parts.css",
    "css/mission.css",
    "css/issues.css",
    "css/print.css",
)
router = APIRouter(route_class=PageRoute, include_in_schema=False)


@cache
def version() -> str:
    """12 digits over every asset: one for all, so that scripts find each other by relative names."""
    whole = sha256()
    for path, file in sorted(_all().items()):
        whole.update(path.encode() + b"\0" + file.read_bytes() + b"\0")
    return whole.hexdigest()[:12]


def url(path: str) -> str:
    """The address of an asset.

    Raises:
        KeyError: there is no such file; a template names one that does not exist.
    """
    if path not in _all():
        raise KeyError(path)
    return f"/static/{version()}/{path}"


@router.get("/static/{digest}/{path:path}")
def asset(digest: str, path: str) -> Response:
    if digest != version() or path not in _all():
        raise NotFound(f"there is no file {path} of that version", hint="reload the page")
    kind = guess_type(path)[0] or "application/octet-stream"
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(_all()[path].read_bytes(), media_type=kind, headers=headers)


@cache
def _all() -> dict[str, Traversable]:
    own = files("aicp.console") / "static"
    found = {
        f"{folder.name}/{file.name}": file
        for folder in own.iterdir()
        if folder.is_dir()
        for file in folder.iterdir()
        if file.is_file()
    }
    return found | {HTMX: files("js_lib_htmx") / "static" / "htmx" / "htmx.min.js"}
