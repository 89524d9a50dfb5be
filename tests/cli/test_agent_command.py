"""Ready plans and agents' tokens, typed as a person types them."""

from __future__ import annotations

import json

import httpx

from cli.system import DELEGATE, System


def _plan(system: System, table: str, **change: object):
    step = {
        "tool": "table.update",
        "account": table,
        "args": {"key": "A-1", "set": {"owner": "Cy"}},
    }
    path = system.files / f"{table}.json"
    path.write_text(json.dumps({"title": "Give Acme to Cy", "steps": [step]} | change))
    return path


def test_a_ready_plan_is_carried_out_from_the_command_line(system: System):
    table = system.table("given.csv")
    plan = _plan(system, "given.csv")
    said = system.run("mission", "new", "--plan", str(plan), "--data", str(table))
    assert said.code == 0, said
    assert "nobody (given)" in said.out
    mission = said.out.split()[0]
    before = table.read_bytes()
    system.fly(mission)
    assert b"Acme Castings" in table.read_bytes()
    assert b",Cy," in table.read_bytes()
    assert system.run("mission", "undo", mission, "--yes").code == 0
    assert table.read_bytes() == before


def test_a_bad_plan_is_one_sentence_and_exit_2(system: System):
    table = system.table("bad.csv")
    plan = _plan(system, "bad.csv", steps=[{"tool": "table.update", "account": "none"}])
    said = system.run("mission", "new", "--plan", str(plan), "--data", str(table))
    assert said.code == 2
    assert "step 1 (table.update) uses the account 'none'" in said.err
    plan.write_text("{")
    assert "is not JSON" in system.run("mission", "new", "--plan", str(plan)).err
    assert "cannot be read" in system.run("mission", "new", "--plan", "none.json").err
    assert system.run("mission", "new").code == 2


def test_the_form_of_a_plan_is_printed(system: System):
    form = system.run("mission", "plan-schema").json
    assert form["properties"]["steps"]["maxItems"] == 500


def test_a_token_is_shown_once_opens_its_mission_and_is_taken_back(system: System):
    table = system.table("agent.csv")
    said = system.run("mission", "new", "Tidy", "--agent", "--data", str(table), "--json")
    mission = said.json["id"]
    system.acknowledge(mission)
    said = system.run("mission", "plan", mission)
    assert f"aicp --data-dir {system.data} mission token {mission}" in said.err
    token = system.run("mission", "token", mission, "--hours", "1").out.strip()
    assert token.startswith("aicp_agent_")
    url = f"{system.client().place.url}/api/missions/{mission}/calls"
    headers = {"Authorization": f"Bearer {token}"}
    ask = {"tool": "mission.status"}
    assert httpx.post(url, headers=headers, json=ask).json()["waits_for"] == "your plan"
    assert system.run("mission", "token", mission, as_email=DELEGATE).code == 4
    assert system.run("mission", "token", mission, "--revoke").out == "1 tokens taken back\n"
    assert httpx.post(url, headers=headers, json=ask).status_code == 401
