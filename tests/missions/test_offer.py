"""A ready plan instead of words: the same gates, the same run, the same undo."""

from __future__ import annotations

from typing import Any

import pytest

from aicp.errors import BadInput, GateBlocked
from aicp.missions import define, offer
from aicp.missions.define import NewMission
from flight import Flight
from offers import a_plan, draft, event, hold, rows, update


def given(flight: Flight, plan: dict[str, Any], **sources: Any) -> str:
    """A mission with a ready plan; nothing has run yet."""
    return created(flight, NewMission("", flight.sources(**sources), plan=offer.read(plan)))


def created(flight: Flight, new: NewMission) -> str:
    actor = flight.people["riley"]
    with flight.app.transaction(actor) as conn:
        return define.create(conn, actor, flight.app.services, new)


def planned(flight: Flight, plan: dict[str, Any], **sources: Any) -> str:
    mission = given(flight, plan, **sources)
    flight.work()
    flight.ack(mission, "riley")
    flight.ack(mission, "gabriela")
    flight.work()
    return mission


def carried_out(flight: Flight, plan: dict[str, Any], **sources: Any) -> str:
    mission = planned(flight, plan, **sources)
    flight.select(mission)
    flight.approve(mission)
    flight.work()
    return mission


def test_a_given_plan_is_carried_out_as_given_and_undone_by_hash(flight: Flight) -> None:
    """MI-3: table, mail and calendar, from a plan that nobody derived from words."""
    before = flight.state()
    mission = carried_out(flight, a_plan(flight))
    doc = flight.doc(mission)
    assert (doc["stage"], doc["run_state"]) == ("Reflect", "held")
    assert [s["state"] for s in doc["run"]["steps"]] == ["done"] * 4
    assert rows(flight)[0]["notes"] == "called"
    assert doc["approval"]["risk"]["reversibility"] == "high"
    doc = flight.undo(mission)
    assert doc["run_state"] == "undone"
    assert flight.state() == before


def test_the_held_mail_of_a_given_plan_leaves_in_its_window(flight: Flight) -> None:
    mission = carried_out(flight, a_plan(flight))
    for _ in range(30):
        flight.clock.advance(hours=1)
        flight.work()
    assert len(flight.delivered()) == 1
    assert flight.doc(mission)["status"] == "completed"


def test_the_approval_binds_pinned_tools_true_tiers_and_versions_seen(flight: Flight) -> None:
    """TR-10: what the plan leaves out is the tool's own word, and what was there is read."""
    mission = planned(flight, a_plan(flight))
    flight.select(mission)
    sheet = flight.doc(mission)["approval"]
    steps = sheet["steps"]
    assert [s["tool"].split("@")[0] for s in steps] == [
        "table.update", "mail.draft", "mail.schedule", "calendar.add",
    ]  # fmt: skip
    assert all(len(s["tool"].split("@")[1]) == 12 for s in steps)
    assert [s["undo_tier"] for s in steps] == ["T1", "T1", "T3", "T1"]
    assert all(s["undo"] for s in steps)
    assert steps[0]["expect_version"] != ""
    assert {p["source"] for s in steps for p in s["provenance"].values()} == {"human", "output"}
    assert sheet["scopes"] == ["calendar:write", "mail:draft", "mail:send", "table:write"]
    granted = {c["account"]: c["scopes"]["granted"] for c in flight.doc(mission)["connections"]}
    assert granted["accounts.csv"] == ["table:write"]
    assert [g["kind"] for g in sheet["safeguards"]] == ["window", "records", "privacy"]


def test_every_part_of_the_brief_is_marked_as_given_and_two_people_stand_by_it(
    flight: Flight,
) -> None:
    """TR-7: a ready plan does not spare the acknowledgements."""
    mission = given(flight, a_plan(flight))
    flight.work()
    brief = flight.doc(mission)["brief"]
    assert brief["gaps"] == []
    assert {c["source"] for c in brief["chips"]} == {"user", "default"}
    assert brief["not_understood"] == brief["questions"] == []
    flight.ack(mission, "riley")
    flight.work()
    assert flight.doc(mission)["stage"] == "Define"
    flight.ack(mission, "gabriela")
    flight.work()
    assert flight.doc(mission)["stage"] == "Plan"
    with pytest.raises(GateBlocked, match="given, not read"):
        flight.call(define.edit, mission, "objective", "something else")


def test_a_mission_without_any_table_works_when_its_plan_is_given(flight: Flight) -> None:
    before = flight.state()
    mission = carried_out(flight, a_plan(flight, event()), data=(), smtp="", mail_folder="")
    assert flight.doc(mission)["status"] == "completed"
    assert flight.state() != before
    flight.undo(mission)
    assert flight.state() == before


def test_a_row_that_two_steps_touch_is_not_stale_and_comes_back(flight: Flight) -> None:
    before = flight.state()
    steps = (update(flight, 0, "first"), update(flight, 0, "second"), update(flight, 1, "third"))
    mission = carried_out(flight, a_plan(flight, *steps))
    assert [row["notes"] for row in rows(flight)[:2]] == ["second", "third"]
    sheet = flight.doc(mission)["approval"]["steps"]
    assert [bool(s["expect_version"]) for s in sheet] == [True, False, True]
    flight.undo(mission)
    assert flight.state() == before


def test_somebody_elses_edit_between_approval_and_run_stops_the_step(flight: Flight) -> None:
    mission = planned(flight, a_plan(flight, event(), update(flight)))
    flight.select(mission)
    flight.approve(mission)
    name = rows(flight)[0]["name"]
    theirs = flight.edit_cell(name, "notes", "theirs")
    flight.work()
    doc = flight.doc(mission)
    assert doc["run_state"] == "paused"
    assert "changed by somebody else" in doc["blocking_reason"]
    assert theirs in (flight.sandbox / "accounts.csv").read_bytes()


def test_a_read_of_the_plan_feeds_a_later_step_within_its_domain(flight: Flight) -> None:
    """agents.md A3.3: a referenced value must meet the domain that was approved."""
    row = rows(flight)[0]
    key = next(iter(row))
    where = [{"column": key, "op": "eq", "value": row[key]}]
    find = {"tool": "table.select", "account": "accounts.csv", "args": {"where": where, "limit": 1}}
    note = {"tool": "calendar.add", "account": "calendar.ics",
            "args": {k: v for k, v in event()["args"].items() if k != "summary"},
            "refs": {"summary": {"step": 1, "path": "title", "domain": {"type": "string", "maxLength": 9}}}}  # fmt: skip
    mission = planned(flight, a_plan(flight, find, note))
    assert "gave no 'title'" in flight.doc(mission)["plays"][0]["rehearsal"]["why"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": []}, "steps"),
        ({"title": ""}, "title"),
        ({"extra": 1}, "extra"),
        ({"steps": [{"tool": "table.update"}]}, "step 1, account"),
        ({"steps": [{"tool": "x.y", "account": "nowhere"}]}, "step 1 (x.y) uses the account 'nowhere'"),
        ({"steps": "all"}, "steps"),
        ({"safeguards": [{"kind": "window", "text": "x", "params": {"from": "9", "until": "17:00"}}]}, "from"),
        ({"safeguards": [{"kind": "mercy", "text": "x"}]}, "safeguards"),
        ({"reason": float("nan")}, "not plain JSON"),
        ({"reason": "\ud800"}, "not plain JSON"),
        ({"reason": "x" * 3000}, "reason"),
    ],
)  # fmt: skip
def test_a_bad_form_is_one_sentence_and_no_mission(
    flight: Flight, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        given(flight, a_plan(flight) | change)
    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert flight.waiting() == []


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        ({}, "domain"),
        ({"description": "any"}, "allows anything"),
        ({"$ref": "http://127.0.0.1:1/x"}, "'$ref'"),
        ({"type": "string", "pattern": "(a+)+$"}, "'pattern'"),
        ({"anyOf": [{"type": "string"}, {}]}, "allows anything"),
        ({"type": "array", "items": {"$dynamicRef": "#x"}}, "'$dynamicRef'"),
        ({"type": "strange"}, "is not a JSON Schema"),
    ],
)
def test_a_reference_needs_a_domain_that_says_something_and_stays_here(
    flight: Flight, domain: dict[str, Any], said: str
) -> None:
    held = hold(flight, 1)
    held["refs"]["draft"]["domain"] = domain
    with pytest.raises(BadInput) as caught:
        offer.read(a_plan(flight, draft(flight), held))
    assert said in caught.value.message
    assert "step 2" in caught.value.message


def test_references_point_backwards_and_do_not_shadow_a_value(flight: Flight) -> None:
    forward = hold(flight, 2)
    with pytest.raises(BadInput, match="step 2, which is not an earlier one"):
        offer.read(a_plan(flight, draft(flight), forward))
    twice = hold(flight, 1)
    twice["args"]["draft"] = "0" * 24
    with pytest.raises(BadInput, match="as a value and as a reference"):
        offer.read(a_plan(flight, draft(flight), twice))


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"tool": "table.drop"}, "accounts.csv has no tool 'table.drop'"),
        ({"tool": "table.update@000000000000"}, "is declared as table.update@"),
        ({"args": {"key": "1"}}, "step 1 (table.update): 'set' is a required property"),
        ({"args": {"key": 1, "set": {"a": "b"}}}, "argument key: 1 is not of type 'string'"),
        ({"args": {"key": "1", "set": {"a": "b"}, "all": True}}, "'all' was unexpected"),
        ({"refs": {"rows": {"step": 1, "path": "x", "domain": {"type": "string"}}}}, "argument rows"),
        ({"account": "calendar.ics"}, "calendar.ics has no tool 'table.update'"),
    ],
)  # fmt: skip
def test_a_step_that_does_not_fit_blocks_prepare_with_a_sentence(
    flight: Flight, step: dict[str, Any], said: str
) -> None:
    first = step.get("refs") and [event()]
    mission = planned(flight, a_plan(flight, *(first or []), update(flight) | step))
    doc = flight.doc(mission)
    assert (doc["stage"], doc["status"]) == ("Prepare", "blocked")
    assert said in doc["blocking_reason"]
    assert doc["plays"] == []


def test_what_cannot_be_taken_back_comes_last(flight: Flight) -> None:
    """agents.md A3.7: a mail that leaves at once may not stand before a change that can be undone."""
    send = draft(flight) | {"tool": "mail.send"}
    mission = planned(flight, a_plan(flight, send, event()))
    reason = flight.doc(mission)["blocking_reason"]
    assert "step 1 (mail.send) cannot be taken back, so it must come after step 2" in reason


def test_too_many_tools_and_steps_are_refused(flight: Flight) -> None:
    with pytest.raises(BadInput, match="steps"):
        offer.read(a_plan(flight, *[event()] * 501))
    with pytest.raises(BadInput, match="bytes long"):
        offer.read(a_plan(flight, event("x" * 1_100_000)))


def test_an_exclusion_by_column_binds_the_rows_it_means(flight: Flight) -> None:
    """A given rule in columns and values excludes the very keys and addresses of the table."""
    excluded = next(r for r in rows(flight) if r["do_not_contact"].lower() in ("yes", "true", "1"))
    rule = {"kind": "exclusion", "text": "do not contact",
            "params": {"column": "do_not_contact", "values": [excluded["do_not_contact"]]}}  # fmt: skip
    step = draft(flight, to=excluded["email"])
    mission = carried_out(flight, a_plan(flight, step, safeguards=[rule]))
    doc = flight.doc(mission)
    assert doc["run_state"] == "paused"
    assert "exclusion list" in doc["blocking_reason"]


def test_nobody_slips_safeguards_into_a_mission_in_words(flight: Flight) -> None:
    rule = offer.read_rules([{"kind": "budget", "text": "one call", "params": {"max_calls": 1}}])
    new = NewMission("Win back all", flight.sources(), safeguards=rule)
    with pytest.raises(BadInput, match="safeguards of their own form"):
        created(flight, new)
