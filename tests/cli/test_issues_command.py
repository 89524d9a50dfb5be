"""`aicp issues …`: what bd shows, over the server, in bd's order (UX-84, CLI-02, CLI-03)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from aicp.cli.supervise import Supervisor
from aicp.cli.up import first_run
from aicp.settings import Settings
from cli.system import DELEGATE, PEOPLE, System
from issue_book import bd, fill, make


@pytest.fixture(scope="module")
def ops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ops")
    (folder / ".git").mkdir()
    make(folder)
    fill(folder)
    return folder


@pytest.fixture(scope="module")
def here(ops: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A server of its own beside the suite's: its issues lie in `ops`."""
    data = tmp_path_factory.mktemp("issues") / "data"
    patch = pytest.MonkeyPatch()
    patch.setenv("AICP_ISSUES_DIR", str(ops))
    settings = Settings(data=str(data), port="0", file_roots=str(ops))
    supervisor = Supervisor(settings)
    try:
        supervisor.start()
        first_run(settings, (*PEOPLE, ("sam@home.example", "Sam", ("analytics",))))
        yield System(data, ops, "", ops, supervisor)
    finally:
        supervisor.stop()
        patch.undo()


def test_list_and_ready_are_those_of_bd(here: System, ops: Path) -> None:
    """UX-84."""
    for words in (("list",), ("ready",), ("list", "--tag", "ops"), ("ready", "-p", "0,3", "--limit", "2"),
                  ("list", "--status", "closed"), ("ready", "-l", "nowhere")):  # fmt: skip
        said = here.run("issues", *words, "--json")
        assert said.code == 0, said
        assert said.json == json.loads(bd(ops, *words, "--json")), words
    table = here.run("issues", "ready").out.splitlines()
    assert [line.split()[0] for line in table[1:]] == [
        row["id"] for row in json.loads(bd(ops, "ready", "--json"))
    ]


def test_show_and_tree_say_what_bd_says(here: System, ops: Path) -> None:
    said = here.run("issues", "show", "ops-2")
    assert "ops-2 is not ready: it waits for ops-3" in " ".join(said.out.split())
    assert here.run("issues", "show", "ops-2", "--json").json["blocked_by"] == ["ops-3"]
    assert here.run("issues", "dep", "tree", "ops-2").out == bd(ops, "dep", "tree", "ops-2")


def test_an_issue_lives_its_life_over_the_server(here: System, ops: Path) -> None:
    new = here.run(
        "issues", "create", "Disk is full", "-p", "0", "-t", "incident", "-l", "ops,eu", "--json"
    ).json["id"]
    assert here.run("issues", "comment", new, "db-2 only").code == 0
    assert (
        here.run("issues", "dep", "add", new, "ops-6").out == f"{new} depends on ops-6 (blocks)\n"
    )
    assert here.run("issues", "dep", "add", new, "ops-6", "--json").json["status"] == "present"
    assert (
        here.run("issues", "update", new, "--status", "in_progress", "--remove-label", "eu").code
        == 0
    )
    ring = here.run("issues", "dep", "add", "ops-6", new)
    assert ring.code == 6
    assert new in ring.err
    assert here.run("issues", "close", "ops-6", "--reason", "rotated").code == 0
    assert here.run("issues", "close", new, "--reason", "grown", as_email=DELEGATE).code == 0
    shown = json.loads(bd(ops, "show", new, "--json"))[0]
    assert (shown["status"], shown["close_reason"], shown["labels"]) == ("closed", "grown", ["ops"])
    assert shown["comments"][0]["author"] == "riley@home.example"


def test_refusals_keep_their_exit_codes(here: System, ops: Path) -> None:
    before = (ops / ".beads" / "issues.jsonl").read_bytes()
    for code, words in (
        (2, ("close", "ops-1")),
        (2, ("close", "ops-1", "--reason", " ")),
        (2, ("update", "ops-1")),
        (2, ("list", "--status", "opne")),
        (2, ("shwo", "ops-1")),
        (3, ("show", "ops-99")),
        (3, ("show", "../ops/1?x=#")),
        (6, ("dep", "add", "ops-3", "ops-2")),
    ):
        said = here.run("issues", *words)
        assert said.code == code, (words, said)
        assert said.out == ""
        assert said.err
    assert here.run("issues", "create", "No", as_email="sam@home.example").code == 4
    assert here.run("issues", "list", as_email="sam@home.example").code == 0
    assert (ops / ".beads" / "issues.jsonl").read_bytes() == before


def test_a_mission_is_about_an_issue_that_need_not_exist(here: System) -> None:
    words = (
        "mission",
        "new",
        "Normalise all phone numbers.",
        "--data",
        str(here.table("about.csv")),
    )
    said = here.run(*words, "--issue", "ops-404", "--no-wait", "--json")
    assert (said.code, said.json["issue"]) == (0, "ops-404")
    assert "ops-404" in here.run("mission", "show", said.json["id"]).out
    before = len(here.run("mission", "list", "--json").json)
    bad = here.run(*words, "--issue", "no id", "--no-wait")
    assert (bad.code, bad.out) == (2, "")
    assert "'no id' is not an issue id" in bad.err
    assert len(here.run("mission", "list", "--json").json) == before


def test_a_missing_list_is_one_sentence_with_the_way_back(here: System, ops: Path) -> None:
    away = ops.parent / "away"
    (ops / ".beads").rename(away)
    try:
        said = here.run("issues", "ready", "--json")
        assert said.code == 3
        assert "bd init" in json.loads(said.err)["error"]["hint"]
    finally:
        away.rename(ops / ".beads")
    assert here.run("issues", "ready").code == 0


def test_a_follow_up_becomes_an_issue_while_the_mission_goes_on(here: System, ops: Path) -> None:
    """The worker of a real system, and `.beads` away when it is asked for."""
    mission = here.give(here.table("accounts.csv"))
    (ops / ".beads").rename(ops.parent / "gone")
    said = here.run("mission", "followup", mission, "Ask legal", "-p", "1", "-l", "later", "--json")
    assert (said.code, said.json["status"]) == (0, "waiting")
    client = here.client()
    events = client.stream(f"/api/missions/{mission}/stream")
    assert any(e["event"] == "followup_scheduled" for e in events)
    (ops.parent / "gone").rename(ops / ".beads")
    assert any(e["event"] == "followup_opened" for e in events)
    [row] = client.get(f"/api/missions/{mission}/followups")
    [issue] = json.loads(bd(ops, "list", "-l", "later", "--json"))
    assert (row["issue_id"], issue["priority"]) == (issue["id"], 1)
    assert here.run("mission", "followup", mission, " ").code == 2
