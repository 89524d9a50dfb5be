"""Log lines: JSON with exactly the playbook's fields, whoever writes them (OB-2)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from aicp.missions import define
from aicp.telemetry.logs import configure, log
from aicp.telemetry.redaction.markers import MARKER
from flight import Flight

FIELDS = {
    "timestamp", "level", "service", "env", "bd_issue", "tenantId", "mission_id", "correlation_id",
    "event", "toolkit", "message", "context",
}  # fmt: skip
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Lines]:
    """Logging as a server has it, into a file; everything as before afterwards."""
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    file = tmp_path / "log.jsonl"
    configure("server", env="staging", level="info", file=file)
    yield lambda: [json.loads(line) for line in file.read_text().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


def test_an_event_has_exactly_the_fields_and_its_context(lines: Lines) -> None:
    log.info("execution_started", tenantId="t-1", mission_id="m-1", correlation_id="req-1", toolkit="mail",
             context={"play_id": "win-back"}, extra=7)  # fmt: skip
    (line,) = lines()
    assert set(line) == FIELDS
    assert line | {"timestamp": ""} == {
        "timestamp": "", "level": "INFO", "service": "server", "env": "staging", "bd_issue": None,
        "tenantId": "t-1", "mission_id": "m-1", "correlation_id": "req-1", "event": "execution_started",
        "toolkit": "mail", "message": None, "context": {"play_id": "win-back", "extra": 7},
    }  # fmt: skip
    assert line["timestamp"].endswith("Z")


def test_foreign_loggers_write_the_same_lines(lines: Lines) -> None:
    logging.getLogger("uvicorn.error").warning("port %s is busy", 8700, extra={"port": 8700})
    logging.getLogger("aicp.jobs").warning("taken over", extra={"job": 5, "mission_id": "m-1"})
    first, second = lines()
    assert set(first) == set(second) == FIELDS
    assert (first["event"], first["level"]) == ("port 8700 is busy", "WARNING")
    assert first["context"]["port"] == 8700
    assert (second["mission_id"], second["context"]["job"]) == ("m-1", 5)


def test_an_exception_is_one_line_and_redacted(lines: Lines) -> None:
    for writer in (log.exception, logging.getLogger("foreign").exception):
        error = ValueError("no way to kim@acme.example over postgres://u:pw@h/db")
        writer("it broke", exc_info=error)
    for line in lines():
        assert set(line) == FIELDS
        assert line["level"] == "ERROR"
        assert "ValueError: no way to [EMAIL:" in line["context"]["exception"]
        assert "pw" not in json.dumps(line)
    assert len(lines()) == 2


@pytest.mark.parametrize(
    "value",
    [{1: 2}, {"a": {None: 1}}, 2**80, float("nan"), b"\xff", {"x"}, "\ud800", object(), "a\nb", [object()]],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_no_value_keeps_a_line_from_being_written(lines: Lines, value: Any) -> None:
    log.info("odd", context={"value": value}, also=value)
    logging.getLogger("foreign").info("odd", extra={"also": value})
    assert [set(line) for line in lines()] == [FIELDS, FIELDS]


def test_secrets_are_replaced_in_every_field_and_levels_are_kept(lines: Lines) -> None:
    log.info(
        "mail to kim@acme.example",
        toolkit="Bearer abcdefghijkl",
        context={"password": "pw"},
        api_key="k",
    )
    log.debug("nobody hears this")
    (line,) = lines()
    assert line["event"].startswith("mail to [EMAIL:")
    assert line["toolkit"].startswith("Bearer [SECRET:")
    assert set(line["context"]) == {"password", "api_key"}
    assert all(MARKER.fullmatch(value) for value in line["context"].values())


def test_what_is_bound_to_the_request_is_on_its_lines(lines: Lines) -> None:
    with structlog.contextvars.bound_contextvars(correlation_id="req-9"):
        log.info("one")
        logging.getLogger("foreign").info("two")
    assert [line["correlation_id"] for line in lines()] == ["req-9", "req-9"]


def test_every_line_about_a_mission_names_its_issue(
    lines: Lines, flight: Flight, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events by themselves, and whatever is logged while one of its jobs runs."""

    def broken(*_args: Any, **_given: Any) -> Any:
        logging.getLogger("foreign").warning("a library speaks")
        raise RuntimeError("a bug")

    monkeypatch.setattr(define, "inspect", broken)
    with_one, without = flight.new(issue="BD-4521"), flight.new()
    flight.work()
    told = {(line["mission_id"], line["bd_issue"], line["event"]) for line in lines()}
    issues = {mission: {issue for m, issue, _ in told if m == mission} for mission, _, _ in told}
    assert issues == {with_one: {"BD-4521"}, without: {None}, None: {"BD-4521", None}}
    assert (with_one, "BD-4521", "intent_submitted") in told
    assert (with_one, "BD-4521", "job_failed") in told
    assert (None, "BD-4521", "a library speaks") in told
