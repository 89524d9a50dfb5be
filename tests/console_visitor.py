"""A browser without JavaScript in front of the console: sign in, read pages, send their forms."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from starlette.testclient import TestClient

from aicp.people import sessions, tenants
from flight import Flight


@dataclass
class Form:
    """A form as a page shows it."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[dict[str, str]] = field(default_factory=list)


class Forms(HTMLParser):
    """Reads the forms of a page the way a browser would before anybody types."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self.open: Form | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.open = Form(at.get("action", ""), at.get("method", "get"))
            self.found.append(self.open)
        elif self.open and tag == "input" and at.get("type") not in ("checkbox", "radio"):
            self.open.fields[at.get("name", "")] = at.get("value", "")
        elif self.open and tag == "button":
            self.open.buttons.append(at)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.open = None


@dataclass
class Visitor:
    """A person with a browser whose scripts are off."""

    http: TestClient

    def get(self, path: str, **headers: str) -> Any:
        return self.http.get(path, headers={"accept": "text/html", **headers})

    def form(self, page: str, action: str) -> Form:
        """The form of a page that posts to an address; pressing it must be possible."""
        found = [f for f in Forms(page).found if f.action.endswith(action)]
        assert found, f"no form posts to {action}"
        assert any("disabled" not in button for button in found[0].buttons), f"{action} is disabled"
        return found[0]

    def send(self, page: str, action: str, **typed: str) -> Any:
        """Fill a form of a page in and send it, as the browser would."""
        form = self.form(page, action)
        return self.http.post(
            form.action, data=form.fields | typed, headers={"accept": "text/html"}
        )


def secret_for(flight: Flight, name: str, kind: Any) -> str:
    actor = flight.people[name]
    with flight.app.db.service() as conn:
        person = next(
            p for p in tenants.people_of(conn, actor.tenant_id) if p.id == actor.person_id
        )
        return sessions.issue(conn, person, kind, at=flight.clock())


def csrf_in(html: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', html)
    assert found
    return found[1]
