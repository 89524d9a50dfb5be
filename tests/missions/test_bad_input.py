"""Whatever is wrong with what a person gives: one sentence, nothing half-written, and a way on (design 6)."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from aicp.errors import AicpError
from aicp.kernel.ids import new_id
from aicp.missions import control, define, store, view
from flight import ANY_TIME, NOW, WIN_BACK, Flight

PHONES = "Normalise all phone numbers to international format."


def rows(flight: Flight) -> dict[str, int]:
    """How many rows of each kind the tenant has."""
    tables = ("missions", "mission_stages", "connections", "telemetry_events", "findings")
    with flight.app.transaction(flight.people["riley"]) as conn:
        return {name: _count(conn, name) for name in tables}


def _count(conn: Any, table: str) -> int:
    return int(conn.execute(f"select count(*) from {table}").fetchone()[0])


def refused(flight: Flight, intent: str = ANY_TIME, **given: Any) -> AicpError:
    """A mission that must not come to be: nothing is written, nothing is queued."""
    before, jobs = rows(flight), flight.waiting()
    with pytest.raises(AicpError) as caught:
        flight.new(intent, **given)
    assert (rows(flight), flight.waiting()) == (before, jobs)
    _is_a_sentence(caught.value.message)
    assert caught.value.hint
    return caught.value


def _is_a_sentence(text: str) -> None:
    assert text
    assert "\n" not in text
    assert "Traceback" not in text
    assert "internal error" not in text
    assert len(text) < 500


# Refused at once ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("intent", "message", "hint"),
    [
        ("", "the mission is empty", "say what you want"),
        (" \n\t ", "the mission is empty", "say what you want"),
        ("win back " * 120_000, "1,079,999 characters long; at most 20,000 are read", "few sentences"),
        ("win\x00back", "cannot be stored", "control characters"),
        ("win \ud800 back", "cannot be stored", "control characters"),
    ],
    ids=["empty", "blank", "1 MB", "NUL", "half a character"],
)  # fmt: skip
def test_words_that_cannot_be_a_mission(
    flight: Flight, intent: str, message: str, hint: str
) -> None:
    error = refused(flight, intent)
    assert message in error.message
    assert hint in error.hint
    assert error.exit_code == 2


@pytest.mark.parametrize(
    "issue",
    ["7", "ops", "-1", "ops-", "ops 1", "ops-1/../x", "öps-1", "ops-1\nops-2", "o" * 200 + "-1"],
)
def test_what_is_no_issue_id(flight: Flight, issue: str) -> None:
    error = refused(flight, issue=issue)
    assert "issue id" in error.message
    assert error.exit_code == 2


SOURCES: dict[str, tuple[Callable[[Flight], dict[str, Any]], str, str, int]] = {
    "outside the roots": (
        lambda _: {"data": ("/etc/passwd",)},
        "/etc/passwd lies outside the folders this server may touch", "AICP_FILE_ROOTS=/etc", 4,
    ),
    "a link out of the roots": (
        lambda f: {"data": (str(_link(f, Path("/etc/passwd"))),)},
        "lies outside the folders this server may touch", "AICP_FILE_ROOTS", 4,
    ),
    "dots out of the roots": (
        lambda f: {"data": (f"{f.sandbox}/../../../../../../etc/passwd",)},
        "lies outside the folders", "AICP_FILE_ROOTS", 4,
    ),
    "a calendar outside the roots": (
        lambda _: {"calendar": "/etc/calendar.ics"}, "lies outside the folders", "AICP_FILE_ROOTS", 4,
    ),
    "a relative path": (
        lambda _: {"data": ("accounts.csv",)}, "'accounts.csv' is not an absolute path", "absolute", 2,
    ),
    "a path with a NUL": (lambda f: {"data": (f"{f.sandbox}/a\0.csv",)}, "is not a path", "path", 2),
    "a link to itself": (
        lambda f: {"data": (str(_link(f, f.sandbox / "loop.csv")),)}, "is not a path", "path", 2,
    ),
    "the same name twice": (
        lambda f: {"data": (str(f.sandbox / "accounts.csv"), str(_copy(f)))},
        "two sources have the name accounts.csv", "rename one", 2,
    ),
    "a password in the URL": (
        lambda _: {"data": ("postgresql://crm:hunter2@db.example/crm#accounts",)},
        "the database URL holds a password", "PGPASSWORD", 2,
    ),
    "a password among the URL's parameters": (
        lambda _: {"data": ("postgresql://crm@db.example/crm?password=hunter2#accounts",)},
        "the database URL holds a password", "PGPASSWORD", 2,
    ),
    "no table in the URL": (
        lambda _: {"data": ("postgresql://crm@db.example/crm",)}, "names no table", "#accounts", 2,
    ),
    "a broken URL": (
        lambda _: {"data": ("postgresql://[::1/crm#accounts",)}, "is not a database URL", "postgresql://", 2,
    ),
    "a database without its table": (
        lambda f: {"data": (str(f.sandbox / "crm.sqlite"),)}, "which table?", "crm.sqlite#accounts", 2,
    ),
    "a mail host without a port": (
        lambda _: {"smtp": "mail.example.com"}, "'mail.example.com' is not host:port", "587", 2,
    ),
    "a mail port that is a word": (lambda _: {"smtp": "localhost:smtp"}, "is not host:port", "587", 2),
    "a mail port that cannot be": (lambda _: {"smtp": "localhost:99999"}, "is not host:port", "587", 2),
    "a mail port of zero": (lambda _: {"smtp": "localhost:0"}, "is not host:port", "587", 2),
    "no mail host": (lambda _: {"smtp": ":25"}, "is not host:port", "587", 2),
    "a sender that is no address": (
        lambda _: {"sender": "Riley"}, "'Riley' is not a sender address", "@", 2,
    ),
    "a sender with a header in it": (
        lambda _: {"sender": "riley@ourside.example\r\nBcc: eve@evil.test"}, "is not a sender address", "@", 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SOURCES)
def test_sources_that_cannot_be_used(flight: Flight, case: str) -> None:
    given, message, hint, code = SOURCES[case]
    error = refused(flight, **given(flight))
    assert message in error.message
    assert hint in error.hint
    assert error.exit_code == code
    assert "hunter2" not in f"{error.message}{error.hint}{error.facts}"


def _link(flight: Flight, to: Path) -> Path:
    link = flight.sandbox / "loop.csv"
    link.symlink_to(to)
    return link


def _copy(flight: Flight) -> Path:
    other = flight.sandbox / "other"
    other.mkdir()
    (other / "accounts.csv").write_bytes((flight.sandbox / "accounts.csv").read_bytes())
    return other / "accounts.csv"


# Found by looking: the mission is blocked, is mended, and goes on -----------------------------


def _ragged(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"A-999,too,few\n")


def _double_header(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"id,", b"owner,", 1))


def _nul(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"Manufacturing", b"Manu\0facturing", 1))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _missing(path: Path) -> None:
    path.unlink()


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _unended_quote(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'A-999,"never closed\n')


BREAKS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "a ragged row": (_ragged, "cells, the header has", "complete the line"),
    "a header name twice": (_double_header, "has the column 'owner' twice", "rename one of them"),
    "a NUL byte": (_nul, "holds a NUL byte", "UTF-8"),
    "an empty file": (_empty, "accounts.csv is empty", "write a header line"),
    "no file": (_missing, "accounts.csv", ""),
    "a folder": (_directory, "accounts.csv", ""),
    "a quote never closed": (_unended_quote, "cannot be read as CSV", "close every quote"),
}


@pytest.mark.parametrize("case", BREAKS)
def test_a_broken_table_blocks_the_mission_until_it_is_mended(flight: Flight, case: str) -> None:
    spoil, message, hint = BREAKS[case]
    path = flight.sandbox / "accounts.csv"
    whole = path.read_bytes()
    spoil(path)
    mission = flight.new()
    flight.work()
    doc = flight.doc(mission)
    _blocked(doc, "Define", message)
    assert hint in doc["blocking_reason"]
    if path.is_dir():
        path.rmdir()
    path.write_bytes(whole)
    flight.call(control.resume, mission)
    flight.work()
    doc = flight.doc(mission)
    assert (doc["status"], doc["blocking_reason"]) == ("ready", "")
    assert doc["brief"]["chips"]


def _blocked(doc: dict[str, Any], stage: str, message: str) -> None:
    assert (doc["stage"], doc["status"]) == (stage, "blocked")
    assert message in doc["blocking_reason"]
    _is_a_sentence(doc["blocking_reason"])
    assert doc["next"] == f"aicp mission resume {doc['id']}"


def test_a_mail_server_that_nobody_runs_blocks_in_prepare_and_goes_on_when_it_is_up(
    flight: Flight,
) -> None:
    flight.smtp.stop()
    mission = flight.to_plan()
    doc = flight.doc(mission)
    _blocked(doc, "Prepare", f"no SMTP server answers at 127.0.0.1:{flight.smtp.port}")
    assert "start it, or correct host:port" in doc["blocking_reason"]
    flight.restart_smtp()
    flight.call(control.resume, mission)
    flight.work()
    assert flight.doc(mission)["stage"] == "Plan"
    assert flight.doc(mission)["plays"]


def test_a_column_the_brief_needs_that_goes_away_blocks_until_it_is_back(flight: Flight) -> None:
    mission = flight.new()
    flight.work()
    path = flight.sandbox / "accounts.csv"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"industry", b"branch", 1))
    flight.ack(mission, "riley")
    flight.ack(mission, "gabriela")
    flight.work()
    doc = flight.doc(mission)
    _blocked(doc, "Prepare", "industry")
    path.write_bytes(whole)
    flight.call(control.resume, mission)
    flight.work()
    assert flight.doc(mission)["stage"] == "Plan"


def test_an_audience_nobody_is_in_ends_in_a_sentence_and_other_words_go_on(flight: Flight) -> None:
    mission = flight.to_plan(ANY_TIME.replace("$50k", "$900,000k"))
    doc = flight.doc(mission)
    _blocked(doc, "Plan", "No row is left")
    flight.call(define.edit, mission, "audience", "3 best manufacturing accounts over $50k ARR")
    flight.work()
    flight.ack(mission, "riley")
    flight.ack(mission, "gabriela")
    flight.work()
    assert flight.doc(mission)["plays"]


def test_a_table_of_a_header_alone_is_no_reason_to_fall_over(flight: Flight) -> None:
    path = flight.sandbox / "accounts.csv"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    mission = flight.new()
    flight.work()
    doc = flight.doc(mission)
    _is_a_sentence(doc["blocking_reason"] or doc["brief"]["gaps"][0])


# While it runs ------------------------------------------------------------------------------


def test_a_run_whose_table_is_gone_goes_on_when_it_is_back(flight: Flight) -> None:
    """A run that began and then could not even open its resources is blocked, not lost."""
    mission, run = flight.fly(2)
    path = flight.sandbox / "accounts.csv"
    whole = path.read_bytes()
    path.unlink()
    flight.work()
    doc = flight.doc(mission)
    assert doc["status"] == "blocked"
    _is_a_sentence(doc["blocking_reason"])
    path.write_bytes(whole)
    flight.call(control.resume, mission)
    flight.work()
    doc = flight.doc(mission)
    assert {step["state"] for step in doc["run"]["steps"]} == {"done"}
    assert len(doc["run"]["steps"]) == len(run.plan.play.steps)


def test_an_error_of_ours_in_the_middle_of_a_run_leaves_a_mission_one_can_resume(
    flight: Flight,
) -> None:
    """The hint says `resume`: so it must work, also when the run was under way."""
    mission, _ = flight.fly(2)
    with psycopg.connect(flight.owner_url) as conn:
        conn.execute(
            "update connections set config = config - 'path' where mission_id = %s and toolkit = 'table'",
            (mission,),
        )
        kept = conn.execute(
            "select account from connections where mission_id = %s and toolkit = 'table'",
            (mission,),
        ).fetchone()
    flight.work()
    assert flight.doc(mission)["status"] == "blocked"
    with flight.app.transaction(flight.people["riley"]) as conn:
        assert "execution_failed" in {e["event"] for e in view.events(conn, mission, after=0)}
    with psycopg.connect(flight.owner_url) as conn:
        conn.execute(
            "update connections set config = jsonb_set(config, '{path}', to_jsonb(%s::text))"
            " where mission_id = %s and account = %s",
            (str(flight.sandbox / "accounts.csv"), mission, kept[0] if kept else ""),
        )
    flight.call(control.resume, mission)
    flight.work()
    assert {step["state"] for step in flight.doc(mission)["run"]["steps"]} == {"done"}


def test_resuming_a_mission_that_waits_for_a_decision_says_so(flight: Flight) -> None:
    """A stage without a job of its own has nothing to resume."""
    mission = flight.to_approve()
    flight.clock.advance(hours=25)
    with flight.app.transaction(flight.people["riley"]) as conn:
        store.change(conn, mission, flight.clock(), status="blocked", blocking_reason="expired")
    with pytest.raises(AicpError) as caught:
        flight.call(control.resume, mission)
    _is_a_sentence(caught.value.message)
    assert {task for task, *_ in flight.waiting()} == {"mission.approval"}  # its two timers
    flight.select(mission, 1)
    assert flight.approve(mission)["complete"]


def test_an_id_that_is_nothing_is_not_found(flight: Flight) -> None:
    for wrong in ("", "m-nothing", new_id("m"), "%", "m-' or 1=1 --"):
        with pytest.raises(AicpError) as caught:
            flight.call(control.stop, wrong)
        assert caught.value.exit_code == 3
        _is_a_sentence(caught.value.message)


def test_a_huge_table_cell_and_odd_bytes_change_nothing_but_themselves(flight: Flight) -> None:
    """A cell of 100 kB, another in Windows' encoding: read, planned, run, taken back byte for byte."""
    path = flight.sandbox / "accounts.csv"
    with path.open(newline="", encoding="utf-8") as source:
        table = list(csv.reader(source))
    table[1][1] = "x" * 100_000
    with path.open("w", newline="", encoding="cp1252", errors="replace") as sink:
        csv.writer(sink, lineterminator="\r\n").writerows(table)
    before = flight.state()
    mission = flight.to_execute(WIN_BACK)
    flight.work()
    doc = flight.doc(mission)
    assert {step["state"] for step in doc["run"]["steps"]} == {"done"}
    flight.undo(mission)
    assert flight.state() == before
    assert flight.clock() == NOW
