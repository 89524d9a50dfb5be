"""Three-way merge: nothing that only one side changed is lost, whatever the two sides did."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aicp.issues.jsontext import dumps
from aicp.issues.lines import parse
from aicp.issues.merge import merge_files
from issues.running import Bd
from issues.stories import an_issue, lines

TIMES = st.integers(10, 28).map(lambda day: f"2025-10-{day}T00:00:00.123456789Z")
SCALARS = {
    "title": st.sampled_from(["A", "B", "C"]),
    "description": st.sampled_from(["", "long", "<longer> & “ü”"]),
    "priority": st.integers(0, 4),
    "assignee": st.sampled_from(["ann", "bob", None]),
    "external_ref": st.sampled_from(["gh-1", "gh-2", None]),
    "x_unknown": st.sampled_from([1, 1.5, {"deep": [None]}, None]),
    "metadata": st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), min_size=1),
}
LISTS = {
    "labels": st.lists(st.sampled_from(["ops", "sev1", "web"]), unique=True).map(sorted),
    "comments": st.lists(st.integers(1, 5), unique=True).map(
        lambda ids: [
            {"id": n, "author": "ann", "text": f"t{n}", "created_at": f"2025-10-1{n}T00:00:00Z"}
            for n in sorted(ids)
        ]
    ),
    "dependencies": st.lists(st.integers(1, 4), unique=True).map(
        lambda ids: [
            {"issue_id": "x-1", "depends_on_id": f"y-{n}", "type": "blocks"} for n in sorted(ids)
        ]
    ),
}
STATUS = st.sampled_from(["open", "in_progress", "closed"])


@st.composite
def versions(draw: st.DrawFn) -> dict[str, Any]:
    value = an_issue("x-1", status=draw(STATUS), updated_at=draw(TIMES))
    for key, values in {**SCALARS, **LISTS}.items():
        value[key] = draw(values)
    return {key: v for key, v in value.items() if v not in (None, [])}


def one(data: bytes) -> dict[str, Any]:
    return json.loads(data.decode().splitlines()[0])


@given(versions(), versions(), versions())
def test_no_edit_of_either_side_is_lost(
    base: dict[str, Any], left: dict[str, Any], right: dict[str, Any]
) -> None:
    merged = merge_files(lines(base), lines(left), lines(right))
    blocks = [json.loads(row) for row in merged.data.decode().splitlines() if row.startswith("{")]
    shown = [blocks[0], blocks[-1]]  # the same issue twice when there are conflicts

    for key in SCALARS:
        was, mine, other = base.get(key), left.get(key), right.get(key)
        if mine in (was, other):
            assert all(v.get(key) == other for v in shown), key
        elif other == was:
            assert all(v.get(key) == mine for v in shown), key
        elif key != "metadata":
            assert [v.get(key) for v in shown] == [mine, other], (
                "both versions of a conflict are shown"
            )
            assert f"x-1: both sides changed {key}" in merged.conflicts
    names = {
        "labels": lambda x: x,
        "comments": lambda x: x["id"],
        "dependencies": lambda x: x["depends_on_id"],
    }
    for key, name in names.items():
        was, mine, other = ({name(x) for x in v.get(key, [])} for v in (base, left, right))
        wanted = (mine & other) | ((mine | other) - was)
        assert all({name(x) for x in v.get(key, [])} == wanted for v in shown), key
    stamps = [left["updated_at"], right["updated_at"]]
    if merged.conflicts:
        assert [v["updated_at"] for v in shown] == stamps, "a conflict shows which version is newer"
    elif base["updated_at"] not in stamps:
        assert shown[0]["updated_at"] == max(stamps)
    assert all((v["status"] == "closed") == ("closed_at" in v) for v in shown)
    assert bool(merged.conflicts) == (len(blocks) == 2)
    if not merged.conflicts:
        assert not parse(merged.data).problems


@given(versions(), versions())
def test_merging_with_an_unchanged_side_gives_the_other_side_byte_for_byte(
    base: dict[str, Any], left: dict[str, Any]
) -> None:
    assert merge_files(lines(base), lines(left), lines(base)).data == lines(left)
    assert merge_files(lines(base), lines(base), lines(left)).data == lines(left)
    assert merge_files(lines(base), lines(left), lines(left)).data == lines(left)


@given(
    st.lists(st.tuples(st.sampled_from("blr"), st.sampled_from(["a-1", "b-2", "c-3"])), max_size=9)
)
def test_an_issue_added_on_either_side_is_there_and_one_deleted_is_gone(
    present: list[tuple[str, str]],
) -> None:
    sides = {side: {i for s, i in present if s == side} for side in "blr"}
    files = [lines(*(an_issue(i) for i in sorted(sides[s]))) for s in "blr"]
    merged = merge_files(*files)
    wanted = (sides["l"] & sides["r"]) | ((sides["l"] | sides["r"]) - sides["b"])
    assert merged.data == lines(*(an_issue(i) for i in sorted(wanted)))


def test_the_further_status_wins_with_its_reason_and_a_missing_priority_stays_p0() -> None:
    base = an_issue("x-1")
    del base["priority"]
    left = {**base, "status": "in_progress", "assignee": "ann"}
    right = {
        **base,
        "status": "closed",
        "closed_at": "2025-10-20T00:00:00Z",
        "close_reason": "done",
    }
    merged = one(merge_files(lines(base), lines(left), lines(right)).data)
    assert (merged["status"], merged["close_reason"], merged["assignee"]) == (
        "closed",
        "done",
        "ann",
    )
    assert "priority" not in merged


def test_both_closing_reasons_are_kept() -> None:
    base = an_issue("x-1")
    sides = [
        {**base, "status": "closed", "closed_at": f"2025-10-2{n}T00:00:00Z", "close_reason": r}
        for n, r in enumerate(["mitigated", "fixed"])
    ]
    merged = one(merge_files(lines(base), *(lines(s) for s in sides)).data)
    assert (merged["close_reason"], merged["closed_at"]) == (
        "mitigated | fixed",
        "2025-10-21T00:00:00Z",
    )


def test_a_change_beats_a_deletion_and_foreign_lines_are_merged_too() -> None:
    base, changed = an_issue("x-1"), an_issue("x-1", priority=0)
    memory = b'{"_type":"memory","key":"k","value":"v"}\n'
    merged = merge_files(lines(base), b"", lines(changed) + memory)
    assert merged.data == lines(changed) + memory


def test_two_different_issues_with_one_id_are_shown_not_mixed() -> None:
    mine, other = (
        an_issue("x-1", title="mine"),
        an_issue("x-1", title="other", created_at="2025-10-17T00:00:00Z"),
    )
    merged = merge_files(b"", lines(mine), lines(other))
    assert merged.conflicts == ["x-1: both sides changed id"]
    assert (
        merged.data
        == b"<<<<<<< ours\n" + lines(mine) + b"=======\n" + lines(other) + b">>>>>>> theirs\n"
    )


def clone(a_repository: Callable[[str], Bd], origin: Bd, name: str) -> Bd:
    copy = a_repository(name)
    copy.git("pull", "-q", str(origin.folder), "main")
    copy("init")
    return copy


def test_git_merges_two_clones_field_by_field(a_repository: Callable[[str], Bd]) -> None:
    ann = a_repository("ann")
    ann("init", "--prefix", "ops")
    shared = ann("create", "shared", "--silent").strip()
    ann.commit()
    bob = clone(a_repository, ann, "bob")

    ann("update", shared, "-p", "0", "--tag", "sev1")
    ann("comment", shared, "from ann")
    mine = ann("create", "of ann", "--silent").strip()
    ann.commit()
    bob("comment", shared, "from bob")
    bob("update", shared, "--status", "in_progress", "--assignee", "bob", "--tag", "ops")
    theirs = bob("create", "of bob", "--deps", f"related:{shared}", "--silent").strip()
    bob.commit()
    bob.git("pull", "-q", "--no-rebase", "--no-edit", str(ann.folder), "main")

    found = {i["id"]: i for i in bob.json("list")}
    assert set(found) == {shared, mine, theirs}
    merged = found[shared]
    assert (merged["priority"], merged["status"], merged["assignee"]) == (0, "in_progress", "bob")
    assert merged["labels"] == ["ops", "sev1"]
    assert [c["text"] for c in merged["comments"]] == ["from ann", "from bob"]
    assert {e["issue"] for e in bob.json("history") if e["event"] == "created"} == {
        shared,
        mine,
        theirs,
    }
    assert not [e for e in bob.json("history") if e["event"] == "voided"]
    bob("comment", shared, "after the merge")
    assert not [e for e in bob.json("history") if e["event"] == "voided"]


def test_a_conflict_in_git_is_shown_named_and_mended(a_repository: Callable[[str], Bd]) -> None:
    ann = a_repository("ann")
    ann("init", "--prefix", "ops")
    shared = ann("create", "shared", "--silent").strip()
    ann.commit()
    bob = clone(a_repository, ann, "bob")
    ann("update", shared, "--title", "of ann", "--tag", "a")
    ann.commit()
    bob("update", shared, "--title", "of bob", "--tag", "b")
    bob.commit()

    done = bob.run("version")
    assert done.returncode == 0
    import subprocess

    pull = subprocess.run(
        ["git", "pull", "-q", "--no-rebase", "--no-edit", str(ann.folder), "main"],
        cwd=bob.folder,
        env=bob.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert pull.returncode == 1
    assert f"{shared}: both sides changed title" in pull.stderr
    assert "conflict markers: line 1" in bob.fails(6, "list")
    assert "line 1" in bob.fails(6, "create", "new")

    bob("doctor", "--fix")
    mended = bob.json("show", shared)[0]
    assert (mended["title"], mended["labels"]) == ("of bob", ["a", "b"]), (
        "the newest title, and everybody's labels"
    )
    assert len(list(bob.file.parent.glob("issues.jsonl.damaged-*"))) == 1


def test_the_merge_command_says_0_for_merged_and_1_for_a_conflict(bd: Bd) -> None:
    for name, title in (("base", "T"), ("ours", "U"), ("theirs", "T")):
        (bd.folder / name).write_text(dumps(an_issue("x-1", title=title)) + "\n")
    bd("merge", "out", "base", "ours", "theirs")
    assert json.loads((bd.folder / "out").read_text())["title"] == "U"
    (bd.folder / "theirs").write_text(dumps(an_issue("x-1", title="V")) + "\n")
    assert "both sides changed title" in bd.fails(1, "merge", "out", "base", "ours", "theirs")
    (bd.folder / "theirs").write_text("not an issue\n")
    assert "merged line by line instead" in bd.fails(1, "merge", "out", "base", "ours", "theirs")
    assert "not an issue" in (bd.folder / "out").read_text()
