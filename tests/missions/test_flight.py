"""The main path, in process: plain words to undone, with the real database, files and mail server."""

from __future__ import annotations

import csv
import io

from aicp.missions.lifecycle import STAGES
from flight import ANY_TIME, Flight


def test_a_mission_flies_from_words_to_undone_and_leaves_nothing(flight: Flight) -> None:
    """MI-3, OP-5, I-15: the state before is the state after, and no mail left."""
    before = flight.state()
    mission = flight.to_execute()
    flight.work()
    doc = flight.doc(mission)
    assert (doc["stage"], doc["run_state"]) == ("Reflect", "held")
    assert {step["state"] for step in doc["run"]["steps"]} == {"done"}
    assert flight.state() != before
    assert flight.delivered() == []
    doc = flight.undo(mission)
    assert doc["run_state"] == "undone"
    assert {step["status"] for step in doc["undo"][0]["steps"]} == {"restored"}
    assert flight.state() == before
    assert [bundle["occasion"] for bundle in doc["bundles"]] == ["execution", "undo"]


def test_held_mails_leave_once_when_their_time_has_come(flight: Flight) -> None:
    mission = flight.to_execute()
    flight.work()
    flight.clock.advance(days=4)  # past Thursday: the window is shut again
    flight.work()
    assert flight.delivered() == []
    for _ in range(7 * 24):
        flight.clock.advance(hours=1)
        flight.work()
    doc = flight.doc(mission)
    assert doc["status"] == "completed"
    assert len(flight.delivered()) == doc["approval"]["affected"]["mails"] == 3
    to = {_header(path, "To") for path in flight.delivered()}
    assert len(to) == 3


def test_after_a_mail_left_undo_says_what_stays(flight: Flight) -> None:
    """A tier is never shown better than what happens (UX: partial undo step by step)."""
    mission = flight.to_execute(ANY_TIME)
    flight.work()
    flight.clock.advance(hours=1)
    flight.work()
    assert len(flight.delivered()) == 3
    doc = flight.undo(mission)
    statuses = [step["status"] for step in doc["undo"][0]["steps"]]
    assert statuses.count("impossible") == 3
    assert statuses.count("restored") == len(statuses) - 3
    assert "3 effects had already left" in doc["blocking_reason"]


def test_the_calls_are_those_of_the_words_and_the_table(flight: Flight) -> None:
    """Change the words and the calls change: nothing of the demo is built in."""
    few = flight.doc(
        flight.to_plan("Win back our 2 best logistics accounts that went quiet in Q2.")
    )
    rows = list(csv.DictReader(io.StringIO((flight.sandbox / "accounts.csv").read_text())))
    industry = {row["name"]: row["industry"] for row in rows}
    subjects = {step["subject"].split(" <")[0] for step in few["plays"][0]["play"]["steps"]}
    assert len(subjects) == 2
    assert {industry[name] for name in subjects} == {"Logistics"}


def test_events_replay_to_the_stage_the_mission_is_in(flight: Flight) -> None:
    """I-4 and I-5: transitions are single steps, and folding them gives the current stage."""
    mission = flight.to_execute()
    flight.work()
    with flight.app.transaction(flight.people["riley"]) as conn:
        moves = conn.execute(
            "select context ->> 'from', context ->> 'to' from telemetry_events"
            " where mission_id = %s and event_type = 'mission_stage_transition' order by id",
            (mission,),
        ).fetchall()
    assert [to for _, to in moves] == list(STAGES[1:])
    assert [origin for origin, _ in moves] == list(STAGES[:-1])


def test_the_brief_of_each_stage_is_recorded_with_its_events(flight: Flight) -> None:
    """OB-4: every stage leaves its catalogued events under one correlation id."""
    mission = flight.to_execute()
    flight.work()
    flight.undo(mission)
    with flight.app.transaction(flight.people["riley"]) as conn:
        rows = conn.execute(
            "select event_type, correlation_id from telemetry_events where mission_id = %s",
            (mission,),
        ).fetchall()
    names = {name for name, _ in rows}
    assert {
        "intent_submitted", "brief_generated", "mission_brief_locked", "composio_discovery",
        "data_preview_generated", "readiness_status_changed", "plan_ranked", "plan_selected",
        "validator_scope_check", "approval_requested", "approval_granted", "execution_started",
        "undo_available", "composio_tool_call", "execution_step_completed", "execution_completed",
        "artifact_published", "evidence_bundle_generated", "undo_requested", "undo_completed",
    } <= names  # fmt: skip
    assert len({correlation for _, correlation in rows}) == 1


def _header(path, name: str) -> str:
    line = next(text for text in path.read_text().splitlines() if text.startswith(f"{name}:"))
    return line.split(":", 1)[1].strip()
