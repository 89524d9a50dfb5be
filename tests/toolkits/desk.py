"""A provider of a user's own that needs a sign-in: the calendar behind a desk that gives out grants.

The desk is a folder: `grant.json` says what became of the link, which the test writes as the person
at the other side would.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aicp.toolkits.model import BeforeImage, Call, Json, Outcome
from aicp.toolkits.providers import Where
from aicp.toolkits.providers.base import Connection, Grant, Link, Probe, ProviderError
from aicp.toolkits.providers.local.calendar import LocalCalendar


def named(target: str, where: Where) -> Connection:
    path = where.inside(target)
    return Connection("calendar", path.name, {"path": str(path)}, where.work_dir, "desk")


class Desk(LocalCalendar):
    def __init__(self, connection: Connection) -> None:
        super().__init__(replace(connection, config={"path": connection.config["path"]}))
        self._ref = connection.config.get("auth_ref", "")
        self._desk = Path(connection.config["path"]).with_suffix(".desk")

    def scopes_for(self, tools: tuple[str, ...]) -> dict[str, str]:
        specs = [spec for spec in self.tools() if spec.name in tools]
        return {spec.scope: f"{spec.title}." for spec in specs}

    def start_link(self, scopes: tuple[str, ...], *, metadata: dict[str, str]) -> Link:
        if (self._desk / "closed").exists():
            raise ProviderError("the desk is closed", hint="come back later")
        self._desk.mkdir(exist_ok=True)
        ref = f"ca_{len(list(self._desk.glob('ca_*')))}"
        asked = {"scopes": sorted(scopes), "metadata": metadata}
        (self._desk / ref).write_text(json.dumps(asked))
        return Link(f"http://127.0.0.1/desk/{ref}", ref, datetime.now(UTC) + timedelta(days=3650))

    def grant(self, ref: str) -> Grant:
        said = self._said()
        if not said or said["ref"] != ref:
            return Grant("initiated")
        return Grant(said["state"], tuple(said.get("scopes", ())), said.get("why", ""))

    def probe(self, ref: str) -> Probe:
        assert ref
        return Probe(frozenset(), frozenset(self._said().get("broken", ())))

    def revoke(self, ref: str) -> None:
        (self._desk / "grant.json").write_text(json.dumps({"ref": ref, "state": "revoked"}))

    def before(self, call: Call) -> BeforeImage:
        self._signed_in()
        return super().before(call)

    def execute(self, call: Call, before: BeforeImage) -> Outcome:
        self._signed_in()
        return super().execute(call, before)

    def read(self, call: Call) -> Json:
        self._signed_in()
        return super().read(call)

    def _signed_in(self) -> None:
        said = self._said()
        if said.get("state") != "approved" or said["ref"] != self._ref:
            raise ProviderError("the sign-in has ended", auth_expired=True)

    def _said(self) -> dict[str, Any]:
        path = self._desk / "grant.json"
        return json.loads(path.read_text()) if path.exists() else {}
