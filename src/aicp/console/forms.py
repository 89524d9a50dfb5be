"""What a browser posts: only from our own pages, only within the session that showed them."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from aicp.console.frame import ViewerDep
from aicp.errors import BadInput, Forbidden
from aicp.web import same_origin

MOST_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a form; a missing one is empty text."""

    values: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "").strip()

    def lines(self, name: str) -> tuple[str, ...]:
        return tuple(line.strip() for line in self[name].splitlines() if line.strip())

    def integer(self, name: str) -> int:
        """Raises BadInput when it is not a whole number."""
        if not self[name].isdecimal():
            raise BadInput(f"{name} is '{self[name][:40]}', which is not a whole number")
        return int(self[name])


async def posted(request: Request) -> Fields:
    """The form of a request that came from our own pages; for those who are not signed in yet.

    Raises:
        Forbidden: another site sent it.
        BadInput: it is not a form, or far too large.
    """
    same_origin(request)
    if int(request.headers.get("content-length", "0") or 0) > MOST_BYTES:
        raise BadInput(
            f"the form is larger than {MOST_BYTES // 1000} kB", hint="put data into the table"
        )
    form = await request.form()
    return Fields({name: value for name, value in form.items() if isinstance(value, str)})


async def signed(viewer: ViewerDep, form: Annotated[Fields, Depends(posted)]) -> Fields:
    """A form of a page that this very session was shown.

    Raises:
        Forbidden: its token is missing or of another session.
    """
    if not hmac.compare_digest(form["csrf"].encode(), viewer.csrf.encode()):
        raise Forbidden(
            "this form does not belong to your session; nothing was done",
            hint="reload the page and send it again", code="csrf",
        )  # fmt: skip
    return form


PostedDep = Annotated[Fields, Depends(posted)]
SignedDep = Annotated[Fields, Depends(signed)]


def local(path: str, fallback: str = "/") -> str:
    """A path on this server to go back to; anything else becomes the fallback."""
    parts = urlsplit(path)
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc
    return path if safe and path.isprintable() else fallback
