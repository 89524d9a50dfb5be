"""Missions from plain words to undone, typed as a person types them, against a real system."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import signal

from aicp.cli import progress
from cli.system import DELEGATE, PHONES, TABLE, WIN_BACK, System, kill_server, typed


def test_a_mission_flies_from_words_to_undone_and_every_hint_works_as_typed(system: System):
    table = system.table("flight.csv")
    calendar = system.files / "calendar.ics"
    calendar.write_bytes(
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nEND:VCALENDAR\r\n"
    )
    before = calendar.read_bytes()
    said = system.run(
        "mission", "new", WIN_BACK, "--data", str(table), "--smtp", system.smtp, "--calendar", str(calendar),
        "--sender", "Riley <riley@ourside.example>", "--mail-folder", str(system.files / "mail"),
        "--delivered", str(system.inbox),
    )  # fmt: skip
    assert said.code == 0, said
    assert "“Win back" in said.out
    assert "High" in said.out
    mission = said.out.split()[0]
    hints = [_hint(said.err)]

    for part in ("mission ack", "--as gabriela@home.example mission ack"):
        assert hints[-1] == f"aicp --data-dir {system.data} {part} {mission}"
        said = _type(hints[-1])
        hints.append(_hint(said.err))

    said = system.run("mission", "prepare", mission[:8])
    assert "Coverage  100 %" in said.out
    assert "table:read" in said.out

    said = system.run("mission", "plan", mission)
    assert "rehearsed  exact" in said.out
    said = system.run("mission", "plan", mission, "--select", "1")
    assert "T3 held" in said.out
    digest = re.search(r"digest  ([0-9a-f]{64})", said.out)[1]
    assert _hint(said.err) == f"aicp --data-dir {system.data} mission approve {mission}"

    sheet = system.run("mission", "approve", mission)
    assert sheet.code == 5
    assert digest in sheet.out
    assert "kim@acme.example" in sheet.out
    assert "joe@cogs.example" not in sheet.out  # on the do-not-contact list
    calls = system.run("mission", "approve", mission, "--calls")
    assert calls.code == 0
    assert "to  kim@acme.example" in calls.out
    assert "body  " in calls.out
    approve = re.search(r"then: (.+)$", sheet.err, re.MULTILINE)[1]
    assert _type(approve).code == 0

    watched = system.run("mission", "watch", mission)
    assert watched.code == 0
    assert "mail.schedule" in watched.out
    assert "gate ok" in watched.out
    assert "held and can still be taken back" in watched.err
    assert calendar.read_bytes() != before
    assert list((system.files / "mail").rglob("*.eml"))

    undone = system.run("mission", "undo", mission, "--reason", "only a test")
    assert undone.code == 0, undone
    assert "everything is taken back" in undone.err
    assert "restored" in undone.out
    assert "conflict" not in undone.out
    assert table.read_text() == TABLE
    assert calendar.read_bytes() == before
    assert not list((system.files / "mail").rglob("*.eml"))
    assert not list(system.inbox.glob("new/*"))
    assert system.run("mission", "evidence", mission, "--verify").code == 0
    assert system.run("mission", "feedback", mission, "--rating", "4", "--hours", "2.5").code == 0
    shown = system.run("mission", "show", mission, "--json").json
    assert shown["feedback"][0]["hours"] == 2.5
    assert system.run("mission", "show", mission).code == 0


def test_words_come_from_standard_input_and_paths_from_the_folder_one_stands_in(
    system: System, monkeypatch
):
    import io

    system.table("here.csv")
    monkeypatch.chdir(system.files)
    monkeypatch.setattr("sys.stdin", io.StringIO(PHONES))
    said = system.run("mission", "new", "-", "--data", "here.csv", "--json")
    assert said.code == 0, said
    assert said.json["intent"] == PHONES
    assert said.json["connections"][0]["account"] == "here.csv"


def test_a_mission_whose_table_is_missing_is_blocked_with_exit_5_and_a_way_on(system: System):
    said = system.run("mission", "new", PHONES, "--data", str(system.files / "none.csv"))
    assert said.code == 5
    assert "none.csv" in said.err
    mission = said.out.split()[0]
    assert _hint(said.err) == f"aicp --data-dir {system.data} mission resume {mission}"
    system.table("none.csv")
    assert _type(_hint(said.err)).code == 0
    assert system.run("mission", "watch", mission).code == 0
    assert system.run("mission", "brief", mission, "--json").json["chips"]


def test_no_wait_returns_at_once_and_prints_the_id(system: System):
    said = system.run(
        "mission", "new", PHONES, "--data", str(system.table("quick.csv")), "--no-wait"
    )
    assert said.code == 0
    assert re.fullmatch(r"m-[0-9a-z]{10}\n", said.out)
    assert _type(_hint(said.err)).code == 0


def test_the_second_acknowledgement_by_the_same_person_is_exit_9(system: System):
    mission = system.give(system.table("twice.csv"))
    assert system.run("mission", "ack", mission).code == 0
    said = system.run("mission", "ack", mission)
    assert said.code == 9
    assert "another person" in said.err


def test_a_chip_in_other_words_voids_the_acknowledgements(system: System):
    mission = system.give(system.table("words.csv"))
    system.run("mission", "ack", mission)
    said = system.run(
        "mission", "brief", mission, "--set", "audience=accounts where country is DE", "--json"
    )
    assert said.code == 0, said
    assert said.json["acknowledgements"] == []
    assert next(c for c in said.json["chips"] if c["id"] == "audience")["source"] == "user"
    assert system.run("mission", "brief", mission, "--set", "audience").code == 2
    assert system.run("mission", "brief", mission, "--accept", "nothing").code == 2


def test_a_wrong_digest_is_exit_5_and_approves_nothing(system: System, waiting):
    mission, _ = waiting
    assert system.run("mission", "approve", mission, "--digest", "0" * 16).code == 5
    assert system.run("mission", "run", mission).code == 5
    sheet = system.run("mission", "show", mission, "--json").json["approval"]
    assert (sheet["approval"]["status"], sheet["approval"]["decisions"]) == ("requested", [])


def test_without_a_terminal_the_sheet_is_data_and_the_way_to_approve_is_said(
    system: System, waiting
):
    mission, digest = waiting
    said = system.run("mission", "approve", mission, "--json")
    assert said.code == 5
    assert said.json["approval"]["digest"] == digest
    assert digest[:16] in json.loads(said.err)["error"]["hint"]


def test_on_a_terminal_the_digest_is_typed(system: System, start):
    mission = system.give(system.table("typed.csv"))
    digest = system.choose(mission)
    for typed_digits, code in (("ffffffff", 5), (digest[:8], 0)):
        ours, theirs = pty.openpty()
        process = start("mission", "approve", mission, stdin=theirs, stderr=theirs)
        os.write(ours, f"{typed_digits}\n".encode())
        out, _ = process.communicate(timeout=30)
        for end in (ours, theirs):
            os.close(end)
        assert digest in out
        assert process.returncode == code
        sheet = system.run("mission", "show", mission, "--json").json["approval"]["approval"]
        assert len(sheet["decisions"]) == (code == 0)


def test_an_approval_is_used_once(system: System, flown):
    digest = system.run("mission", "show", flown, "--json").json["approval"]["approval"]["digest"]
    said = system.run("mission", "approve", flown, "--digest", digest)
    assert said.code == 5
    assert "replayed" in said.err


def test_a_rejection_needs_its_reason_and_goes_back_to_plan(system: System):
    mission = system.give(system.table("rejected.csv"))
    system.choose(mission)
    assert system.run("mission", "reject", mission).code == 2
    assert system.run("mission", "reject", mission, "--reason", "not this week").code == 0
    assert system.run("mission", "show", mission, "--json").json["stage"] == "Plan"


def test_an_undo_stops_at_somebody_elses_edit_with_exit_6_and_shows_the_difference(system: System):
    table = system.table("edited.csv")
    mission = system.give(table)
    system.fly(mission)
    text = table.read_text()
    row = next(r for r in csv.DictReader(text.splitlines()) if r["id"] == "A-2")
    table.write_text(text.replace(row["phone"], "+4930555555"))
    said = system.run("mission", "undo", mission)
    assert said.code == 6
    assert "conflict" in said.out
    assert "+4930555555" in said.out
    assert "+4930555555" in table.read_text()


def test_damaged_evidence_is_exit_1_and_names_file_and_bytes(system: System, flown):
    assert system.run("evidence", "verify", flown).code == 0
    bundle = system.run("mission", "evidence", flown, "--json").json[0]
    calls = next(a for a in bundle["artifacts"] if a["name"] == "calls.jsonl")
    stored = next(p for p in (system.data / "evidence").rglob("*") if calls["sha256"] in p.name)
    good = stored.read_bytes()
    mode = stored.stat().st_mode
    stored.chmod(0o600)
    try:
        stored.write_bytes(good[:1100] + bytes([good[1100] ^ 1]) + good[1101:])
        said = system.run("evidence", "verify", flown)
        assert said.code == 1
        assert "calls.jsonl: bytes 1024-2047" in said.out
        assert system.run("mission", "evidence", flown, "--verify").code == 1
    finally:
        stored.write_bytes(good)
        stored.chmod(mode)


def test_every_read_speaks_json(system: System, flown):
    for words in (
        ("mission", "list"), ("mission", "show", flown), ("mission", "brief", flown),
        ("mission", "prepare", flown), ("mission", "plan", flown), ("mission", "evidence", flown),
        ("mission", "evidence", flown, "--verify"), ("evidence", "verify", flown), ("status",),
        ("people", "list"), ("doctor",), ("login",),
    ):  # fmt: skip
        said = system.run(*words, "--json")
        assert said.code == 0, (words, said)
        assert said.json, words
    events = [
        json.loads(line)
        for line in system.run("mission", "watch", flown, "--json").out.splitlines()
    ]
    steps = [e["context"]["action_id"] for e in events if e["event"] == "execution_step_completed"]
    assert steps == sorted(steps)
    assert len(steps) == 5
    later = system.run("mission", "watch", flown, "--from", str(events[-2]["id"]), "--json").out
    assert [json.loads(line) for line in later.splitlines()] == events[-1:]


def test_following_survives_the_death_of_the_server_and_tells_nothing_twice(system: System):
    mission = system.give(system.table("followed.csv"))
    told: list[int] = []

    def tell(event):
        told.append(event["id"])
        if len(told) == 2:
            kill_server(system)

    def heard_again(document) -> bool:
        if document["brief"]["version"] == 1 and len(told) > 2:
            system.client().put(f"/api/missions/{mission}/brief/audience", {"text": None})
        return document["brief"]["version"] > 1

    lost: list[str] = []
    progress.follow(system.client(), mission, tell, until=heard_again, notice=lost.append)
    events = system.client().get(f"/api/missions/{mission}/events")
    assert told == [event["id"] for event in events][: len(told)]
    assert len(told) >= len(events) - 1
    assert lost


def test_ctrl_c_leaves_the_mission_alone_and_says_how_to_come_back(system: System, start):
    process = start("mission", "new", PHONES, "--data", str(system.table("left.csv")))
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, first + err
    back = _hint(err)
    assert "mission watch m-" in back
    assert _type(back).code == 0


def test_the_delegates_turn_is_said_by_name_when_no_token_of_theirs_is_here(
    system: System, tmp_path, monkeypatch
):
    mission = system.give(system.table("far.csv"))
    place = system.client().place
    monkeypatch.setenv("AICP_URL", place.url)
    monkeypatch.setenv("AICP_TOKEN", place.token)
    said = typed("--data-dir", str(tmp_path), "mission", "ack", mission)
    assert said.code == 0
    assert "Gabriela Ortiz, the governance" in said.err
    assert DELEGATE not in said.err


def _hint(err: str) -> str:
    return re.findall(r"^next: (.+)$", err, re.MULTILINE)[-1]


def _type(line: str):
    import shlex

    words = shlex.split(line)
    assert words[0] == "aicp"
    return typed(*words[1:])
