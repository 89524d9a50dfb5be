"""What must be refused is refused with its reason, recorded, and with the right exit code."""

from __future__ import annotations

import csv

import psycopg
import pytest

from aicp.errors import AicpError, Forbidden, GateBlocked, NotFound
from aicp.missions import approve, control, define, prepare, store
from aicp.missions.lifecycle import STAGES
from flight import Flight


def refusal(flight: Flight, mission: str, act, code: int) -> str:
    """Run an act that must be refused with an exit code; returns the recorded finding's rule."""
    with pytest.raises(AicpError) as caught:
        act()
    assert caught.value.exit_code == code
    assert caught.value.message
    return flight.doc(mission)["findings"][-1]["rule"]


def test_the_same_person_cannot_acknowledge_twice(flight: Flight) -> None:
    """TR-7: exit 9, recorded."""
    mission = flight.new()
    flight.work()
    flight.ack(mission, "riley")
    assert refusal(flight, mission, lambda: flight.ack(mission, "riley"), 9) == "TR-7"
    assert flight.doc(mission)["stage"] == "Define"


def test_only_owner_and_governance_acknowledge(flight: Flight) -> None:
    mission = flight.new()
    flight.work()
    with pytest.raises(Forbidden):
        flight.ack(mission, "sam")


def test_editing_the_brief_voids_the_acknowledgements(flight: Flight) -> None:
    """I-11."""
    mission = flight.new()
    flight.work()
    flight.ack(mission, "riley")
    flight.call(define.edit, mission, "safeguard-2", "no discounts, no urgency")
    doc = flight.doc(mission)
    assert doc["brief"]["acknowledgements"] == []
    assert doc["brief"]["locked_at"] is None


def test_a_plan_changed_by_one_character_does_not_run(flight: Flight, database_url: str) -> None:
    """TR-10, I-1: the stored plan is altered behind the product's back after the approval."""
    before = flight.state()
    mission = flight.to_execute()
    with psycopg.connect(
        database_url
    ) as conn:  # the product's own login may not change plans at all
        conn.execute("set role authenticated")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("update plans set plan = plan where mission_id = %s", (mission,))
    _tamper(flight, mission)
    flight.work()
    doc = flight.doc(mission)
    assert flight.state() == before
    assert doc["run_state"] == "idle"
    assert "not the plan that was approved" in doc["findings"][-1]["message"]


def _tamper(flight: Flight, mission: str) -> None:
    with psycopg.connect(flight.owner_url) as conn:
        conn.execute(
            "update plans set plan = jsonb_set(plan, '{play,steps,0,args,subject}', '\"Checking in wit\"')"
            " where mission_id = %s",
            (mission,),
        )


def test_an_approval_is_used_once(flight: Flight) -> None:
    """A replayed approval: exit 5, recorded, and no second run."""
    mission = flight.to_execute()
    flight.work()
    digest = flight.doc(mission)["approval"]["approval"]["digest"]
    assert (
        refusal(flight, mission, lambda: flight.approve(mission, "riley", digest), 5)
        == "approval:used-once"
    )


def test_an_expired_approval_does_not_count(flight: Flight) -> None:
    mission = flight.to_approve()
    flight.clock.advance(hours=25)
    assert refusal(flight, mission, lambda: flight.approve(mission), 5) == "approval:expired"
    before = flight.state()
    flight.work()
    assert flight.state() == before


def test_an_approval_that_expires_before_the_run_begins_starts_nothing(flight: Flight) -> None:
    mission = flight.to_execute()
    flight.clock.advance(hours=25)
    before = flight.state()
    flight.work()
    assert flight.state() == before
    assert flight.doc(mission)["run_state"] == "idle"


def test_another_digest_is_not_this_plan(flight: Flight) -> None:
    mission = flight.to_approve()
    digest = flight.doc(mission)["approval"]["approval"]["digest"]
    wrong = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    assert (
        refusal(flight, mission, lambda: flight.approve(mission, "riley", wrong), 5)
        == "approval:digest"
    )


def test_the_requester_alone_cannot_approve_high_risk(flight: Flight) -> None:
    """TR-10: 600 rows make the impact critical, so owner and governance must both decide."""
    _many_accounts(flight, 600)
    mission = flight.to_approve(
        "Reassign all accounts owned by Dana Holt to Lee Moreno.", calendar=""
    )
    sheet = flight.doc(mission)["approval"]
    assert sheet["risk"]["risk"] == "high"
    assert flight.approve(mission, "riley") == {
        "capacity": "owner", "complete": False, "missing": "still needed: the governance",
    }  # fmt: skip
    assert (
        refusal(flight, mission, lambda: flight.approve(mission, "riley"), 5)
        == "approval:same-person"
    )
    assert (
        refusal(flight, mission, lambda: flight.call(control.run_now, mission), 5)
        == "approval:missing"
    )
    assert flight.doc(mission)["stage"] == "Approve"
    assert flight.approve(mission, "gabriela")["complete"]


def test_choosing_another_play_voids_the_open_approval(flight: Flight) -> None:
    mission = flight.to_approve()
    first = flight.doc(mission)["approval"]["approval"]["digest"]
    flight.select(mission, 2)
    assert (
        refusal(flight, mission, lambda: flight.approve(mission, "riley", first), 5)
        == "approval:digest"
    )
    assert flight.approve(mission)["complete"]


def test_a_rejection_needs_a_reason_and_goes_back_to_the_plan(flight: Flight) -> None:
    mission = flight.to_approve()
    with pytest.raises(AicpError, match="reason"):
        flight.call(approve.reject, mission, rationale=" ")
    flight.call(approve.reject, mission, rationale="too many mails", by="gabriela")
    doc = flight.doc(mission)
    assert (doc["stage"], doc["approval"]) == ("Plan", None)
    flight.select(mission, 2)
    assert flight.doc(mission)["stage"] == "Approve"


def test_coverage_can_only_be_overridden_by_governance(flight: Flight) -> None:
    """TR-6."""
    mission = flight.new()
    with pytest.raises(Forbidden):
        flight.call(prepare.override, mission, "we know")
    with pytest.raises(GateBlocked):
        flight.call(prepare.override, mission, "we know", by="gabriela")


def test_data_changed_after_the_plan_voids_the_approval(flight: Flight) -> None:
    """Approvals bind the version of the data they were given on."""
    mission = flight.to_execute()
    path = flight.sandbox / "accounts.csv"
    path.write_bytes(path.read_bytes().replace(b"Manufacturing", b"Manufacturer", 1))
    changed = flight.state()
    flight.work()
    doc = flight.doc(mission)
    assert flight.state() == changed
    assert (doc["run_state"], doc["stage"]) == ("idle", "Plan")
    assert any(
        "changed after the plan was made" in finding["message"] for finding in doc["findings"]
    )


def test_a_foreign_tenant_sees_nothing(flight: Flight, tmp_path) -> None:
    """I-10, TR-22: not found, for every door."""
    from flight import land, take_off

    mission = flight.to_plan()
    other = take_off(tmp_path / "other-tenant", flight.url)
    try:
        for act in (
            lambda: other.doc(mission),
            lambda: other.ack(mission, "riley"),
            lambda: other.select(mission),
            lambda: other.call(control.stop, mission),
            lambda: other.call(define.edit, mission, "objective", None),
        ):
            with pytest.raises(NotFound):
                act()
        with other.app.transaction(other.people["riley"]) as conn:
            assert store.recent(conn) == []
    finally:
        land(other)


def test_a_stage_never_opens_before_its_gate(flight: Flight) -> None:
    mission = flight.new()
    for act in (
        lambda: flight.select(mission),
        lambda: flight.call(control.run_now, mission),
        lambda: flight.call(control.pause, mission, ""),
        lambda: flight.ack(mission, "riley"),
    ):
        with pytest.raises(GateBlocked):
            act()
    assert STAGES.index(flight.doc(mission)["stage"]) == 1


def _many_accounts(flight: Flight, count: int) -> None:
    path = flight.sandbox / "accounts.csv"
    with path.open("w", newline="") as sink:
        out = csv.writer(sink)
        out.writerow(["id", "name", "owner", "email"])
        for n in range(count):
            out.writerow([f"A-{n:04}", f"Account {n}", "Dana Holt", f"kim{n}@a{n}.example"])
        out.writerow(["A-9999", "Account last", "Lee Moreno", "last@a.example"])
