"""Undo to a step, tried first, and in its time (OP-5, TR-18)."""

from __future__ import annotations

from datetime import datetime

import pytest

from aicp.errors import BadInput, Forbidden, GateBlocked
from aicp.missions import control, finalize, undo
from flight import ANY_TIME, Flight

TWO = "Win back our 2 best manufacturing accounts (over $50k ARR) that went quiet in Q2."
HYGIENE = "Normalise the phone numbers of all accounts in Germany."


def ended(flight: Flight, intent: str) -> str:
    mission = flight.to_execute(intent)
    flight.work()
    return mission


def test_a_dry_run_says_what_would_happen_and_changes_nothing(flight: Flight) -> None:
    mission, _ = flight.fly(6, TWO)
    flight.call(control.pause, mission, "")
    before, stood = flight.state(), flight.doc(mission)
    flight.call(undo.request, mission, "", dry_run=True)
    flight.work()
    doc = flight.doc(mission)
    trial = doc["undo"][0]
    assert (trial["dry_run"], trial["state"]) == (True, "done")
    assert [(s["seq"], s["status"]) for s in trial["steps"]] == [
        (n, "restored") for n in range(6, 0, -1)
    ]
    assert flight.state() == before
    assert doc["run_state"] == stood["run_state"]
    assert doc["findings"] == stood["findings"]


def test_a_dry_run_foretells_a_conflict_with_its_difference(flight: Flight) -> None:
    mission, run = flight.fly(6, TWO)
    edited = next(s for s in run.plan.play.steps[:6] if s.tool_name == "table.update")
    flight.call(control.pause, mission, "")
    flight.edit_cell(f"{edited.args['key']},", "industry", "Aerospace")
    flight.call(undo.request, mission, "", dry_run=True)
    flight.work()
    trial = flight.doc(mission)["undo"][0]
    assert trial["state"] == "stopped"
    assert trial["steps"][-1]["seq"] == edited.seq
    assert any(d["theirs"] == "Aerospace" for d in trial["steps"][-1]["difference"])
    assert flight.doc(mission)["run_state"] != "undo_stopped"


def test_undo_to_a_step_leaves_exactly_the_steps_up_to_it(flight: Flight) -> None:
    start = flight.state()
    mission, _ = flight.fly(2, TWO)
    flight.undo(mission)
    other, _ = flight.fly(6, TWO)
    flight.call(undo.request, other, "only the drafts", to_step=2)
    flight.work()
    doc = flight.doc(other)
    assert doc["run_state"] == "undone_partly"
    assert [s["seq"] for s in doc["undo"][0]["steps"]] == [6, 5, 4, 3]
    assert flight.state() != start
    assert flight.undo(other)["run_state"] == "undone"
    assert [s["seq"] for s in flight.doc(other)["undo"][0]["steps"]] == [6, 5, 4, 3, 2, 1]
    assert flight.state() == start


@pytest.mark.parametrize("step", [-1, 4711])
def test_a_step_that_is_not_there_is_refused(flight: Flight, step: int) -> None:
    mission, _ = flight.fly(2, TWO)
    with pytest.raises(BadInput, match="no step"):
        flight.call(undo.request, mission, "", to_step=step)


def test_after_the_window_only_governance_with_a_reason_undoes(flight: Flight) -> None:
    mission = ended(flight, HYGIENE)
    flight.clock.advance(minutes=16)
    for by in ("riley", "gabriela"):  # an admin may come late, but not without saying why
        with pytest.raises(GateBlocked, match="window closed"):
            flight.call(undo.request, mission, "", by=by)
    flight.call(undo.request, mission, "wrong country", by="gabriela")
    flight.work()
    assert flight.doc(mission)["run_state"] == "undone"


def test_finalize_closes_the_window_and_lets_held_mail_leave_as_approved(flight: Flight) -> None:
    mission = ended(flight, ANY_TIME)
    held = [s for s in flight.doc(mission)["run"]["steps"] if s["hold"]]
    assert held
    done = flight.call(finalize.finalize, mission)
    assert set(done["leaving"]) == {s["seq"] for s in held}
    assert all(
        due <= datetime.fromisoformat(step["hold"]["due_at"])
        for step, due in zip(held, done["leaving"].values(), strict=True)
    )
    flight.clock.advance(hours=26)
    flight.work()
    assert all(
        s["hold"]["state"] == "released" for s in flight.doc(mission)["run"]["steps"] if s["hold"]
    )
    assert len(flight.delivered()) == len(held)
    with pytest.raises(GateBlocked):
        flight.call(undo.request, mission, "")


def test_only_the_owner_and_governance_finalize(flight: Flight) -> None:
    mission = ended(flight, HYGIENE)
    with pytest.raises(Forbidden):
        flight.call(finalize.finalize, mission, by="sam")
    flight.call(finalize.finalize, mission)
    with pytest.raises(GateBlocked, match="closed already"):
        flight.call(finalize.finalize, mission)
