"""A mission whose plan calls tools of an MCP server: rehearsed, approved, governed, taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aicp.errors import BadInput
from aicp.missions import plan, plan_store, store
from aicp.missions.prepare import open_providers
from aicp.toolkits.providers.mcp import session
from aicp.trust.plan import Play, Provenance, Step
from flight import Flight
from toolkits.world_mcp import DECLARED, NOTES, book, write_book
from trust.plans import a_plan

CALLS = (
    ("mcp_notes.create", {"name": "nine", "text": "9"}),
    ("mcp_notes.replace", {"name": "two", "text": "2"}),
    ("mcp_notes.delete", {"name": "three"}),
)


@pytest.fixture
def home(flight: Flight, tmp_path: Path) -> Path:
    import sys

    home = tmp_path / "notes"
    home.mkdir()
    write_book(home, {"two": "Zwei", "three": "3"})
    declared = DECLARED.format(python=sys.executable, script=NOTES, folder=home)
    flight.app.settings.mcp_file.write_text(declared)
    return home


def offer(flight: Flight, mission: str) -> dict[str, Any]:
    """Put a play of three MCP calls in the place of what the planner found; its rehearsal."""
    actor = flight.people["riley"]
    with flight.app.transaction(actor) as conn:
        row = store.get(conn, mission)
    providers = open_providers(flight.app.services, row, actor)
    specs = {spec.name: spec for spec in providers["mcp:notes"].tools()}
    here = Provenance(source="intent", where="words 1-4")
    steps = tuple(
        Step(
            seq=seq, tool=specs[tool].ref, account="mcp:notes", args=args, effect="a note changes",
            provenance=dict.fromkeys(args, here), mutates=True, undo_tier=specs[tool].undo_tier,
            undo=specs[tool].undo,
        )
        for seq, (tool, args) in enumerate(CALLS, start=1)
    )  # fmt: skip
    play: Play = a_plan().play.model_copy(update={"steps": steps, "affected": {"notes": 3}})
    found = plan.rehearse(play, providers)
    with flight.app.transaction(actor) as conn:
        scopes = {"scopes": plan.scopes_of(play, specs)}
        plan_store.replace_plays(conn, actor, mission, [(play, found | scopes)])
    return found


def test_calls_of_an_mcp_server_are_approved_made_and_taken_back(
    flight: Flight, home: Path
) -> None:
    mission = flight.to_plan(connect=("mcp:notes",))
    start = book(home)
    assert offer(flight, mission) == {"exact": True, "steps": 3, "undone": 3}
    flight.select(mission)
    flight.approve(mission)
    assert book(home) == start
    flight.work()
    doc = flight.doc(mission)
    assert {step["state"] for step in doc["run"]["steps"]} == {"done"}, doc["blocking_reason"]
    assert book(home) == {"two": "2", "nine": "9"}
    doc = flight.undo(mission)
    assert {step["status"] for step in doc["undo"][0]["steps"]} == {"restored"}
    assert book(home) == start


def test_an_approval_does_not_cover_a_server_that_changed_since(flight: Flight, home: Path) -> None:
    mission = flight.to_plan(connect=("mcp:notes",))
    start = book(home)
    offer(flight, mission)
    flight.select(mission)
    flight.approve(mission)
    session.close_all()
    (home / "knobs.json").write_text(json.dumps({"schema": 2}))
    flight.work()
    doc = flight.doc(mission)
    assert "changed its declaration since the approval" in doc["blocking_reason"]
    assert book(home) == start
    session.close_all()


def test_steps_that_could_only_be_checked_are_counted_as_such(flight: Flight, home: Path) -> None:
    file = flight.app.settings.mcp_file
    file.write_text(file.read_text().replace(f'rehearse = {{ copy = "{home}" }}', ""))
    mission = flight.to_plan(connect=("mcp:notes",))
    assert offer(flight, mission) == {"exact": True, "steps": 3, "undone": 0, "dry": 3}


def test_a_server_that_is_not_declared_is_no_source(flight: Flight, home: Path) -> None:
    with pytest.raises(BadInput, match="no MCP server 'other' is declared") as refused:
        flight.new(connect=("mcp:other",))
    assert refused.value.hint == "declared: notes"


def test_a_copy_that_cannot_be_had_refuses_the_play_in_one_sentence(
    flight: Flight, home: Path
) -> None:
    mission = flight.to_plan(connect=("mcp:notes",))
    (home / "out").symlink_to("/etc")
    found = offer(flight, mission)
    assert not found["exact"]
    assert "leads outside" in found["why"]
