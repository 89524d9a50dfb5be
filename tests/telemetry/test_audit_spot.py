"""OB-5, PC-5, DE-2: the audit in spot mode finds what was stored and should not be; too little never passes."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicp.telemetry import redaction
from aicp.telemetry.audit import spot as audit
from aicp.telemetry.audit.findings import Report
from aicp.telemetry.audit.spot import spot, unlike, wilson
from flight import NOW, Flight


@pytest.fixture
def flown(flight: Flight) -> Flight:
    """A tenant whose mission ran just now."""
    flight.to_execute()
    flight.work()
    return flight


def asked(flight: Flight) -> Report:
    actor = flight.people["gabriela"]
    with flight.app.transaction(actor) as conn:
        return spot(
            conn, actor, at=flight.clock.now.replace(microsecond=0).replace(second=59), minutes=600
        )


def smuggle(flight: Flight, event: str, context: dict[str, Any], **given: Any) -> None:
    """A row that never came through `record`, as its owner."""
    with psycopg.connect(flight.owner_url) as owner:
        owner.execute(
            "insert into telemetry_events (tenant_id, mission_id, event_type, status, context, payload_sha,"
            " correlation_id, created_at) values (%s, %s, %s, 'info', %s, '', %s, %s)",
            (flight.people["riley"].tenant_id, given.get("mission"), event, json.dumps(context),
             given.get("correlation", "req-x"), NOW),
        )  # fmt: skip


def test_a_mission_of_ours_has_no_findings_and_the_ratios_say_that_they_are_too_thin(
    flown: Flight,
) -> None:
    report = asked(flown)
    assert [one.line for one in report.findings] == []
    assert report.checked["schema"] > 10
    assert report.checked["canary"] >= 2
    assert "too few events" in report.unchecked["discovery : tool call"]
    assert report.exit_code == 0


def test_nothing_of_the_canary_is_kept(flown: Flight) -> None:
    asked(flown)
    with flown.app.transaction(flown.people["riley"]) as conn:
        left = conn.execute("select count(*) from telemetry_events where correlation_id = 'canary'")
        assert left.fetchone() == (0,)


def test_what_was_smuggled_past_is_found_without_being_repeated(flown: Flight) -> None:
    smuggle(flown, "hold_released", {"action_id": "kim@acme.example"})
    smuggle(flown, "unheard_of", {"a": 1})
    smuggle(flown, "execution_resumed", {"at_step": 1}, correlation="")
    report = asked(flown)
    found = {(one.check, one.where.split()[0]) for one in report.findings}
    assert {("schema", "hold_released"), ("schema", "unheard_of"), ("personal data", "hold_released"),
            ("ids", "execution_resumed")} <= found  # fmt: skip
    assert "kim@acme" not in json.dumps(report.as_dict())
    assert report.exit_code == 1


def test_an_empty_sample_never_passes(flight: Flight) -> None:
    report = asked(flight)
    assert "schema" in report.unchecked
    assert report.findings == []
    assert report.exit_code == 2


def test_a_redaction_that_does_nothing_kills_the_canary(
    flown: Flight, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aicp.telemetry import ingest
    from aicp.telemetry import record as recording

    for module in (recording, ingest):
        monkeypatch.setattr(module, "redact", lambda value, *_: value)
    report = asked(flown)
    died = {(one.where, one.message) for one in report.findings if one.check == "canary"}
    assert {where for where, _ in died} == {"record", "HTTP"}
    assert ("record", "a planted card number arrived as it was") in died
    assert redaction.redact("4242 4242 4242 4242") != "4242 4242 4242 4242"


def test_a_rollup_that_miscounts_is_found(flown: Flight) -> None:
    from datetime import timedelta

    from aicp.telemetry import rollup

    rollup.roll_up(flown.app.db, at=flown.clock.now + timedelta(hours=1))
    with psycopg.connect(flown.owner_url) as owner:
        owner.execute(
            "update telemetry_rollup_5m set n = n + 1 where tenant_id = %s",
            (flown.people["riley"].tenant_id,),
        )
    actor = flown.people["gabriela"]
    with flown.app.transaction(actor) as conn:
        counted, found = audit.recounted(conn, flown.clock.now + timedelta(hours=1))
    assert counted > 0
    assert [one.check for one in found] == ["rollup"]


@given(st.integers(1, 2000), st.floats(0.01, 0.99))
def test_an_interval_holds_its_proportion_and_narrows_with_more(whole: int, share: float) -> None:
    part = round(share * whole)
    low, high = wilson(part, whole)
    assert -1e-9 <= low <= part / whole <= high <= 1 + 1e-9
    wide, narrow = high - low, wilson(part * 9, whole * 9)
    assert narrow[1] - narrow[0] < wide


def test_a_ratio_moves_when_it_is_no_chance() -> None:
    assert wilson(10, 50) == pytest.approx(
        (0.1124, 0.3304), abs=1e-4
    )  # the worked example of the literature
    assert not unlike((10, 40), (400, 1600))
    assert not unlike((5, 45), (400, 1600))
    assert unlike((90, 60), (400, 1600))
