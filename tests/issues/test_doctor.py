"""BD-1: what is missing or damaged is named, and brought back from git."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from issues.running import Bd
from issues.stories import an_issue, lines


@pytest.fixture
def committed(bd: Bd) -> Bd:
    """A repository with three issues in git."""
    bd(
        "import",
        stdin=lines(an_issue("x-1"), an_issue("x-2", labels=["ops"]), an_issue("x-3")).decode(),
    )
    bd.commit()
    return bd


def levels(bd: Bd) -> dict[str, str]:
    return {f["check"]: f["level"] for f in json.loads(bd.run("doctor", "--json").stdout)}


def test_a_sound_store_has_a_clean_bill(committed: Bd) -> None:
    assert set(levels(committed).values()) == {"ok"}
    before = committed.file.read_bytes()
    committed("doctor", "--fix")
    assert committed.file.read_bytes() == before


def test_a_missing_file_comes_back_by_init_and_by_doctor(committed: Bd) -> None:
    before = committed.file.read_bytes()
    for words in (["init"], ["doctor", "--fix"]):
        committed.file.unlink()
        assert "bd init brings it back" in committed.fails(3, "list")
        committed(*words)
        assert committed.file.read_bytes() == before
    import shutil

    shutil.rmtree(committed.file.parent)
    assert "brought back from git: " in committed("init")
    assert committed.file.read_bytes() == before


def test_an_emptied_file_comes_back(committed: Bd) -> None:
    before = committed.file.read_bytes()
    committed.file.write_bytes(b"")
    committed.fails(1, "create", "x")
    committed("doctor", "--fix")
    assert committed.file.read_bytes() == before


@pytest.mark.parametrize("how", ["torn", "garbage", "duplicate", "markers"])
def test_damage_is_repaired_without_losing_what_is_newer_than_git(committed: Bd, how: str) -> None:
    committed("comment", "x-1", "after the commit")
    data = committed.file.read_bytes()
    newer = lines(an_issue("x-2", labels=["db"], priority=0, updated_at="2026-01-01T00:00:00Z"))
    damaged = {
        "torn": data[:-30],
        "garbage": data + b"\x00\xff garbage\n",
        "duplicate": data + newer,
        "markers": b"<<<<<<< ours\n" + data + b"=======\n" + newer + b">>>>>>> theirs\n",
    }[how]
    committed.file.write_bytes(damaged)
    assert committed.run("list").returncode in (1, 6)
    assert levels(committed)["file"] == "error"
    assert committed.run("doctor").returncode == 1

    committed("doctor", "--fix")

    found = {i["id"]: i for i in committed.json("list")}
    assert set(found) == {"x-1", "x-2", "x-3"}
    assert found["x-1"]["comments"][0]["text"] == "after the commit"
    if how in ("duplicate", "markers"):
        assert (found["x-2"]["priority"], sorted(found["x-2"]["labels"])) == (0, ["db", "ops"])
    (kept,) = committed.file.parent.glob("issues.jsonl.damaged-*")
    assert kept.read_bytes() == damaged
    assert levels(committed)["file"] == "ok"


def test_doctor_says_what_is_odd_and_fixes_what_it_can(committed: Bd) -> None:
    odd = lines(
        an_issue("x-1", closed_at="2025-10-16T12:00:00Z"),
        an_issue("x-2", on=[("blocks", "x-gone")], status="weird"),
        {k: v for k, v in an_issue("x-3", status="closed").items() if k != "closed_at"},
    )
    committed.file.write_bytes(odd)
    (committed.folder / ".gitattributes").unlink()
    found = levels(committed)
    assert {k: found[k] for k in ("closing", "links", "words", "merging")} == dict.fromkeys(
        ("closing", "links", "words", "merging"), "warning"
    )
    committed("doctor", "--fix")
    found = levels(committed)
    assert (found["closing"], found["merging"], found["links"]) == ("ok", "ok", "warning")
    by_id = {i["id"]: i for i in committed.json("list")}
    assert "closed_at" not in by_id["x-1"]
    assert by_id["x-3"]["closed_at"] == "2025-10-16T12:00:00Z"


def test_an_issue_lost_from_the_file_is_restored_from_history(committed: Bd) -> None:
    rows = committed.file.read_bytes().splitlines(keepends=True)
    committed.file.write_bytes(rows[0] + rows[2])
    committed.commit()
    committed.fails(3, "show", "x-2")
    committed("restore", "x-2")
    assert committed.json("show", "x-2")[0]["labels"] == ["ops"]
    assert committed.json("history", "x-2")[-1]["event"] == "restored"
    committed("comment", "x-2", "and the trail is not voided")
    assert [e["event"] for e in committed.json("history", "x-2")] == ["restored", "commented"]


def test_the_whole_file_is_restored_and_the_present_one_kept(committed: Bd) -> None:
    before = committed.file.read_bytes()
    committed("close", "x-1", "x-2", "x-3")
    changed = committed.file.read_bytes()
    committed("restore", "--from", "HEAD")
    assert committed.file.read_bytes() == before
    (kept,) = committed.file.parent.glob("issues.jsonl.before-restore-*")
    assert kept.read_bytes() == changed


def test_a_broken_setting_is_named_by_its_file(bd: Bd) -> None:
    Path(bd.file.parent / "config.json").write_text("{oops")
    assert "config.json is not JSON" in bd.fails(1, "create", "x")


def test_init_sets_up_git_once_and_keeps_what_was_there(bd: Bd) -> None:
    attributes = bd.folder / ".gitattributes"
    attributes.write_text("*.png binary\n" + attributes.read_text())
    before = (attributes.read_text(), (bd.folder / ".git/config").read_text())
    bd("init")
    assert (attributes.read_text(), (bd.folder / ".git/config").read_text()) == before
    assert bd.git("config", "merge.beads.driver").strip() == "bd merge %A %O %A %B"
    bd("create", "x")
    assert bd.git("status", "--porcelain", "-uall").split() == [
        "??", ".beads/.gitignore", "??", ".beads/config.json", "??", ".beads/events.jsonl", "??", ".beads/issues.jsonl", "??", ".gitattributes",
    ]  # fmt: skip
