"""Secrets that stray into logs, errors, events, findings and comments are in none of what is kept (OP-4, TR-21)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from starlette.testclient import TestClient

from aicp.api.server import make_server
from aicp.console.pages import routers
from aicp.errors import UpstreamDown
from aicp.kernel.db import Actor
from aicp.missions import define, followups, reflect
from aicp.telemetry.logs import configure, log
from aicp.telemetry.record import record
from aicp.tracker import Tracker
from aicp.trust import journal
from console_visitor import secret_for
from flight import Flight
from issue_book import give_issues
from telemetry.planted import database, folder, leaks, plant, sentence


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    """Logging as a server has it, into a file; everything as before afterwards."""
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    configure("server", env="staging", level="info", file=tmp_path / "log.jsonl")
    yield tmp_path / "log.jsonl"
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


def test_no_planted_secret_is_anywhere_after_a_real_mission(
    flight: Flight, log_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted, ops = plant(), give_issues(flight)
    text, riley = sentence(planted), flight.people["riley"]
    mission = flight.to_execute()
    flight.work()
    _through_every_path(flight, mission, riley, text)
    broken = _a_mission_that_fails(flight, text, monkeypatch)
    flight.work()
    client = TestClient(make_server(flight.app, pages=routers()), raise_server_exceptions=False)
    client.headers["authorization"] = f"Bearer {secret_for(flight, 'riley', 'token')}"
    pages = {
        path: client.get(path).text
        for path in (f"/missions/{mission}", f"/missions/{broken}", f"/api/missions/{broken}", "/issues", f"/nowhere/{planted['api key']}")
    }  # fmt: skip
    places = {
        "log": log_file.read_text(), **pages,
        **{f"evidence/{k}": v for k, v in folder(flight.app.settings.data_dir / "evidence").items()},
        **{f".beads/{k}": v for k, v in folder(ops / ".beads").items()}, **database(flight.owner_url),
    }  # fmt: skip
    assert leaks(planted, places) == []
    assert "[SECRET:" in places["log"]
    for where in (
        "public.findings",
        "public.telemetry_events",
        "public.followups",
        "public.missions",
    ):
        assert "[SECRET:" in places[where], where
    assert any("[SECRET:" in v for k, v in places.items() if k.startswith(".beads/"))
    assert any("[SECRET:" in v for k, v in places.items() if k.startswith("evidence/"))


def test_the_search_finds_what_was_not_redacted() -> None:
    planted = plant()
    assert {name for _, name in leaks(planted, {"x": sentence(planted)})} == set(planted)


def _through_every_path(flight: Flight, mission: str, riley: Actor, text: str) -> None:
    log.error(text, context={"note": text})
    logging.getLogger("foreign").warning("it said %s", text)
    log.exception("it broke", exc_info=RuntimeError(text))
    with flight.app.transaction(riley) as conn:
        record(
            conn, riley, "approval_voided", {"reason": text}, at=flight.clock(), mission_id=mission
        )
        journal.find(
            conn,
            riley,
            mission,
            rule="a test",
            message=text,
            facts={"said": text},
            at=flight.clock(),
        )
    flight.call(followups.schedule, mission, title=text[:450])
    tracker = Tracker(flight.app.settings.issues_dir)
    issue = tracker.create(f"Look: {text[:440]}", by="riley", description=text)["id"]
    tracker.comment(issue, text, by="riley")
    tracker.close(issue, text, by="riley")
    reflect.seal_bundle(flight.app.services, riley, mission, "execution")


def _a_mission_that_fails(flight: Flight, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    def down(*_args: object, **_given: object) -> None:
        raise UpstreamDown(text, hint=text)

    with monkeypatch.context() as patched:
        patched.setattr(define, "inspect", down)
        broken = flight.new()
        flight.work()
    return broken
