"""kill -9 of the worker while it opens the issues of follow-ups: each exactly one issue (the outbox)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aicp.issues.book import Book
from aicp.missions import followups
from chaos.workers import fly_until, take_over, with_app
from flight import Flight, land, take_off
from issue_book import BY, bd, give_issues

TASKS = ("Ask legal", "Tell finance")
# Where the worker dies at the first of two follow-ups, and how many issues the file has then.
BOUNDARIES = {
    "before create": 0,
    "before replace": 0,  # the trail has the event, the file has no issue yet
    "after replace": 1,
    "after create": 1,
    "before link": 1,
    "after link": 1,
    "after comment": 1,
    "before commit": 1,  # the note is written and not committed
    "after commit": 1,
}

pytestmark = pytest.mark.chaos


@pytest.fixture
def asked(cluster: Any, tmp_path: Path) -> Iterator[tuple[Flight, str]]:
    """A mission about an issue, with two follow-ups that wait for a worker; nothing else is due."""
    name = cluster.clone()
    flight = take_off(tmp_path / "flight", cluster.url(name), hold_seconds="0")
    folder = give_issues(flight)
    own = Book(str(folder / ".beads" / "issues.jsonl")).create("The mission", by=BY)["id"]
    mission = flight.new(issue=own)
    flight.work()
    for title in TASKS:
        flight.call(followups.schedule, mission, title=title)
    flight.app.close()
    yield flight, mission
    land(flight)
    cluster.drop(name)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_each_follow_up_is_one_issue_wherever_its_worker_is_killed(
    asked: tuple[Flight, str], boundary: str
) -> None:
    flight, mission = asked
    folder = flight.folder / "ops"
    assert fly_until(flight, boundary), "the boundary was not found: the hooks miss the code"
    assert len(_opened(folder)) == BOUNDARIES[boundary]
    take_over(flight)
    assert fly_until(flight, "after create") is False, "something was left to do"
    with_app(flight, lambda: _check(flight, folder, mission))


def _opened(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / ".beads" / "issues.jsonl").read_text().splitlines()
    return [one for line in lines if (one := json.loads(line))["title"] in TASKS]


def _check(flight: Flight, folder: Path, mission: str) -> None:
    """Issues, links, comments, notes and the trail: counted, not believed."""
    made = _opened(folder)
    assert sorted(issue["title"] for issue in made) == sorted(TASKS)
    assert [len(issue["comments"]) for issue in made] == [1, 1]
    links = [(one["type"], one["depends_on_id"]) for i in made for one in i["dependencies"]]
    assert links == [("discovered-from", "ops-1")] * 2
    noted = {
        row["title"]: (row["status"], row["issue_id"]) for row in flight.doc(mission)["followups"]
    }
    assert noted == {issue["title"]: ("created", issue["id"]) for issue in made}
    told = [json.loads(bd(folder, "history", issue["id"], "--json")) for issue in made]
    words = [[entry["event"] for entry in entries] for entries in told]
    assert [one.count("created") - one.count("voided") for one in words] == [1, 1]
    assert bd(folder, "doctor")
