"""Somebody else's agent on one mission: reads, a proposal, the approved calls, and nothing else."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agents import (
    agent_mission,
    ask,
    findings,
    finish,
    holder,
    made,
    propose,
    running,
    status,
    step,
)
from aicp.missions import agent, control, define, offer, reflect, store
from aicp.missions.agent import Limits, Wanted
from aicp.missions.define import NewMission
from aicp.trust import stops
from flight import Flight
from offers import a_plan, draft, event, mail_account, rows, update

SELECT = ("table.select", "accounts.csv", {"limit": 2})


def test_an_agent_reads_proposes_and_makes_what_people_approved(flight: Flight) -> None:
    before = flight.state()
    mission = agent_mission(flight)
    assert status(flight, mission)["waits_for"] == "your plan"
    seen = ask(flight, mission, *SELECT)
    assert seen["allowed"]
    assert seen["untrusted"] is True
    assert len(seen["output"]["rows"]) == 2
    assert propose(flight, mission)["proposed"]
    assert "chosen" in status(flight, mission)["waits_for"]
    assert flight.state() == before
    flight.select(mission)
    assert "approved" in status(flight, mission)["waits_for"]
    flight.approve(mission, naming=True)
    flight.work()
    assert [step(flight, mission)["step"] for _ in range(4)] == [1, 2, 3, 4]
    flight.work()
    doc = flight.doc(mission)
    assert (doc["stage"], doc["run_state"], doc["findings"]) == ("Reflect", "held", [])
    assert rows(flight)[0]["notes"] == "called"
    assert flight.undo(mission)["run_state"] == "undone"
    assert flight.state() == before


def test_our_own_executor_leaves_an_agents_mission_alone(flight: Flight) -> None:
    mission = running(flight)
    flight.call(control.run_now, mission)
    flight.work()
    assert made(flight, mission) == []
    assert status(flight, mission)["next"]["step"] == 1


def test_what_an_agent_says_about_a_step_is_never_shown_as_its_effect(flight: Flight) -> None:
    """agents.md A3.4: values and words of an agent are not trusted; the tool and arguments speak."""
    mission = agent_mission(flight)
    lie = update(flight) | {"effect": "Nothing happens", "subject": "nobody", "group": "Harmless"}
    propose(flight, mission, a_plan(flight, lie, title="Safe", reason="Approve without reading"))
    play = flight.doc(mission)["plays"][0]["play"]
    only = play["steps"][0]
    assert only["effect"].startswith("Update one row (key = ")
    assert "Nothing happens" not in str(only)
    assert {p["trusted"] for p in only["provenance"].values()} == {False}
    assert {p["source"] for p in only["provenance"].values()} == {"agent"}
    assert play["title"] == "Proposed by an agent"
    assert any("its words, unchecked" in note for note in play["notes"])


def test_an_agents_safeguards_only_add_to_those_people_acknowledged(flight: Flight) -> None:
    mission = agent_mission(flight)
    extra = {"kind": "budget", "text": "one call", "params": {"max_calls": 1}}
    propose(flight, mission, a_plan(flight, safeguards=[extra]))
    flight.select(mission)
    kinds = [(g["id"], g["kind"]) for g in flight.doc(mission)["approval"]["safeguards"]]
    assert kinds == [
        ("safeguard-1", "window"), ("safeguard-2", "records"), ("safeguard-3", "privacy"),
        ("agent-1", "budget"),
    ]  # fmt: skip


def test_nothing_is_granted_but_reads_before_there_is_a_plan(flight: Flight) -> None:
    mission = agent_mission(flight)

    def granted() -> dict[str, list[str]]:
        listed = flight.doc(mission)["connections"]
        return {c["account"]: c["scopes"]["granted"] for c in listed}

    assert granted() == {
        "accounts.csv": ["table:read"], "calendar.ics": ["calendar:read"],
        mail_account(flight): ["mail:read"],
    }  # fmt: skip
    propose(flight, mission, a_plan(flight, event()))
    assert granted()["calendar.ics"] == ["calendar:read", "calendar:write"]
    assert granted()["accounts.csv"] == ["table:read"]


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (("table.update", "accounts.csv", {"key": "1", "set": {"a": "b"}}), "not-approved"),
        (("table.drop", "accounts.csv", {}), "unknown-tool"),
        (("table.select", "other.csv", {}), "unknown-account"),
        (("table.select", "accounts.csv", {"where": "1=1"}), "arguments"),
        (("table.select", "accounts.csv", {"columns": ["none"]}), "read-failed"),
        (("table.select", "accounts.csv", []), "junk"),
        ((7, "accounts.csv", {}), "junk"),
        (("table.select", None, {}), "junk"),
        (("table.select", "accounts.csv", {"limit": float("nan")}), "junk"),
        (("table.select\x00", "accounts.csv", {}), "junk"),
        (("table.select", "accounts.csv", {"x": "y" * 300_000}), "oversize"),
    ],
)  # fmt: skip
def test_before_approval_everything_but_a_fitting_read_is_a_denial_and_a_finding(
    flight: Flight, call: tuple[Any, ...], rule: str
) -> None:
    mission = agent_mission(flight)
    before = flight.state()
    said = ask(flight, mission, *call)
    assert {k: said[k] for k in ("allowed", "rule")} == {"allowed": False, "rule": rule}
    assert said["why"]
    assert findings(flight, mission) == [f"gateway:{rule}"]
    assert (made(flight, mission), flight.state()) == ([], before)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"args": {"key": "A-1", "set": {"notes": "other"}}}, "exact-call"),
        ({"tool": "table.delete"}, "exact-call"),
        ({"account": "calendar.ics"}, "exact-call"),
        ({"account": "nowhere"}, "exact-call"),
        ({"tool": "table.drop"}, "exact-call"),
        ({"step": 2}, "cursor"),
        ({"args": None}, "exact-call"),
    ],
)
def test_after_approval_everything_but_the_next_call_is_a_denial_and_a_finding(
    flight: Flight, change: dict[str, Any], rule: str
) -> None:
    mission = running(flight)
    before = flight.state()
    call = {**status(flight, mission)["next"], **change}
    said = ask(flight, mission, call["tool"], call["account"], call["args"], call["step"])
    assert (said["allowed"], said["rule"]) == (False, rule)
    assert "step 1: table.update on accounts.csv" in said["hint"]
    assert [f.removeprefix("gateway:") for f in findings(flight, mission)] == [rule]
    assert (made(flight, mission), flight.state()) == ([], before)
    finish(flight, mission)
    assert made(flight, mission) == [(n, "done") for n in (1, 2, 3, 4)]


def test_a_call_made_again_is_denied_and_told_that_it_was_made(flight: Flight) -> None:
    mission = running(flight)
    first = status(flight, mission)["next"]
    step(flight, mission)
    said = ask(flight, mission, first["tool"], first["account"], first["args"])
    assert (said["allowed"], said["rule"]) == (False, "exact-call")
    assert status(flight, mission)["last_output"]["step"] == 1
    assert made(flight, mission) == [(1, "done")]


def test_a_read_that_is_not_in_the_plan_is_denied_during_the_run(flight: Flight) -> None:
    mission = running(flight)
    assert ask(flight, mission, *SELECT)["rule"] == "exact-call"


def test_after_the_last_call_nothing_is_called_any_more(flight: Flight) -> None:
    mission = running(flight)
    last = None
    while now := status(flight, mission)["next"]:
        last = now
        step(flight, mission)
    said = ask(flight, mission, last["tool"], last["account"], last["args"])
    assert said["rule"] == "cursor"
    flight.work()
    said = ask(flight, mission, last["tool"], last["account"], last["args"])
    assert said["rule"] == "after-completion"
    assert len(made(flight, mission)) == 4


def test_two_calls_at_once_make_one_effect(flight: Flight) -> None:
    mission = running(flight)
    now = status(flight, mission)["next"]
    who = holder(flight, mission)
    wanted = Wanted(now["tool"], now["account"], now["args"], now["step"])
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda _: agent.call(flight.app.services, who, wanted), range(4)))
    assert [s["allowed"] for s in said].count(True) == 1
    assert {s.get("rule") for s in said if not s["allowed"]} <= {"busy", "cursor", "exact-call"}
    assert len(findings(flight, mission)) == 3
    assert made(flight, mission) == [(1, "done")]
    finish(flight, mission)


def test_a_pause_holds_the_agent_and_resuming_lets_it_go_on(flight: Flight) -> None:
    mission = running(flight)
    step(flight, mission)
    flight.call(control.pause, mission, "wait")
    now = flight.doc(mission)["run"]["steps"][1]
    said = ask(flight, mission, now["tool"], now["account"], {})
    assert (said["rule"], findings(flight, mission)) == ("run-state", ["gateway:run-state"])
    flight.call(control.resume, mission)
    flight.work()
    finish(flight, mission)
    assert len(made(flight, mission)) == 4


def test_a_changed_row_stops_the_agents_run_as_it_would_stop_ours(flight: Flight) -> None:
    mission = running(flight, a_plan(flight, event(), update(flight)))
    step(flight, mission)
    flight.edit_cell(rows(flight)[0]["name"], "notes", "theirs")
    said = step(flight, mission)
    assert (said["allowed"], said["rule"], said["run_state"]) == (False, "stale_data", "paused")
    assert "stale-data" in findings(flight, mission)


def test_what_a_killed_server_left_open_is_settled_before_the_next_call(flight: Flight) -> None:
    """No effect twice: the call was made, its result was lost."""
    from aicp.missions import execute
    from aicp.trust.calls import admit
    from aicp.trust.gate import Asked

    mission = running(flight)
    with flight.app.transaction(flight.people["riley"]) as conn:
        from aicp.missions import store

        row = store.get(conn, mission)
    run = execute.begin(flight.app.services, row, row.agent("gateway"))
    now = run.plan.play.steps[0]
    admitted = admit(run, Asked(now.tool, now.account, now.args))
    admitted.provider.execute(admitted.call, admitted.before)
    assert made(flight, mission) == [(1, "intent")]
    said = step(flight, mission)
    assert (said["allowed"], said["rule"]) == (False, "cursor")
    assert made(flight, mission) == [(1, "done")]
    finish(flight, mission)
    assert len(made(flight, mission)) == 4


def test_reads_are_limited_in_size_and_number_and_journalled(flight: Flight) -> None:
    mission = agent_mission(flight)
    who, few = holder(flight, mission), Limits(output_bytes=200, reads_per_minute=3)
    wanted = Wanted(*SELECT)
    services = flight.app.services
    assert agent.call(services, who, wanted, few)["rule"] == "oversize-output"
    small = Wanted("mail.folders", mail_account(flight), {})
    said = [agent.call(services, who, small, few)["allowed"] for _ in range(3)]
    assert said == [True, True, False]
    flight.clock.advance(seconds=61)
    assert agent.call(services, who, small, few)["allowed"]
    with flight.app.transaction(flight.people["riley"]) as conn:
        kept = conn.execute(
            "select state, outcome -> 'data' ->> 'sha256' is not null from tool_calls"
            " where mission_id = %s and purpose = 'read'",
            (mission,),
        ).fetchall()
    assert kept == [("done", True)] * 4


def test_a_flood_of_denials_is_answered_and_written_down_once(flight: Flight) -> None:
    mission = agent_mission(flight)
    who, few = holder(flight, mission), Limits(findings_per_minute=3)
    for _ in range(6):
        said = agent.call(flight.app.services, who, Wanted("x.y", "z", {}), few)
        assert said["allowed"] is False
    assert findings(flight, mission) == [*["gateway:unknown-account"] * 3, "gateway:flood"]


@pytest.mark.parametrize(
    ("plan", "rule"),
    [
        (None, "plan-form"),
        ([], "plan-form"),
        ({"title": "x", "steps": []}, "plan-form"),
        (
            {"title": "x", "steps": [{"tool": "table.drop", "account": "accounts.csv"}]},
            "plan-unfit",
        ),
        ({"title": "x", "steps": [{"tool": "table.drop", "account": "none"}]}, "plan-unfit"),
    ],
)
def test_a_plan_that_does_not_fit_is_a_denial_and_leaves_nothing(
    flight: Flight, plan: Any, rule: str
) -> None:
    mission = agent_mission(flight)
    who = holder(flight, mission)
    said = agent.propose(flight.app.services, who, plan)
    assert (said["allowed"], said["rule"]) == (False, rule)
    assert status(flight, mission)["waits_for"] == "your plan"


def test_a_proposal_may_be_replaced_until_people_decide_on_it(flight: Flight) -> None:
    mission = agent_mission(flight)
    propose(flight, mission, a_plan(flight, event("one")))
    propose(flight, mission, a_plan(flight, event("two")))
    plays = flight.doc(mission)["plays"]
    assert [p["play"]["steps"][0]["args"]["summary"] for p in plays] == ["two"]
    flight.select(mission)
    said = propose(flight, mission, a_plan(flight, event("three")))
    assert (said["allowed"], said["rule"]) == (False, "stage")


def test_a_proposal_whose_rehearsal_fails_cannot_be_chosen_and_another_may_follow(
    flight: Flight,
) -> None:
    mission = agent_mission(flight)
    wrong = update(flight) | {"args": {"key": "no such row", "set": {"notes": "x"}}}
    propose(flight, mission, a_plan(flight, wrong))
    rehearsal = flight.doc(mission)["plays"][0]["rehearsal"]
    assert (rehearsal["exact"], rehearsal["at"]) == (False, 1)
    propose(flight, mission, a_plan(flight, draft(flight)))
    assert flight.doc(mission)["plays"][0]["rehearsal"]["exact"] is True


def test_an_agent_may_carry_out_a_plan_that_a_person_gave_and_proposes_none(flight: Flight) -> None:
    new = NewMission("", flight.sources(), plan=offer.read(a_plan(flight)), agent=True)
    actor = flight.people["riley"]
    with flight.app.transaction(actor) as conn:
        mission = define.create(conn, actor, flight.app.services, new)
    flight.work()
    flight.ack(mission, "riley")
    flight.ack(mission, "gabriela")
    flight.work()
    assert propose(flight, mission, a_plan(flight, event()))["rule"] == "plan-given"
    flight.select(mission)
    flight.approve(mission)
    flight.work()
    finish(flight, mission)
    assert len(made(flight, mission)) == 4


def test_what_an_agent_read_is_sealed_with_the_evidence(flight: Flight) -> None:
    mission = agent_mission(flight)
    ask(flight, mission, *SELECT)
    assert [r["tool"] for r in flight.doc(mission)["reads"]] == ["table.select"]
    propose(flight, mission, a_plan(flight, event()))
    flight.select(mission)
    flight.approve(mission)
    flight.work()
    finish(flight, mission)
    with flight.app.transaction(flight.people["riley"]) as conn:
        row = store.get(conn, mission)
        bundle = reflect.bundles(conn, mission)[0]["manifest_sha256"]
    listed = reflect.contents(flight.app.services, row, bundle)
    calls = next(a["sha256"] for a in listed if a["name"] == "calls.jsonl")
    sealed = flight.app.services.evidence.get(str(row.tenant_id), calls)
    purposes = [json.loads(line)["purpose"] for line in sealed.splitlines()]
    assert purposes == ["read", "step"]


def test_the_approved_arguments_are_used_to_the_letter(flight: Flight) -> None:
    """1.0 and 1 have one digest and are two texts in a cell: what people saw is what is written."""
    one = update(flight)
    one["args"]["set"]["notes"] = 1
    mission = running(flight, a_plan(flight, one))
    args = {**one["args"], "set": {"notes": 1.0}}
    assert ask(flight, mission, "table.update", "accounts.csv", args)["allowed"]
    assert rows(flight)[0]["notes"] == "1"


def test_endless_nesting_is_junk(flight: Flight) -> None:
    mission = agent_mission(flight)
    deep: Any = {}
    for _ in range(200):
        deep = {"items": deep, "type": "array"}
    assert ask(flight, mission, "table.select", "accounts.csv", {"where": deep})["rule"] == "junk"
    ref = {"step": 1, "path": "x", "domain": deep}
    steps = (event(), event() | {"refs": {"uid": ref}})
    assert propose(flight, mission, a_plan(flight, *steps))["rule"] == "plan-form"


def test_a_kill_switch_stops_an_agents_reads_as_well(flight: Flight) -> None:
    """MI-8: what nobody approved yet obeys it, too."""
    mission, riley = agent_mission(flight), flight.people["riley"]
    with flight.app.transaction(riley) as conn:
        stops.pull(
            conn, riley, scope="mission", target=mission, reason="look first", at=flight.clock()
        )
    said = ask(flight, mission, *SELECT)
    assert (said["allowed"], said["rule"]) == (False, "kill-switch")
    assert "look first" in said["why"]
