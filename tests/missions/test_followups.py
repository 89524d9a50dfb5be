"""Follow-ups become issues through the outbox: once, later if need be, and never in a mission's way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from aicp.api.server import make_server
from aicp.errors import BadInput, Forbidden, NotFound
from aicp.issues.book import Book
from aicp.missions import followups
from aicp.tracker import Tracker
from aicp.worker.followups import open_issue, reference
from console_visitor import secret_for
from flight import Flight, land, take_off
from issue_book import BY, give_issues, make


@pytest.fixture
def ops(flight: Flight) -> Path:
    return give_issues(flight)


def ask(flight: Flight, mission: str, title: str = "Ask legal", **given: Any) -> dict[str, Any]:
    return flight.call(followups.schedule, mission, title=title, **given)


def rows(flight: Flight, mission: str) -> list[dict[str, Any]]:
    return flight.doc(mission)["followups"]


def issues(folder: Path) -> list[dict[str, Any]]:
    text = (folder / ".beads" / "issues.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_follow_up_is_an_issue_with_the_evidence_of_its_mission(
    flight: Flight, ops: Path
) -> None:
    mission = flight.to_execute()
    flight.work()
    made = ask(flight, mission, "Ask legal", priority=1, labels=("ops", "eu"))
    assert (made["status"], made["issue_id"]) == ("waiting", None)
    flight.work()
    [row] = rows(flight, mission)
    [issue] = issues(ops)
    assert (row["status"], row["issue_id"], row["attempts"]) == ("created", issue["id"], 1)
    assert (issue["title"], issue["priority"], issue["labels"]) == (
        "Ask legal",
        1,
        ["eu", "mission", "ops"],
    )
    assert issue["created_by"] == "riley@home.example"
    [said] = issue["comments"]
    assert flight.doc(mission)["bundles"][-1]["manifest_sha256"] in said["text"]
    assert reference_of(flight, row["id"]) in said["text"]
    events = [e for e in told(flight, mission) if e.startswith("followup")]
    assert events == ["followup_scheduled", "followup_opened"]


def told(flight: Flight, mission: str) -> list[str]:
    with flight.app.transaction(flight.people["riley"]) as conn:
        found = conn.execute(
            "select event_type from telemetry_events where mission_id = %s order by id", (mission,)
        ).fetchall()
    return [str(row[0]) for row in found]


def reference_of(flight: Flight, followup_id: str) -> str:
    with flight.app.transaction(flight.people["riley"]) as conn:
        return reference(followups.get(conn, followup_id))


def test_it_is_discovered_from_the_missions_own_issue(flight: Flight, ops: Path) -> None:
    own = Book(str(ops / ".beads" / "issues.jsonl")).create("The mission", by=BY)["id"]
    mission = flight.new(issue=own)
    assert flight.doc(mission)["issue"] == own
    ask(flight, mission)
    flight.work()
    [issue] = [one for one in issues(ops) if one["title"] == "Ask legal"]
    [edge] = issue["dependencies"]
    assert (edge["type"], edge["depends_on_id"]) == ("discovered-from", own)
    assert "not linked" not in issue["comments"][0]["text"]


@pytest.mark.parametrize("case", ["never there", "deleted", "unclear", "its own"])
def test_a_mission_whose_issue_cannot_be_linked_gets_it_all_the_same_with_a_note(
    flight: Flight, ops: Path, case: str
) -> None:
    own = {"never there": "ops-99", "deleted": "ops-1", "unclear": "ops-k3f", "its own": "ops-1"}
    book = Book(str(ops / ".beads" / "issues.jsonl"))
    if case == "deleted":
        book.create("The mission", by=BY)
        book.delete(["ops-1"], by=BY)
    if case == "unclear":
        for issue_id in ("ops-k3f1", "ops-k3f2"):
            book.create("One of two", issue_id=issue_id, by=BY)
    mission = flight.new(issue=own[case])
    ask(flight, mission)
    flight.work()
    [issue] = [one for one in issues(ops) if one["title"] == "Ask legal"]
    assert "dependencies" not in issue
    [said] = issue["comments"]
    assert f"; not linked to {own[case]}, the mission's issue: " in said["text"]
    assert [(row["status"], row["problem"]) for row in rows(flight, mission)] == [("created", "")]


def test_with_the_list_missing_it_waits_longer_each_time_and_is_replayed_once(
    flight: Flight,
) -> None:
    folder = give_issues(flight, made=False)
    mission = flight.to_plan()
    ask(flight, mission)
    flight.work()
    waits = []
    for _ in range(9):
        [(task, _args, due)] = [job for job in flight.waiting() if job[0] == followups.TASK]
        assert due is not None
        waits.append((due - flight.clock()).total_seconds())
        flight.clock.advance(seconds=waits[-1])
        flight.work()
    assert waits == [5, 10, 20, 40, 80, 160, 320, 600, 600]
    [row] = rows(flight, mission)
    assert (row["status"], row["attempts"]) == ("waiting", 10)
    assert "no issue list" in row["problem"]
    assert flight.doc(mission)["status"] == "ready"  # the mission itself never noticed
    assert not (folder / ".beads").exists()
    make(folder)
    flight.clock.advance(minutes=10)
    flight.work()
    flight.clock.advance(hours=1)
    flight.work()
    assert [issue["title"] for issue in issues(folder)] == ["Ask legal"]
    [row] = rows(flight, mission)
    assert (row["status"], row["problem"]) == ("created", "")
    assert task == followups.TASK


class Killed(BaseException):
    """A kill -9: nothing of ours catches it."""


@pytest.mark.parametrize("after", ["create", "comment"])
def test_killed_between_the_write_and_the_note_it_makes_no_second_issue(
    flight: Flight, ops: Path, after: str
) -> None:
    class Dying(Book):
        def create(self, *args: Any, **given: Any) -> Any:
            super().create(*args, **given)
            if after == "create":
                raise Killed
            return {"id": issues(ops)[0]["id"]}

        def comment(self, *args: Any, **given: Any) -> Any:
            super().comment(*args, **given)
            raise Killed

    mission = flight.new()
    ask(flight, mission)
    with flight.app.transaction(flight.people["riley"]) as conn:
        row = followups.get(conn, rows(flight, mission)[0]["id"])
    with pytest.raises(Killed):
        open_issue(Tracker(str(ops), book=Dying), row)
    assert [r["status"] for r in rows(flight, mission)] == ["waiting"]
    flight.work()
    [issue] = issues(ops)
    assert len(issue["comments"]) == 1
    assert [r["issue_id"] for r in rows(flight, mission)] == [issue["id"]]


def test_an_issue_that_was_deleted_before_it_was_noted_is_not_opened_again(
    flight: Flight, ops: Path
) -> None:
    mission = flight.new(issue="ops-99")
    ask(flight, mission)
    with flight.app.transaction(flight.people["riley"]) as conn:
        row = followups.get(conn, rows(flight, mission)[0]["id"])
    book = Book(str(ops / ".beads" / "issues.jsonl"))
    made = book.create("Ask legal", external_ref=reference(row), by=BY)["id"]
    book.delete([made], by=BY)
    flight.work()
    assert [(r["status"], r["issue_id"]) for r in rows(flight, mission)] == [("created", made)]
    assert [issue["status"] for issue in issues(ops)] == ["tombstone"]


def test_a_row_that_lost_its_job_is_queued_again_when_a_worker_starts(
    flight: Flight, ops: Path
) -> None:
    mission = flight.new()
    flight.work()
    ask(flight, mission)
    with psycopg.connect(flight.owner_url, options="-c search_path=queue") as conn:
        conn.execute(
            "delete from queue.procrastinate_jobs where task_name = %s and args ->> 'tenant_id' = %s",
            (followups.TASK, str(flight.people["riley"].tenant_id)),
        )
    assert flight.waiting() == []
    for _ in range(2):  # a second worker adds no second job
        with flight.app.db.service() as conn:
            followups.replay(conn)
    assert [job[0] for job in flight.waiting()] == [followups.TASK]
    flight.work()
    assert len(issues(ops)) == 1


def test_asked_twice_it_is_two_follow_ups_run_twice_it_is_one_issue(
    flight: Flight, ops: Path
) -> None:
    mission = flight.new()
    ask(flight, mission)
    ask(flight, mission)
    flight.work()
    first = issues(ops)
    assert len(first) == 2
    for row in rows(flight, mission):
        with flight.app.transaction(flight.people["riley"]) as conn:
            full = followups.get(conn, row["id"])
        assert open_issue(Tracker(str(ops)), full) == row["issue_id"]
    assert issues(ops) == first


def test_who_may_not_ask_and_what_is_no_follow_up_write_nothing(flight: Flight, ops: Path) -> None:
    mission = flight.new()
    with pytest.raises(Forbidden):
        ask(flight, mission, by="sam")
    for given in ({"title": " "}, {"title": "a\nb"}, {"title": "x" * 501}, {"priority": 5},
                  {"labels": ("a,b",)}, {"labels": (" ",)}):  # fmt: skip
        with pytest.raises(BadInput):
            ask(flight, mission, **given)
    assert rows(flight, mission) == []


def test_over_http_and_foreign_tenants_see_none_of_it(
    flight: Flight, ops: Path, database_url: str, tmp_path: Path
) -> None:
    """The issue is the installation's; the row is the tenant's (TR-22)."""
    mission = flight.new()
    http = TestClient(make_server(flight.app), base_url="http://api.test")
    http.headers["authorization"] = f"Bearer {secret_for(flight, 'riley', 'token')}"
    path = f"/api/missions/{mission}/followups"
    made = http.post(path, json={"title": "Ask legal", "labels": ["ops"]})
    assert made.status_code == 201
    assert [row["id"] for row in http.get(path).json()] == [made.json()["id"]]
    strange = take_off(tmp_path / "strange", database_url)
    try:
        other = TestClient(make_server(strange.app), base_url="http://api.test")
        other.headers["authorization"] = f"Bearer {secret_for(strange, 'riley', 'token')}"
        assert other.get(path).status_code == 404
        assert other.post(path, json={"title": "x"}).status_code == 404
        with (
            strange.app.transaction(strange.people["riley"]) as conn,
            pytest.raises(NotFound),
        ):
            followups.get(conn, made.json()["id"])
    finally:
        land(strange)
