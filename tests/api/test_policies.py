"""Policies over JSON: what is in force, candidates checked and held against the past; values named."""

from __future__ import annotations

from api.conftest import Server
from flight import ANY_TIME

FORBID = {
    "name": "c.cedar",
    "text": '@id("no")\nforbid (principal, action in Action::"mail", resource);',
}


def test_candidates_are_checked_and_tested_and_nothing_comes_into_force(server: Server) -> None:
    mission = server.flight.to_execute(ANY_TIME)
    server.flight.work()
    checked = server.ask("POST", "/api/policies/check", json={"files": [FORBID]}).json()
    assert checked["problem"] == ""
    assert [one["id"] for one in checked["policies"]] == ["approved-calls", "no"]
    tested = server.ask("POST", "/api/policies/test", json={"files": [FORBID]}).json()
    assert {one["mission_id"] for one in tested["denied"]} == {mission}
    assert {one["tool"].split(".")[0] for one in tested["denied"]} == {"mail"}
    assert 0 < len(tested["denied"]) < tested["calls"]
    assert tested["denied"][0]["policies"][0]["line"] == 1
    there = server.ask("GET", "/api/policies").json()
    assert [one["id"] for one in there["policies"]] == ["approved-calls"]
    assert 'action "table.update"' in server.ask("GET", "/api/policies/schema").json()["schema"]


def test_what_does_not_hold_is_said_in_one_sentence(server: Server) -> None:
    broken = {"name": "b.cedar", "text": "\npermit (principal"}
    checked = server.ask("POST", "/api/policies/check", json={"files": [broken]})
    assert checked.status_code == 200
    assert checked.json()["problem"].startswith("b.cedar line 2: ")
    tested = server.ask("POST", "/api/policies/test", json={"files": [broken]})
    assert tested.status_code == 422
    assert tested.json()["error"]["message"].startswith("b.cedar line 2: ")
    rules = {"name": "sequences.toml", "text": "[[rule]"}
    assert "sequences.toml" in server.ask("POST", "/api/policies/check", json={"files": [rules]}).json()["problem"]  # fmt: skip
    alone = server.ask("POST", "/api/policies/check", json={"files": []}).json()
    assert (alone["problem"], len(alone["policies"])) == ("", 1)
    many = {"files": [FORBID] * 201}
    assert server.ask("POST", "/api/policies/check", json=many).status_code == 422


def test_another_tenants_calls_are_never_judged(server: Server) -> None:
    """What is tested against is one's own past only: this tenant has none."""
    tested = server.ask("POST", "/api/policies/test", json={"files": [FORBID]}).json()
    assert (tested["calls"], tested["denied"]) == (0, [])


def test_a_value_is_named_by_who_has_a_say(server: Server) -> None:
    mission = server.flight.to_approve(ANY_TIME)
    path = f"/api/missions/{mission}/names"
    given = server.ask("POST", path, json={"values": ["Kim <KIM@acme.example>"]})
    assert given.json() == {"named": ["kim@acme.example"]}
    assert server.ask("POST", path, json={"values": ["x"]}, by="sam").status_code == 403
    assert server.ask("POST", path, json={"values": [""]}).status_code == 422
    shown = server.ask("GET", f"/api/missions/{mission}").json()["approval"]["named"]
    assert shown["kim@acme.example"] == "Riley Chen"
