"""Operators' policies, named values and sequence rules on real missions (TR-11, TR-20)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aicp.errors import BadInput, Forbidden, GateBlocked
from aicp.missions import approve, control, plan, policies, store
from aicp.toolkits.catalogue import builtin
from aicp.trust import declarations
from aicp.trust.policy import Source
from flight import ANY_TIME, Flight

NO_DRAFTS = """
@id("no-mail-to-others")
@reason("mail goes to our own people only")
forbid (principal, action == Action::"mail.draft", resource)
unless { ["home.example"].containsAll(context.domains) };
"""
NEVER_LEAVES = """
@id("nothing-leaves")
@reason("the house is closed")
forbid (principal, action in Action::"mail", resource) when { context.purpose == "release" };
"""
NO_MAIL_AFTER_READING = """
[[rule]]
id = "read-no-mail"
reason = "this table is not for mails"
prepared = true
after = { scopes = ["table:read"] }
never = { tools = ["mail.draft"] }
"""


def write(flight: Flight, name: str, text: str) -> None:
    folder = flight.app.services.rulebook.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def findings(flight: Flight, mission: str) -> dict[str, str]:
    return {one["rule"]: one["message"] for one in flight.doc(mission)["findings"]}


def test_a_policy_stops_the_run_before_the_call_and_tells_its_name_and_reason(
    flight: Flight,
) -> None:
    mission = flight.to_execute(ANY_TIME)
    write(flight, "own.cedar", NO_DRAFTS)
    before = flight.state()
    flight.work()
    doc = flight.doc(mission)
    assert (doc["run_state"], flight.state()) == ("paused", before)
    assert "policy no-mail-to-others: mail goes to our own people only" in doc["blocking_reason"]
    assert "no-mail-to-others" in findings(flight, mission)["policy:no-mail-to-others"]
    (flight.app.services.rulebook.folder / "own.cedar").unlink()
    flight.call(control.resume, mission)
    flight.work()
    assert flight.doc(mission)["run_state"] in ("held", "finished")


def test_a_broken_policy_denies_every_call_with_file_and_line(flight: Flight) -> None:
    mission = flight.to_execute(ANY_TIME)
    write(flight, "own.cedar", "// fine so far\npermit (principal, action, resource")
    flight.work()
    doc = flight.doc(mission)
    assert doc["run_state"] == "paused"
    assert "own.cedar line 2" in doc["blocking_reason"]
    assert "own.cedar line 2" in findings(flight, mission)["policy:default-deny"]


def test_a_held_mail_does_not_leave_past_a_policy_that_came_later(flight: Flight) -> None:
    mission = flight.to_execute(ANY_TIME)
    flight.work()
    assert flight.doc(mission)["run_state"] == "held"
    write(flight, "own.cedar", NEVER_LEAVES)
    flight.clock.advance(hours=2)
    flight.work()
    assert flight.doc(mission)["run_state"] == "paused"
    assert flight.delivered() == []
    assert "the house is closed" in findings(flight, mission)["policy:nothing-leaves"]


def test_candidates_are_held_against_the_past(flight: Flight) -> None:
    mission = flight.to_execute(ANY_TIME)
    flight.work()
    steps = [
        s for s in flight.doc(mission)["approval"]["steps"] if s["tool"].startswith("mail.draft")
    ]
    since = flight.clock() - timedelta(days=30)
    with flight.app.transaction(flight.people["riley"]) as conn:
        none = policies.rehearse(conn, flight.app.services, (), since)
        some = policies.rehearse(conn, flight.app.services, (Source("c.cedar", NO_DRAFTS),), since)
        later = policies.rehearse(conn, flight.app.services, (), flight.clock() + timedelta(1))
        with pytest.raises(BadInput, match=r"c\.cedar line 1"):
            policies.rehearse(conn, flight.app.services, (Source("c.cedar", "permit"),), since)
    assert none["calls"] == len(flight.doc(mission)["approval"]["steps"])
    assert none["denied"] == []
    assert later["calls"] == 0
    assert {(one["mission_id"], one["seq"]) for one in some["denied"]} == {
        (mission, step["seq"]) for step in steps
    }
    assert {one["policies"][0]["id"] for one in some["denied"]} == {"no-mail-to-others"}


def test_policies_know_the_tools_that_missions_met(flight: Flight) -> None:
    odd = replace(next(builtin()), name="mcp_crm.lookup", scope="mcp_crm:read")
    text = 'forbid (principal, action == Action::"mcp_crm.lookup", resource);'
    with flight.app.transaction(flight.people["riley"]) as conn:
        source = (Source("crm.cedar", text),)
        assert "mcp_crm.lookup" in policies.check(conn, flight.app.services, source)["problem"]
        declarations.remember(conn, flight.people["riley"], [odd], at=flight.clock())
        assert policies.check(conn, flight.app.services, source)["problem"] == ""
        assert "mcp_crm.lookup" in policies.schema(conn)


# Values of strangers ----------------------------------------------------------------------------


def distrust_tables(flight: Flight) -> None:
    """As if the table's reader returned what strangers wrote."""
    select = next(spec for spec in builtin() if spec.name == "table.select")
    with flight.app.transaction(flight.people["riley"]) as conn:
        later = flight.clock() + timedelta(seconds=1)
        strange = replace(select, untrusted=True)
        declarations.remember(conn, flight.people["riley"], [strange], at=later)


def test_strangers_recipients_must_be_named_before_the_approval_counts(flight: Flight) -> None:
    mission = flight.to_approve(ANY_TIME)
    assert flight.doc(mission)["approval"]["unnamed"] == []  # a table that a person handed over
    distrust_tables(flight)
    needed = flight.doc(mission)["approval"]["unnamed"]
    addresses = [one["value"] for one in needed if "@" in one["value"]]
    assert len(addresses) == 3
    assert all("accounts.csv" in one["first_seen"] for one in needed)
    with pytest.raises(GateBlocked, match="must be named by a person") as refused:
        flight.approve(mission)
    assert [one["value"] for one in refused.value.facts["unnamed"]] == [o["value"] for o in needed]
    assert "untrusted-value" in findings(flight, mission)
    digest = flight.doc(mission)["approval"]["approval"]["digest"]
    values = [one["value"] for one in needed]
    flight.call(approve.approve, mission, digest=digest, named=values)
    assert flight.doc(mission)["approval"]["named"] == dict.fromkeys(sorted(values), "Riley Chen")
    flight.work()
    assert flight.doc(mission)["run_state"] in ("held", "finished")


def test_a_refused_approval_names_nothing(flight: Flight) -> None:
    mission = flight.to_approve(ANY_TIME)
    distrust_tables(flight)
    digest = flight.doc(mission)["approval"]["approval"]["digest"]
    first = flight.doc(mission)["approval"]["unnamed"][0]["value"]
    with pytest.raises(GateBlocked):
        flight.call(approve.approve, mission, digest=digest, named=[first])
    assert flight.doc(mission)["approval"]["named"] == {}


def test_a_value_that_a_run_meets_is_named_by_a_person_and_the_run_goes_on(flight: Flight) -> None:
    mission = flight.to_execute(ANY_TIME)
    values = [
        s["args"]["to"] for s in flight.doc(mission)["approval"]["steps"] if "to" in s["args"]
    ]
    distrust_tables(flight)
    flight.work()
    assert flight.doc(mission)["run_state"] == "paused"
    assert "nobody named it" in findings(flight, mission)["untrusted-value"]
    needed = [one["value"] for one in flight.doc(mission)["approval"]["unnamed"]]
    assert set(values) <= {*needed, *values}
    with flight.app.transaction(flight.people["riley"]) as conn:
        row = store.get(conn, mission)
        with pytest.raises(Forbidden):
            approve.name(conn, flight.people["sam"], flight.app.services, row.id, needed)
        with pytest.raises(BadInput):
            approve.name(conn, flight.people["riley"], flight.app.services, row.id, [" "])
        approve.name(conn, flight.people["riley"], flight.app.services, row.id, needed)
    flight.call(control.resume, mission)
    flight.work()
    assert flight.doc(mission)["run_state"] in ("held", "finished")


# Sequences --------------------------------------------------------------------------------------


def test_a_plan_that_breaks_a_sequence_rule_is_refused_with_both_calls_named(
    flight: Flight,
) -> None:
    write(flight, "sequences.toml", NO_MAIL_AFTER_READING)
    mission = flight.to_plan(ANY_TIME)
    with pytest.raises(GateBlocked, match=r"mail\.draft.* after preparing \(table\.select\)"):
        flight.call(plan.select, mission, 1)
    assert "sequence:read-no-mail" in findings(flight, mission)


def test_a_sequence_rule_that_came_later_stops_the_call(flight: Flight) -> None:
    mission = flight.to_execute(ANY_TIME)
    write(flight, "sequences.toml", NO_MAIL_AFTER_READING)
    flight.work()
    assert flight.doc(mission)["run_state"] == "paused"
    assert "not for mails" in findings(flight, mission)["sequence:read-no-mail"]
    write(flight, "sequences.toml", "[[rule]")
    flight.call(control.resume, mission)
    flight.work()
    assert "sequences.toml" in findings(flight, mission)["sequence"]
