"""Trust in stages: consent, link, grant, probe, expiry, revocation (TR-1 to TR-5, TR-16, TR-19)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from aicp.errors import Forbidden, GateBlocked
from aicp.missions import consent, disconnect
from flight import Flight, land, take_off

TWO = "Win back our 2 best manufacturing accounts (over $50k ARR) that went quiet in Q2."


@pytest.fixture
def desk(flight: Flight) -> Iterator[Flight]:
    """The flight with a calendar that a person must sign in to."""
    given = {"providers": "desk=toolkits.desk:Desk"}
    flown = take_off(
        flight.folder.with_name(f"{flight.folder.name}d"), flight.url, flight.owner_url, **given
    )
    yield flown
    land(flown)


def begin(desk: Flight) -> str:
    mission = desk.new(TWO, calendar="", connect=(f"desk:{desk.sandbox / 'calendar.ics'}",))
    desk.work()
    desk.ack(mission, "riley")
    desk.ack(mission, "gabriela")
    desk.work()
    return mission


def account(desk: Flight, mission: str) -> dict[str, Any]:
    return next(c for c in desk.doc(mission)["connections"] if c["toolkit"] == "calendar")


def sign_in(desk: Flight, mission: str, state: str = "approved", **said: Any) -> dict[str, Any]:
    """Consent as the owner does, then answer at the other side; returns the connection."""
    wanted = sorted(account(desk, mission)["wanted"])
    desk.call(consent.give, mission, "calendar.ics", scopes=wanted)
    desk.work()
    folder = desk.sandbox / "calendar.desk"
    ref = f"ca_{len(list(folder.glob('ca_*'))) - 1}"
    answer = {"ref": ref, "state": state, "scopes": wanted} | said
    (folder / "grant.json").write_text(json.dumps(answer))
    desk.clock.advance(seconds=3)
    desk.work()
    return account(desk, mission)


def test_nothing_is_asked_of_anybody_before_a_person_consents(desk: Flight) -> None:
    mission = begin(desk)
    doc, row = desk.doc(mission), account(desk, mission)
    assert (doc["stage"], doc["status"], doc["readiness"]) == ("Prepare", "blocked", "needs_auth")
    assert "mission connect" in doc["blocking_reason"]
    assert (row["auth"], row["link"]) == ("needed", None)
    assert set(row["wanted"]) == {"calendar:read", "calendar:write"}
    assert not (desk.sandbox / "calendar.desk").exists()


def test_consent_then_link_then_grant_opens_the_plan(desk: Flight) -> None:
    mission = begin(desk)
    row = sign_in(desk, mission)
    assert (row["auth"], row["link"]["status"]) == ("active", "approved")
    assert (
        row["scopes"]["granted"]
        == row["scopes"]["requested"]
        == ["calendar:read", "calendar:write"]
    )
    asked = json.loads((desk.sandbox / "calendar.desk" / "ca_0").read_text())
    assert asked["metadata"]["mission"] == mission
    assert desk.doc(mission)["stage"] == "Plan"
    desk.select(mission)
    desk.approve(mission)
    desk.work()
    assert desk.doc(mission)["stage"] == "Reflect"
    assert account(desk, mission)["scopes"]["used"]


def test_only_the_owner_consents_and_only_to_what_they_saw(desk: Flight) -> None:
    mission = begin(desk)
    scopes = sorted(account(desk, mission)["wanted"])
    with pytest.raises(Forbidden):
        desk.call(consent.give, mission, "calendar.ics", scopes=scopes, by="gabriela")
    with pytest.raises(GateBlocked, match="not those"):
        desk.call(consent.give, mission, "calendar.ics", scopes=[*scopes, "calendar:admin"])
    desk.work()
    assert not (desk.sandbox / "calendar.desk").exists()


def test_no_sign_in_starts_outside_prepare(desk: Flight) -> None:
    mission = begin(desk)
    scopes = sorted(account(desk, mission)["wanted"])
    sign_in(desk, mission)
    with pytest.raises(GateBlocked, match="only be started in Prepare"):
        desk.call(consent.give, mission, "calendar.ics", scopes=scopes)
    assert desk.doc(mission)["findings"][-1]["rule"] == "TR-2"
    assert not (desk.sandbox / "calendar.desk" / "ca_1").exists()


def test_a_consent_is_used_once_and_not_after_half_an_hour(desk: Flight) -> None:
    mission = begin(desk)
    scopes = sorted(account(desk, mission)["wanted"])
    desk.call(consent.give, mission, "calendar.ics", scopes=scopes)
    desk.clock.advance(minutes=31)
    desk.work()
    assert account(desk, mission)["link"] is None


def test_a_link_that_nobody_answers_expires_and_can_be_asked_for_again(desk: Flight) -> None:
    mission = begin(desk)
    scopes = sorted(account(desk, mission)["wanted"])
    desk.call(consent.give, mission, "calendar.ics", scopes=scopes)
    desk.work()
    desk.clock.advance(minutes=31)
    desk.work()
    row = account(desk, mission)
    assert (row["auth"], row["link"]["status"]) == ("needed", "expired")
    assert sign_in(desk, mission)["auth"] == "active"


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"scopes": ["calendar:read"]}, "scope-missing"),
        ({"scopes": ["calendar:read", "calendar:write", "calendar:admin"]}, "least-privilege"),
        ({"broken": ["calendar:write"]}, "scope-probe"),
    ],
)
def test_what_was_granted_is_compared_with_what_was_asked_and_with_what_works(
    desk: Flight, said: dict[str, Any], rule: str
) -> None:
    mission = begin(desk)
    sign_in(desk, mission, **said)
    assert rule in {finding["rule"] for finding in desk.doc(mission)["findings"]}


def test_a_missing_scope_keeps_the_mission_in_prepare(desk: Flight) -> None:
    mission = begin(desk)
    sign_in(desk, mission, scopes=["calendar:read"])
    doc = desk.doc(mission)
    assert (doc["stage"], doc["readiness"]) == ("Prepare", "needs_auth")


def test_a_refusal_at_the_other_side_is_told_and_nothing_goes_on(desk: Flight) -> None:
    mission = begin(desk)
    row = sign_in(desk, mission, "failed", why="the person said no")
    assert row["auth"] == "failed"
    assert "the person said no" in desk.doc(mission)["blocking_reason"]


def test_a_grant_that_ends_under_the_run_is_renewed_approved_again_and_goes_on_there(
    desk: Flight,
) -> None:
    mission = begin(desk)
    sign_in(desk, mission)
    desk.select(mission)
    desk.approve(mission)
    grant = desk.sandbox / "calendar.desk" / "grant.json"
    grant.write_text(json.dumps({"ref": "ca_0", "state": "expired"}))
    desk.work()
    doc = desk.doc(mission)
    stopped = doc["step"]
    assert (doc["run_state"], doc["readiness"]) == ("paused", "needs_auth")
    assert account(desk, mission)["scopes"]["granted"] == []
    assert stopped > 0
    sign_in(desk, mission)
    doc = desk.doc(mission)
    assert (doc["stage"], doc["approval"]["approval"]["status"]) == ("Approve", "requested")
    assert doc["step"] == stopped
    desk.approve(mission)
    desk.work()
    doc = desk.doc(mission)
    assert doc["stage"] == "Reflect"
    made = [e for e in doc["run"]["steps"] if e["state"] == "done"]
    assert len(made) == doc["steps"]


def test_grants_end_with_the_mission_once_its_undo_window_is_closed(desk: Flight) -> None:
    mission = begin(desk)
    sign_in(desk, mission)
    desk.select(mission)
    desk.approve(mission)
    desk.work()
    desk.clock.advance(days=3)
    desk.work()
    assert desk.doc(mission)["status"] == "completed"
    row = account(desk, mission)
    assert (row["auth"], row["scopes"]["granted"], row["link"]["status"]) == (
        "revoked",
        [],
        "revoked",
    )
    assert (
        json.loads((desk.sandbox / "calendar.desk" / "grant.json").read_text())["state"]
        == "revoked"
    )


def test_a_person_disconnects_at_once_and_no_call_passes_any_more(desk: Flight) -> None:
    mission = begin(desk)
    sign_in(desk, mission)
    desk.select(mission)
    desk.approve(mission)
    desk.call(disconnect.request, mission, "calendar.ics", by="gabriela")
    desk.work()
    doc = desk.doc(mission)
    assert account(desk, mission)["auth"] == "revoked"
    assert doc["stage"] == "Execute"
    assert "scope" in {finding["rule"] for finding in doc["findings"]}
