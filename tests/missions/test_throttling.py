"""What a run does when its toolkit fails, rests or is used up (MI-8, TR-13 to TR-15, C-9)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aicp.missions import control, flow, store
from aicp.trust import traffic
from crowd_provider import approved, rows
from flight import NOW, Flight, land, take_off


class Desk:
    """A flight whose missions write notes with a toolkit that does as it is told."""

    def __init__(self, flight: Flight) -> None:
        self.flight, self.made = flight, 0

    @property
    def place(self) -> Path:
        return self.flight.folder

    def says(self, *words: str, name: str = "calls") -> None:
        (self.place / name).write_text(" ".join(words), "utf-8")

    def mission(self, *, steps: int = 1, priority: int = 2) -> str:
        """One more mission, its job queued."""
        actor, self.made = self.flight.people["riley"], self.made + 1
        mission = approved(
            self.flight.app, actor, self.made, steps=steps, place=self.place, priority=priority,
            provider="scripted",
        )  # fmt: skip
        with self.flight.app.transaction(actor) as conn:
            flow.enqueue_stage(conn, store.get(conn, mission), "Execute")
        return mission

    def due(self, mission: str) -> list[datetime]:
        return [at for _, args, at in self.flight.waiting() if args["mission_id"] == mission and at]

    def row(self, mission: str) -> store.Mission:
        with self.flight.app.transaction(self.flight.people["riley"]) as conn:
            return store.get(conn, mission)

    def journal(self, mission: str) -> list[tuple[Any, ...]]:
        with self.flight.app.transaction(self.flight.people["riley"]) as conn:
            return conn.execute(
                "select state, reconciled from tool_calls where mission_id = %s order by id",
                (mission,),
            ).fetchall()

    def ledger(self) -> list[str]:
        return [row["text"] for row in rows(self.place, "ledger")]

    def events(self, prefix: str) -> list[str]:
        with self.flight.app.transaction(self.flight.people["riley"]) as conn:
            found = conn.execute(
                "select event_type from telemetry_events where starts_with(event_type, %s) order by id",
                (prefix,),
            ).fetchall()
        return [str(row[0]) for row in found]

    def limits(self) -> dict[str, Any]:
        app, actor = self.flight.app, self.flight.people["riley"]
        with app.transaction(actor) as conn:
            found = traffic.overview(conn, actor, app.services.limits, app.clock())
        return next(kit for kit in found["toolkits"] if kit["toolkit"] == "crm")

    def later(self, seconds: float) -> None:
        self.flight.clock.advance(seconds=seconds)
        self.flight.work()


@pytest.fixture
def desk(tmp_path: Path, database_url: str) -> Iterator[Desk]:
    flight = take_off(
        tmp_path / f"d{uuid.uuid4().hex[:10]}", database_url,
        providers="scripted=crowd_provider:Scripted", quotas="60, crm=10/60",
    )  # fmt: skip
    yield Desk(flight)
    land(flight)


# Attempts -------------------------------------------------------------------------------------


def test_a_wish_to_wait_longer_wins_and_the_mission_says_for_what_it_waits(desk: Desk) -> None:
    desk.says("busy")
    mission = desk.mission()
    desk.flight.work()
    assert desk.due(mission) == [NOW + timedelta(seconds=1.5)]
    row = desk.row(mission)
    assert (row.run_state, row.status) == ("running", "in_progress")
    assert row.blocking_reason == "too many requests; attempt 2 of 5 at 09:00:01 UTC"
    desk.later(2)
    row = desk.row(mission)
    assert (row.run_state, row.blocking_reason, desk.ledger()) == ("finished", "", ["1:1"])


def test_after_five_attempts_a_person_has_to_look(desk: Desk) -> None:
    desk.says(*["busy"] * 6)
    mission, waits = desk.mission(), []
    desk.flight.work()
    while due := desk.due(mission):
        waits.append((due[0] - desk.flight.clock()).total_seconds())
        desk.later(waits[-1])
    assert waits == [1.5, 2, 4, 8]
    assert desk.row(mission).run_state == "paused"
    assert desk.journal(mission) == [("failed", False)] * 5
    assert desk.limits()["failed_calls"] == 1, "five attempts are one failed call (C-9)"


def test_a_reading_that_fails_is_tried_again_and_counted_though_it_leaves_no_row(
    desk: Desk,
) -> None:
    desk.says("busy", "busy", name="reads")
    mission = desk.mission()
    desk.flight.work()
    assert (desk.due(mission), desk.row(mission).stumbles) == ([NOW + timedelta(seconds=1)], 1)
    desk.later(1)
    assert desk.row(mission).stumbles == 2
    desk.later(2)
    assert (desk.row(mission).run_state, desk.row(mission).stumbles) == ("finished", 0)
    desk.says(*["busy"] * 5, name="reads")
    other = desk.mission()
    for seconds in (0, 1, 2, 4, 8):
        desk.later(seconds)
    assert (desk.row(other).run_state, desk.journal(other)) == ("paused", [])
    assert desk.limits()["failed_calls"] == 1


# Calls that break off -------------------------------------------------------------------------


def test_a_call_that_broke_off_after_its_effect_is_read_back_and_asks_nobody(desk: Desk) -> None:
    desk.says("late")
    mission = desk.mission()
    desk.flight.work()
    assert desk.row(mission).run_state == "finished"
    assert (desk.journal(mission), desk.ledger()) == ([("done", True)], ["1:1"])


def test_a_call_that_is_not_there_yet_is_looked_for_again_before_it_is_made_under_its_key(
    desk: Desk,
) -> None:
    desk.says("lost")
    mission = desk.mission()
    desk.flight.work()
    assert desk.journal(mission) == [("intent", False)]
    assert "the line broke" in desk.row(mission).blocking_reason
    desk.later(1)
    assert (desk.row(mission).run_state, desk.ledger()) == ("finished", ["1:1"])
    assert [row["key"] for row in rows(desk.place, "attempts")] == [f"{mission}.1.0"] * 2
    assert desk.journal(mission) == [("done", False)]


# The breaker ----------------------------------------------------------------------------------


def test_three_failed_calls_let_the_toolkit_rest_and_one_call_tries_it_again(desk: Desk) -> None:
    desk.says(*["outage"] * 3)
    broken = [desk.mission() for _ in range(3)]
    desk.flight.work()
    assert [desk.row(m).run_state for m in broken] == ["paused"] * 3
    waiting = [desk.mission(steps=2) for _ in range(2)]
    desk.flight.work()
    for mission in waiting:
        row = desk.row(mission)
        assert (row.run_state, row.status) == ("running", "in_progress")
        assert row.blocking_reason == (
            "toolkit crm is resting until 09:01:00 UTC: 3 calls failed in a row"
        )
        assert desk.due(mission) == [NOW + timedelta(seconds=60)]
    assert (desk.limits()["state"], desk.limits()["failed_calls"]) == ("open", 3)
    desk.later(60)
    assert [desk.row(m).run_state for m in waiting] == ["finished"] * 2
    assert desk.events("toolkit_breaker") == [
        "toolkit_breaker_opened", "toolkit_breaker_half_open", "toolkit_breaker_closed",
    ]  # fmt: skip
    assert desk.limits()["state"] == "closed"
    for mission in broken:
        desk.flight.call(control.resume, mission)
    desk.later(1)
    assert sorted(desk.ledger()) == ["1:1", "2:1", "3:1", "4:1", "4:2", "5:1", "5:2"]


def test_a_probe_that_fails_lets_it_rest_again_and_a_success_ends_the_row(desk: Desk) -> None:
    desk.says("outage", "outage", "well", "outage", "outage", "outage", "busy")
    for _ in range(6):
        desk.mission()
        desk.flight.work()
    assert desk.events("toolkit_breaker") == ["toolkit_breaker_opened"], "two, a success, three"
    probing = desk.mission()
    desk.later(60)
    assert desk.limits()["state"] == "open"
    assert desk.limits()["resume_at"] == NOW + timedelta(seconds=120)
    desk.later(60)
    assert desk.row(probing).run_state == "finished"
    assert desk.events("toolkit_breaker")[-1] == "toolkit_breaker_closed"


# Quotas and priorities ------------------------------------------------------------------------


def test_low_priorities_wait_first_and_high_ones_find_their_reserve(desk: Desk) -> None:
    low, usual, high = (
        desk.mission(steps=7, priority=4), desk.mission(steps=4), desk.mission(steps=4, priority=0),
    )  # fmt: skip
    desk.flight.clock.advance(seconds=1)
    desk.flight.work()
    assert [desk.row(m).cursor_seq for m in (high, usual, low)] == [4, 4, 0], "8 of 10 are used"
    another = desk.mission(priority=1, steps=3)
    desk.flight.work()
    assert desk.row(another).cursor_seq == 2
    reason = desk.row(low).blocking_reason
    assert (
        reason
        == "what this priority may use of 10 calls in 60 s to crm is used up; on at 09:01:01 UTC"
    )
    assert desk.limits()["used"] == 10
    assert set(desk.events("mission_throttled")) == {"mission_throttled"}
    desk.later(61)
    assert [desk.row(m).run_state for m in (usual, another, low)].count("finished") >= 2
    desk.later(61)
    assert desk.row(low).run_state == "finished"


def test_one_mission_alone_never_gets_the_whole_quota(desk: Desk) -> None:
    mission = desk.mission(steps=9, priority=0)
    desk.flight.work()
    row = desk.row(mission)
    assert row.cursor_seq == 7
    assert row.blocking_reason.startswith("this mission's share of 10 calls in 60 s to crm")


# Jobs that break ------------------------------------------------------------------------------


def test_an_undo_that_breaks_says_so_on_its_mission(desk: Desk) -> None:
    mission = desk.mission()
    desk.flight.work()
    doc = desk.flight.undo(mission)
    assert doc["run_state"] == "undo_stopped"
    assert "The undo failed on an internal error (LookupError)" in doc["blocking_reason"]
    assert desk.flight.undo(mission)["run_state"] == "undo_stopped", "and it can be asked for again"


def test_a_release_that_breaks_pauses_its_mission_and_lets_nothing_go(desk: Desk) -> None:
    (desk.place / "held").touch()
    mission = desk.mission()
    desk.flight.work()
    assert desk.row(mission).run_state == "held"
    desk.later(3600)
    row = desk.row(mission)
    assert row.run_state == "paused"
    assert "The release of step 1 failed on an internal error (LookupError)" in row.blocking_reason
