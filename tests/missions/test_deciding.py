"""Who decides in whose place, what time does to a request, and what changed since the last one."""

from __future__ import annotations

import pytest

from aicp.errors import BadInput, GateBlocked, NotFound
from aicp.missions import approve, control, delegate
from flight import ANY_TIME, WIN_BACK, Flight

SMALL = "Normalise the phone numbers of all accounts in Germany."


def test_the_owner_lets_another_person_decide_and_it_starts_the_run(flight: Flight) -> None:
    mission = flight.to_approve(SMALL)
    done = flight.call(delegate.delegate, mission, to="lee@home.example", reason="on leave")
    assert done == {"capacity": "owner", "to": "Lee Park"}
    given = flight.approve(mission, by="lee")
    assert (given["capacity"], given["complete"]) == ("owner", True)
    sheet = flight.doc(mission)["approval"]["approval"]
    assert [(d["from"], d["to"], d["reason"]) for d in sheet["delegations"]] == [
        ("Riley Chen", "Lee Park", "on leave")
    ]
    flight.work()
    assert flight.doc(mission)["stage"] == "Reflect"


def test_what_was_handed_on_is_not_handed_on_again_nor_to_oneself(flight: Flight) -> None:
    mission = flight.to_approve(SMALL)
    with pytest.raises(GateBlocked, match="yourself"):
        flight.call(delegate.delegate, mission, to="riley@home.example", reason="x")
    with pytest.raises(GateBlocked, match="no capacity"):
        flight.call(delegate.delegate, mission, to="lee@home.example", reason="x", by="sam")
    flight.call(delegate.delegate, mission, to="sam@home.example", reason="x")
    with pytest.raises(GateBlocked, match="no capacity"):
        flight.call(delegate.delegate, mission, to="lee@home.example", reason="x", by="sam")
    with pytest.raises(NotFound, match="nobody"):
        flight.call(delegate.delegate, mission, to="eve@elsewhere.example", reason="x")
    with pytest.raises(BadInput, match="reason"):
        flight.call(delegate.delegate, mission, to="lee@home.example", reason=" ")


def test_nobody_decides_twice_however_they_come_by_the_right(flight: Flight) -> None:
    mission = flight.to_approve(SMALL)
    flight.call(delegate.delegate, mission, to="sam@home.example", reason="x")
    flight.approve(mission, by="sam")
    with pytest.raises(GateBlocked):
        flight.approve(mission)


def test_an_undecided_request_reminds_once_then_expires_and_can_be_asked_anew(
    flight: Flight,
) -> None:
    mission = flight.to_approve(SMALL)
    flight.clock.advance(hours=12, seconds=1)
    flight.work()
    told = [name for name in _events(flight, mission) if "approval_re" in name]
    assert told == ["approval_requested", "approval_reminder"]
    flight.clock.advance(hours=12)
    flight.work()
    doc = flight.doc(mission)
    assert (doc["stage"], doc["approval"]) == ("Plan", None)
    assert "expired" in doc["blocking_reason"]
    assert _events(flight, mission).count("approval_expired") == 1
    flight.select(mission)
    flight.approve(mission)
    flight.work()
    assert flight.doc(mission)["stage"] == "Reflect"


def test_a_decided_request_is_left_alone_by_its_timers(flight: Flight) -> None:
    mission = flight.to_approve(ANY_TIME)
    flight.approve(mission)
    flight.call(control.run_now, mission)
    flight.clock.advance(hours=25)
    flight.work()
    assert not {"approval_reminder", "approval_expired"} & set(_events(flight, mission))


def test_the_sheet_says_what_changed_since_the_last_request(flight: Flight) -> None:
    mission = flight.to_approve(WIN_BACK)
    assert flight.doc(mission)["approval"]["changes"] is None
    flight.call(approve.reject, mission, rationale="drafts only, please")
    flight.select(mission, 2)
    changes = flight.doc(mission)["approval"]["changes"]
    assert {c["kind"] for c in changes} <= {"added", "removed", "changed", "moved"}
    removed = [c for c in changes if c["kind"] == "removed" and c["what"] == "step"]
    assert removed
    flight.call(approve.reject, mission, rationale="the same again")
    flight.select(mission, 2)
    assert flight.doc(mission)["approval"]["changes"] == []


def _events(flight: Flight, mission: str) -> list[str]:
    with flight.app.transaction(flight.people["riley"]) as conn:
        rows = conn.execute(
            "select event_type from telemetry_events where mission_id = %s order by id", (mission,)
        )
        return [str(name) for (name,) in rows]
