"""Undo: exact at every prefix, and never over somebody else's work."""

from __future__ import annotations

import pytest

from aicp.errors import Forbidden, GateBlocked
from aicp.missions import control, undo
from flight import ANY_TIME, Flight

TWO = "Win back our 2 best manufacturing accounts (over $50k ARR) that went quiet in Q2."
HYGIENE = "Normalise the phone numbers of all accounts in Germany."
MERGE = "Merge duplicate accounts with the same email, keep the oldest."


@pytest.mark.parametrize("intent", [TWO, HYGIENE, MERGE])
def test_undo_after_every_prefix_restores_every_byte(flight: Flight, intent: str) -> None:
    """I-15: the table byte for byte, the calendar, the drafts; for every number of steps done."""
    before = flight.state()
    total, done = 1, 0
    while done < total:
        done += 1
        mission, run = flight.fly(done, intent)
        total = min(len(run.plan.play.steps), 8)
        assert flight.state() != before
        doc = flight.undo(mission)
        assert doc["run_state"] == "undone"
        assert len(doc["undo"][0]["steps"]) == done
        assert flight.state() == before


def test_undo_of_an_unfinished_call_takes_it_back_as_well(flight: Flight) -> None:
    """An intent whose result is missing is read back first, then undone."""
    before = flight.state()
    mission, run = flight.fly(2, TWO)
    _effect_without_result(flight, run)
    doc = flight.undo(mission)
    assert doc["run_state"] == "undone"
    assert [step["seq"] for step in doc["undo"][0]["steps"]] == [3, 2, 1]
    assert flight.state() == before


def test_a_row_edited_by_somebody_else_is_not_overwritten(flight: Flight) -> None:
    """Undo stops there, shows the difference, and touches nothing of theirs."""
    mission, run = flight.fly(6, TWO)
    edited = next(s for s in run.plan.play.steps[:6] if s.tool_name == "table.update")
    theirs = flight.edit_cell(f"{edited.args['key']},", "industry", "Aerospace")
    doc = flight.undo(mission)
    assert doc["run_state"] == "undo_stopped"
    stopped = doc["undo"][0]["steps"][-1]
    assert (stopped["seq"], stopped["status"]) == (edited.seq, "conflict")
    assert any(d["theirs"] == "Aerospace" for d in stopped["difference"])
    assert theirs in (flight.sandbox / "accounts.csv").read_bytes()
    assert doc["findings"][-1]["rule"] == "undo-conflict"


def test_an_edit_of_another_row_survives_undo(flight: Flight) -> None:
    mission, run = flight.fly(6, TWO)
    touched = {s.args.get("key") for s in run.plan.play.steps}
    path = flight.sandbox / "accounts.csv"
    lines = path.read_bytes().splitlines(keepends=True)
    other = next(
        n for n, line in enumerate(lines[1:], 1) if line.split(b",")[0].decode() not in touched
    )
    lines[other] = (
        lines[other].replace(b"Logistics", b"Shipping").replace(b"Manufacturing", b"Making")
    )
    path.write_bytes(b"".join(lines))
    theirs = lines[other]
    assert flight.undo(mission)["run_state"] == "undone"
    assert theirs in path.read_bytes()


def test_after_a_conflict_is_mended_undo_goes_on(flight: Flight) -> None:
    before = flight.state()
    mission, _ = flight.fly(6, TWO)
    path = flight.sandbox / "calendar.ics"
    ours = path.read_bytes()
    draft = next((flight.sandbox / "mail/drafts").glob("*.eml"))
    kept = draft.read_bytes()
    draft.write_bytes(kept + b"edited by hand\r\n")
    assert flight.undo(mission)["run_state"] == "undo_stopped"
    draft.write_bytes(kept)
    assert flight.undo(mission)["run_state"] == "undone"
    assert flight.state() == before
    assert ours


def test_a_stopped_run_can_be_undone_and_never_goes_on(flight: Flight) -> None:
    before = flight.state()
    mission, _ = flight.fly(3, TWO)
    flight.call(control.stop, mission)
    flight.work()
    assert flight.doc(mission)["run"]["cursor"] == 3
    assert flight.undo(mission)["run_state"] == "undone"
    assert flight.state() == before


def test_undo_needs_a_right_and_something_to_undo(flight: Flight) -> None:
    mission = flight.to_plan(ANY_TIME)
    with pytest.raises(GateBlocked, match="nothing to undo"):
        flight.call(undo.request, mission, "why not")
    with pytest.raises(Forbidden):
        flight.call(undo.request, mission, "why not", by="sam")


def _effect_without_result(flight: Flight, run) -> None:
    """The third call happens, and the process is gone before its result is written."""
    from aicp.trust.calls import admit
    from aicp.trust.gate import Asked

    step = run.plan.play.steps[2]
    admitted = admit(run, Asked(step.tool, step.account, dict(step.args)))
    admitted.provider.execute(admitted.call, admitted.before)
