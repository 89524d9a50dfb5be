"""Every event is in the catalogue with its fields, in the code that records it and when it is recorded (OB-5)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicp.telemetry import catalogue as events
from aicp.telemetry import docs
from aicp.telemetry.catalogue import Event, Field, Unsound, aliases, catalogue, fields, missing
from aicp.telemetry.record import record
from flight import NOW, Flight

# domain.md 7: the names that the sources give.
CANONICAL = [
    "home_tile_opened",
    "readiness_badge_rendered",
    "alert_rail_viewed",
    "mission_list_action_taken",
    "intent_submitted",
    "brief_generated",
    "brief_item_modified",
    "mission_brief_locked",
    "safeguard_added",
    "composio_discovery",
    "toolkit_recommended",
    "toolkit_selected",
    "toolkit_connected",
    "composio_auth_flow",
    "data_preview_generated",
    "safeguard_reviewed",
    "readiness_status_changed",
    "coverage_preview_opened",
    "governance_override_requested",
    "planner_candidate_generated",
    "plan_ranked",
    "plan_adjusted",
    "plan_selected",
    "planner_retry_requested",
    "validator_scope_check",
    "approval_requested",
    "approval_delegated",
    "approval_granted",
    "approval_rejected",
    "audit_event_recorded",
    "approval_exported",
    "execution_started",
    "execution_step_completed",
    "execution_paused",
    "execution_completed",
    "execution_failed",
    "composio_tool_call",
    "composio_tool_call_error",
    "validator_alert_raised",
    "validator_auto_fix_applied",
    "validator_override_requested",
    "undo_available",
    "undo_requested",
    "undo_completed",
    "artifact_published",
    "evidence_bundle_generated",
    "session_heartbeat",
    "mission_completed",
    "evidence_opened",
    "feedback_submitted",
    "followup_scheduled",
    "library_contribution",
    "mission_retrospective_logged",
    "workspace_stream_open",
    "inspection_viewed",
    "incident_opened",
    "incident_resolved",
    "mission_stage_transition",
    "coordinator_handoff",
    "coordinator_error",
    "error_recovery_triggered",
    "metrics_refresh_completed",
]


def test_every_canonical_name_is_an_event_or_an_older_name_of_one() -> None:
    assert len(CANONICAL) == 62
    assert set(CANONICAL) - catalogue().keys() - aliases().keys() == set()


@given(st.sampled_from(sorted(catalogue())))
def test_an_example_fits_by_both_validators_and_loses_it_with_any_field(name: str) -> None:
    event = catalogue()[name]
    jsonschema.Draft202012Validator.check_schema(event.schema)
    assert event.misfit(event.example) == ""
    jsonschema.validate(event.example, event.schema)
    for one in event.required:
        lacking = {key: value for key, value in event.example.items() if key != one.name}
        assert one.name in event.misfit(lacking)
        assert missing(name, lacking) == {one.name}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(lacking, event.schema)
    assert "surprise" in event.misfit(event.example | {"surprise": 1})


def test_a_value_of_another_type_is_refused_without_being_repeated() -> None:
    event = catalogue()["hold_released"]
    why = event.misfit({"action_id": "kim@acme.example"})
    assert why == "hold_released: action_id is not of its type"


def test_an_unknown_event_or_a_context_of_another_form_is_refused(flight: Flight) -> None:
    riley = flight.people["riley"]

    def write(event: str, context: dict[str, Any]) -> None:
        with flight.app.transaction(riley) as conn:
            record(conn, riley, event, context, at=NOW)

    with pytest.raises(KeyError):
        write("made_up", {})
    for context, why in (
        ({}, "hold_released lacks action_id"),
        ({"action_id": 1, "more": "x"}, "hold_released has no field more"),
        ({"action_id": "one"}, "action_id is not of its type"),
    ):
        with pytest.raises(ValueError, match=why):
            write("hold_released", context)
    write("hold_released", {"action_id": 1})
    with flight.app.transaction(riley) as conn:
        rows = conn.execute("select event_type, context from telemetry_events").fetchall()
    assert rows == [("hold_released", {"action_id": 1})]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("events: {a: {brief: x, fields: [nothing]}}", "a has the field nothing"),
        ("events: {a: {brief: x, fields: [], colour: red}}", "colour"),
        ("events: {a: {brief: x, fields: [], stage: Later}}", "a stage or a scope"),
        ("events: {a: {brief: x, fields: [], emitted: false}}", "says why only when"),
        ("events: {a: {brief: x, fields: [], retention: never}}", "kept raw or audit"),
        ("events: [", "x.yaml"),
        ("- a", "no mapping"),
    ],
)
def test_a_catalogue_that_contradicts_itself_is_refused_by_name(text: str, why: str) -> None:
    with pytest.raises(Unsound, match=why):
        events._events("x.yaml", text)


def test_a_field_is_known_by_type_class_and_an_example_of_it() -> None:
    sound = {"type": "string", "pii": "none", "cardinality": "low", "example": "x"}
    assert events._field("a", sound) == Field("a", "string", "none", "low", "x")
    for wrong in (
        {"type": "colour"},
        {"pii": "some"},
        {"cardinality": "huge"},
        {"example": 1},
        {"size": 2},
    ):
        with pytest.raises(Unsound, match="a"):
            events._field("a", sound | wrong)


def test_the_page_is_what_the_catalogue_makes() -> None:
    assert docs.current() == ""
    written = docs.PAGE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in written for name in (*catalogue(), *fields()))


def test_the_forms_are_published(flight: Flight) -> None:
    """GET /api/schemas/events gives what JSON can hold, and the same as the catalogue."""
    from aicp.api.schemas import events as published

    told = json.loads(json.dumps(published(flight.people["riley"])))
    assert told.keys() == catalogue().keys()
    assert told["composio_tool_call"]["required"] == [
        "toolkit", "action", "latency_ms", "outcome", "provider",
    ]  # fmt: skip


def test_no_context_holds_personal_data_or_secrets(flight: Flight) -> None:
    """I-6: counts, ids and codes only, over a whole mission and its undo."""
    mission = flight.to_execute()
    flight.work()
    flight.undo(mission)
    with flight.app.transaction(flight.people["riley"]) as conn:
        text = conn.execute(
            "select string_agg(context::text, ' ') from telemetry_events"
        ).fetchone()
    assert text is not None
    doc = flight.doc(mission)
    people = {step["args"]["to"] for step in doc["approval"]["steps"] if "to" in step["args"]}
    assert people
    assert not [who for who in people if who in str(text[0])]
    assert "@" not in str(text[0]).replace("table.", "")


def test_loading_is_lazy_and_an_event_of_the_product_costs_nothing_at_import() -> None:
    assert isinstance(catalogue()["hold_released"], Event)
    assert catalogue() is catalogue()
    assert Path(str(docs.PAGE)).name == "events.md"
