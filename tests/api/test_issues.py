"""The issue graph over JSON: bd's order and shapes, our errors, who may write (BD-1, UX-84)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from aicp.api.server import make_server
from aicp.tracker import Tracker
from console_visitor import secret_for
from flight import Flight, land, take_off
from issue_book import bd, fill, give_issues, make


@pytest.fixture
def ops(flight: Flight) -> Path:
    folder = give_issues(flight)
    fill(folder)
    return folder


@pytest.fixture
def ask(flight: Flight) -> Any:
    """The API as somebody of the tenant."""

    def as_(name: str) -> TestClient:
        http = TestClient(make_server(flight.app), base_url="http://api.test")
        http.headers["authorization"] = f"Bearer {secret_for(flight, name, 'token')}"
        return http

    return as_


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()]


def test_list_and_ready_answer_exactly_what_bd_prints(ops: Path, ask: Any) -> None:
    """UX-84: same issues, same order, same JSON."""
    http = ask("sam")
    assert http.get("/api/issues").json() == json.loads(bd(ops, "list", "--json"))
    assert http.get("/api/issues/ready").json() == json.loads(bd(ops, "ready", "--json"))
    assert ids(http.get("/api/issues/ready")) == ["ops-4", "ops-6", "ops-1", "ops-3", "ops-5"]


@pytest.mark.parametrize(
    ("query", "flags"),
    [
        ("status=closed", ["--status", "closed"]),
        ("tag=ops&label=db", ["--tag", "ops", "-l", "db"]),
        ("priority=0,3", ["--priority", "0,3"]),
        ("label=ops&limit=2", ["-l", "ops", "--limit", "2"]),
        ("status=all&limit=3", ["--status", "all", "--limit", "3"]),
    ],
)
def test_filters_come_before_the_limit_as_in_bd(
    ops: Path, ask: Any, query: str, flags: list[str]
) -> None:
    told = json.loads(bd(ops, "list", "--json", *flags))
    assert ask("riley").get(f"/api/issues?{query}").json() == told
    assert told


def test_an_issue_comes_with_its_tree_and_why_it_waits(ops: Path, ask: Any) -> None:
    told = ask("sam").get("/api/issues/ops-2").json()
    assert told["why"] == bd(ops, "explain", "ops-2").strip()
    assert told["ready"] is False
    assert told["blocked_by"] == ["ops-3"]
    assert "\n".join(told["tree_text"]) == bd(ops, "dep", "tree", "ops-2").strip()
    assert ["ops-6", "related", "ops-2"] in told["edges"]


def test_what_is_written_here_is_what_bd_shows_under_the_e_mail_of_the_writer(
    ops: Path, ask: Any
) -> None:
    riley = ask("riley")
    made = riley.post(
        "/api/issues", json={"title": "Pager is quiet", "priority": 0, "labels": ["ops"]}
    )
    assert made.status_code == 201
    new = made.json()["id"]
    said = riley.post(f"/api/issues/{new}/comments", json={"text": "EU only"}).json()
    assert (said["author"], said["text"]) == ("riley@home.example", "EU only")
    link = riley.post(f"/api/issues/{new}/dependencies", json={"on": "ops-3"}).json()
    assert link == {"issue_id": new, "depends_on_id": "ops-3", "type": "blocks", "status": "added"}
    moved = riley.post(
        f"/api/issues/{new}/update", json={"status": "in_progress", "add_labels": ["eu"]}
    )
    assert (moved.json()["status"], moved.json()["labels"]) == ("in_progress", ["eu", "ops"])
    riley.post("/api/issues/ops-3/close", json={"reason": "the pool is bounded"})
    assert new in ids(riley.get("/api/issues/ready"))
    back = riley.post("/api/issues/ops-3/reopen", json={"reason": "it leaks again"})
    assert (back.status_code, back.json()["status"]) == (201, "open")
    assert new not in ids(riley.get("/api/issues/ready"))
    gone = riley.post(f"/api/issues/{new}/dependencies/remove", json={"on": "ops-3"}).json()
    assert gone == link | {"status": "removed"}
    assert new in ids(riley.get("/api/issues/ready"))
    last = json.loads(bd(ops, "history", "ops-3", "--json"))[-1]
    assert (last["event"], last["actor"], last["reason"]) == (
        "reopened",
        "riley@home.example",
        "it leaks again",
    )
    riley.post("/api/issues/ops-3/close", json={"reason": "the pool is bounded"})
    shown = json.loads(bd(ops, "show", new, "ops-3", "--json"))
    assert shown[0]["created_by"] == "riley@home.example"
    assert shown[1]["close_reason"] == "the pool is bounded"


def test_a_mission_names_its_issue_and_an_unfit_id_makes_none(flight: Flight, ask: Any) -> None:
    riley = ask("riley")
    body = {"intent": "Normalise all phones.", "data": [str(flight.sandbox / "accounts.csv")]}
    made = riley.post("/api/missions", json=body | {"issue": "BD-4521"})
    assert (made.status_code, made.json()["issue"]) == (201, "BD-4521")
    assert riley.get(f"/api/missions/{made.json()['id']}").json()["issue"] == "BD-4521"
    wrong = riley.post("/api/missions", json=body | {"issue": "4521"})
    assert (wrong.status_code, wrong.json()["error"]["exit_code"]) == (422, 2)
    assert "'4521' is not an issue id" in wrong.json()["error"]["message"]
    assert [row["id"] for row in riley.get("/api/missions").json()] == [made.json()["id"]]


def test_readers_read_and_only_writers_write(flight: Flight, ops: Path, ask: Any) -> None:
    sam = ask("sam")
    before = (ops / ".beads" / "issues.jsonl").read_bytes()
    refused = sam.post("/api/issues", json={"title": "No"})
    assert (refused.status_code, refused.json()["error"]["exit_code"]) == (403, 4)
    assert sam.post("/api/issues/ops-1/close", json={"reason": "no"}).status_code == 403
    assert sam.post("/api/issues/ops-7/reopen", json={}).status_code == 403
    path = "/api/issues/ops-2/dependencies/remove"
    assert sam.post(path, json={"on": "ops-3"}).status_code == 403
    assert (ops / ".beads" / "issues.jsonl").read_bytes() == before
    assert ask("gabriela").post("/api/issues", json={"title": "Yes"}).status_code == 201
    nobody = TestClient(make_server(flight.app), base_url="http://api.test")
    assert nobody.get("/api/issues").status_code == 401


@pytest.mark.parametrize(
    ("path", "body", "status", "exit_code", "words"),
    [
        ("/api/issues", {"title": " "}, 422, 2, "title is empty"),
        ("/api/issues", {"title": "x", "priority": 9}, 422, 2, "priority"),
        ("/api/issues/ops-99/comments", {"text": "x"}, 404, 3, "ops-99"),
        ("/api/issues/ops-1/comments", {"text": " "}, 422, 2, "empty"),
        ("/api/issues/ops-1/close", {"reason": " "}, 422, 2, "say why"),
        ("/api/issues/ops-1/update", {}, 422, 2, "nothing to change"),
        ("/api/issues/ops-1/reopen", {}, 409, 6, "not closed"),
        ("/api/issues/ops-99/reopen", {}, 404, 3, "ops-99"),
        ("/api/issues/ops-3/dependencies/remove", {"on": "ops-2"}, 404, 3, "does not depend"),
        (
            "/api/issues/ops-2/dependencies/remove",
            {"on": "ops-3", "type": "related"},
            404,
            3,
            "does not depend",
        ),
        ("/api/issues/ops-1/update", {"status": "odd"}, 422, 2, "unknown status"),
        ("/api/issues/ops-3/dependencies", {"on": "ops-2"}, 409, 6, "ops-2"),
        ("/api/issues/ops-3/dependencies", {"on": "ops-1", "type": "x"}, 422, 2, "dependency type"),
    ],
)
def test_what_bd_refuses_is_refused_with_its_exit_code_and_changes_nothing(
    ops: Path, ask: Any, path: str, body: dict[str, Any], status: int, exit_code: int, words: str
) -> None:
    """UX-83: a ring is refused and its way named."""
    before = (ops / ".beads" / "issues.jsonl").read_bytes()
    answer = ask("riley").post(path, json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["exit_code"]) == (status, exit_code), error
    assert words in error["message"]
    assert error["correlation_id"]
    assert (ops / ".beads" / "issues.jsonl").read_bytes() == before


def test_bad_filters_are_one_sentence(ops: Path, ask: Any) -> None:
    http = ask("sam")
    for query in ("status=opne", "priority=soon", "limit=-1", "limit=x"):
        answer = http.get(f"/api/issues?{query}")
        assert answer.status_code == 422, query
        assert answer.json()["error"]["exit_code"] == 2


def test_a_missing_list_names_the_way_back_and_appears_once_it_is_there(
    flight: Flight, ask: Any
) -> None:
    folder = give_issues(flight, made=False)
    riley = ask("riley")
    for answer in (riley.get("/api/issues"), riley.post("/api/issues", json={"title": "x"})):
        error = answer.json()["error"]
        assert (answer.status_code, error["exit_code"], error["code"]) == (404, 3, "issues_missing")
        assert "bd init" in error["hint"]
    assert not (folder / ".beads").exists()
    make(folder)
    assert ids(riley.get("/api/issues")) == []


def test_a_damaged_list_is_named_with_its_line_and_the_way_back(ops: Path, ask: Any) -> None:
    path = ops / ".beads" / "issues.jsonl"
    path.write_bytes(path.read_bytes() + b'{"id": "ops-8", "ti')
    before = path.read_bytes()
    riley = ask("riley")
    for answer in (riley.get("/api/issues"), riley.post("/api/issues", json={"title": "x"})):
        error = answer.json()["error"]
        assert (answer.status_code, error["exit_code"]) == (503, 1), error
        assert "8" in error["message"]
        assert "bd doctor" in error["hint"]
    assert path.read_bytes() == before


def test_a_file_edited_by_somebody_else_is_seen_at_once(ops: Path, ask: Any) -> None:
    http = ask("sam")
    ids(http.get("/api/issues"))
    path = ops / ".beads" / "issues.jsonl"
    path.write_text(path.read_text().replace("Fix the pool leak", "Fix the pool leak for good"))
    assert "for good" in http.get("/api/issues/ops-3").json()["issue"]["title"]


def test_the_graph_is_the_installations_every_tenant_reads_the_same(
    flight: Flight, ops: Path, ask: Any, database_url: str, tmp_path: Path
) -> None:
    """The list lies in the operators' repository: tenants share it, and sign in to see it."""
    other = take_off(tmp_path / "other", database_url, issues_dir=str(ops))
    try:
        http = TestClient(make_server(other.app), base_url="http://api.test")
        http.headers["authorization"] = f"Bearer {secret_for(other, 'sam', 'token')}"
        assert http.get("/api/issues").json() == ask("sam").get("/api/issues").json()
    finally:
        land(other)


def test_the_list_is_found_from_where_the_server_was_started(ops: Path) -> None:
    below = ops / "deploy" / "now"
    below.mkdir(parents=True)
    here = Tracker(start=str(below))
    assert here.snapshot().graph.by_id.keys() >= {"ops-1", "ops-7"}
    assert here.stamp() == Tracker(str(ops / ".beads")).stamp() != "none"
    assert Tracker(start="/").stamp() == "none"
