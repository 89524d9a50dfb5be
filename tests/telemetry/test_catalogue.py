"""Every event is in the catalogue with its fields, in the code that records it and when it is recorded (OB-5)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import aicp
from aicp.telemetry.catalogue import catalogue, missing
from aicp.telemetry.record import record
from flight import NOW, Flight

SOURCE = Path(aicp.__file__).parent


def calls() -> Iterator[tuple[str, int, str, set[str] | None]]:
    """(file, line, event, context keys or None when they are computed) of each recording call."""
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in ("record", "_event", "tell_everybody"):
                name = next((a for a in node.args if _is_text(a)), None)
                context = next((a for a in node.args if isinstance(a, ast.Dict)), None)
                where = path.relative_to(SOURCE).as_posix()
                if name is not None and isinstance(name, ast.Constant):
                    yield where, node.lineno, str(name.value), _keys(context)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _keys(node: ast.Dict | None) -> set[str] | None:
    if node is None or not all(key is not None and _is_text(key) for key in node.keys):
        return None
    return {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}


CALLS = list(calls())


def test_every_recorded_event_is_catalogued_with_its_required_fields() -> None:
    assert len(CALLS) > 40
    wrong = [
        f"{file}:{line} {event}: {sorted(missing(event, dict.fromkeys(keys))) if event in catalogue() else 'unknown'}"
        for file, line, event, keys in CALLS
        if event not in catalogue() or (keys is not None and missing(event, dict.fromkeys(keys)))
    ]  # fmt: skip
    assert wrong == []


def test_almost_every_call_names_its_context_where_it_stands() -> None:
    computed = [f"{file}:{line} {event}" for file, line, event, keys in CALLS if keys is None]
    assert computed == []


def test_every_event_of_the_catalogue_is_recorded_somewhere() -> None:
    """Heartbeats of long sessions have their name already; workers keep theirs in the queue's table."""
    recorded = {event for _, _, event, _ in CALLS}
    assert sorted(catalogue().keys() - recorded) == ["session_heartbeat"]


def test_an_unknown_event_or_a_missing_field_is_refused(flight: Flight) -> None:
    riley = flight.people["riley"]

    def write(event: str, context: dict[str, Any]) -> None:
        with flight.app.transaction(riley) as conn:
            record(conn, riley, event, context, at=NOW)

    with pytest.raises(KeyError):
        write("made_up", {})
    with pytest.raises(ValueError, match="hold_released lacks action_id"):
        write("hold_released", {})
    write("hold_released", {"action_id": 1, "more": "is welcome"})
    with flight.app.transaction(riley) as conn:
        rows = conn.execute("select event_type, context from telemetry_events").fetchall()
    assert rows == [("hold_released", {"action_id": 1, "more": "is welcome"})]


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
