"""`bd delete` and `bd restore`: a tombstone that nobody is shown, and the issue as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from issues.running import Bd


@pytest.fixture
def ops(bd: Bd) -> Bd:
    """op-2 waits for op-1, which has a comment; op-3 is closed; nothing is committed."""
    for number, title in enumerate(("Mend <it>", "Ship it", "Old"), 1):
        bd("create", title, "--id", f"op-{number}", "-l", "ops")
    bd("dep", "add", "op-2", "op-1")
    bd("comment", "op-1", "since noon")
    bd("close", "op-3", "--reason", "done")
    return bd


def lines(bd: Bd) -> dict[str, dict[str, Any]]:
    return {v["id"]: v for v in map(json.loads, bd.file.read_text().splitlines())}


def as_before(one: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key != "updated_at"}


@pytest.mark.parametrize("issue", ["op-2", "op-3"])
def test_a_deleted_issue_is_nowhere_and_comes_back_as_it_was(ops: Bd, issue: str) -> None:
    before = lines(ops)
    said = ops.run("delete", issue, "--reason", "by mistake")
    assert said.stdout == f"deleted {issue}: {before[issue]['title']}\n"
    assert f"bd restore {issue}" in said.stderr
    for words in (("list",), ("ready",), ("blocked",), ("search", "it"), ("list", "--all")):
        assert issue not in [one["id"] for one in ops.json(*words)]
    assert "was deleted" in ops.fails(3, "show", issue)
    assert "was deleted" in ops.fails(3, "delete", issue)
    assert issue in ops.fails(6, "create", "Another", "--id", issue)
    assert ops.json("stats")["total_issues"] == 2
    assert ops.run("doctor").returncode == 0
    assert "closed_at does not agree" not in ops("doctor")
    stone = lines(ops)[issue]
    assert (stone["status"], stone["deleted_by"], stone["delete_reason"]) == ("tombstone", "ann", "by mistake")  # fmt: skip
    assert ops("restore", issue) == f"restored {issue}: {before[issue]['title']}\n"
    after = lines(ops)
    assert as_before(after[issue]) == as_before(before[issue])
    assert list(after[issue]) == list(before[issue])
    told = [(e["event"], e.get("reason")) for e in ops.json("history", issue)]
    assert told[-2:] == [("deleted", "by mistake"), ("restored", None)]


def test_what_others_depend_on_goes_only_by_force_and_blocks_nothing_then(ops: Bd) -> None:
    before = ops.file.read_bytes()
    refused = ops.fails(6, "delete", "op-1", "op-3")
    assert "op-1 is depended on by op-2 (blocks)" in refused
    assert "bd dep remove op-2 op-1" in refused
    assert ops.file.read_bytes() == before
    error = json.loads(ops.fails(6, "delete", "op-1", "--json"))
    assert error["facts"]["dependents"] == ["op-2"]
    [gone] = ops.json("delete", "op-1", "--force")
    assert (gone["id"], gone["status"]) == ("op-1", "tombstone")
    assert [one["id"] for one in ops.json("ready")] == ["op-2"]
    ops("restore", "op-1")
    assert [one["id"] for one in ops.json("ready")] == ["op-1"]
    assert [said["text"] for said in ops.json("comments", "op-1")] == ["since noon"]


def test_issues_that_depend_only_on_each_other_go_together(ops: Bd) -> None:
    assert [one["id"] for one in ops.json("delete", "op-1", "op-2")] == ["op-1", "op-2"]
    assert [one["id"] for one in ops.json("list")] == ["op-3"]
    ops("restore", "op-2", "op-1")
    assert ops.json("blocked")[0]["blocked_by"] == ["op-1"]


def test_all_are_deleted_or_none(ops: Bd) -> None:
    before = ops.file.read_bytes()
    ops.fails(3, "delete", "op-2", "op-404")
    ops.fails(2, "delete")
    assert ops.file.read_bytes() == before


def test_a_commit_of_git_is_restored_when_it_is_named(ops: Bd) -> None:
    ops.commit()
    ops("update", "op-2", "--title", "Ship it all")
    ops("delete", "op-2")
    ops("restore", "op-2", "--from", "HEAD")
    assert ops.json("show", "op-2")[0]["title"] == "Ship it"


@pytest.mark.parametrize(("reason", "status"), [("", "open"), ("was done", "closed")])
def test_a_tombstone_of_another_tool_comes_back_too(ops: Bd, reason: str, status: str) -> None:
    value = lines(ops)["op-2"] | {
        "status": "tombstone", "deleted_at": "2025-11-01T00:00:00Z", "closed_at": "2025-11-01T00:00:00Z",
        "close_reason": reason,
    }  # fmt: skip
    rest = [line for line in ops.file.read_text().splitlines() if '"op-2"' not in line[:20]]
    ops.file.write_text("\n".join(sorted([*rest, json.dumps(value)])) + "\n")
    ops("restore", "op-2")
    [back] = ops.json("show", "op-2")
    assert (back["status"], bool(back.get("closed_at"))) == (status, status == "closed")
    assert "deleted_at" not in back


def test_the_original_tool_is_given_no_tombstone_and_no_dependency_on_one(ops: Bd) -> None:
    ops("delete", "op-1", "--force")
    told = [json.loads(line) for line in ops("export", "--compat").splitlines()]
    assert [one["id"] for one in told] == ["op-2", "op-3"]
    assert "dependencies" not in told[0]
    assert "op-1" in {json.loads(line)["id"] for line in ops("export").splitlines()}


def test_git_merges_a_deletion_with_a_change_and_with_another_deletion(
    ops: Bd, a_repository: Callable[[str], Bd]
) -> None:
    ops.commit()
    ops.git("checkout", "-qb", "side")
    ops("delete", "op-2", "--reason", "theirs")
    ops("update", "op-3", "--priority", "1")
    ops("delete", "op-3", "--reason", "too old")
    ops.commit()
    ops.git("checkout", "-q", "main")
    ops("comment", "op-2", "still here")
    ops("delete", "op-3", "--reason", "also too old")
    ops.commit()
    ops.git("merge", "-q", "--no-edit", "side")
    assert [one["id"] for one in ops.json("list")] == ["op-1"]
    merged = lines(ops)
    assert merged["op-3"]["delete_reason"] == "too old"
    ops("restore", "op-2", "op-3")
    assert [said["text"] for said in ops.json("comments", "op-2")] == ["still here"]
    assert ops.json("show", "op-3")[0]["close_reason"] == "done"


def test_completion_offers_what_can_be_restored(ops: Bd) -> None:
    ops("delete", "op-2")
    assert ops("completion", "bash", "--", "restore", "") == "op-2\n"
    assert "op-2" not in ops("completion", "bash", "--", "delete", "").split()
