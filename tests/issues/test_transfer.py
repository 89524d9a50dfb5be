"""Export and import lose nothing, and take nothing back that is newer here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aicp.issues import transfer
from aicp.issues.book import Book
from issues.running import Bd
from issues.stories import an_issue, graphs, lines

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def take_in(folder: Path, data: bytes) -> Book:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "issues.jsonl").touch()
    book = Book(str(folder / "issues.jsonl"))
    incoming = transfer.read("test", data)
    book.store.commit(lambda s: transfer.change(transfer.plan(s, data, incoming), by="ann", at=1))
    return book


@settings(max_examples=60, deadline=None)
@given(
    graphs(),
    st.dictionaries(st.text(min_size=1).map(lambda key: f"x_{key}"), JSON, max_size=3),
    st.booleans(),
)
def test_export_import_export_is_identical(
    tmp_path_factory: Any, values: list[dict[str, Any]], unknown: dict[str, Any], plain_json: bool
) -> None:
    folder = tmp_path_factory.mktemp("t")
    values[0].update(unknown)
    write = (lambda v: json.dumps(v).encode() + b"\n") if plain_json else lines
    first = take_in(folder / "a", b"".join(map(write, values)))
    exported = transfer.export(first.snapshot())
    second = take_in(folder / "b", exported)
    assert transfer.export(second.snapshot()) == exported
    assert sorted(exported.splitlines()) == sorted(b"".join(map(write, values)).splitlines())


def test_an_older_import_never_takes_a_change_back(bd: Bd) -> None:
    one = bd("create", "one", "--silent").strip()
    old = bd("export")
    bd("comment", one, "kept")
    bd("close", one, "-r", "done")
    assert bd.json("import", stdin=old) == {
        "created": 0, "updated": 0, "unchanged": 0, "skipped": 1, "skipped_ids": [one], "ignored_lines": 0,
    }  # fmt: skip
    assert bd.json("show", one)[0]["status"] == "closed"
    assert "bd: " not in bd.run("import", "--force", stdin=old).stderr
    assert bd.json("show", one)[0]["status"] == "open"


def test_a_newer_import_wins_and_keeps_what_only_this_side_has(bd: Bd) -> None:
    bd("import", stdin=lines(an_issue("x-1", labels=["here"])).decode())
    bd(
        "import",
        stdin=lines(
            an_issue("x-1", title="New", labels=["there"], updated_at="2026-01-01T00:00:00Z")
        ).decode(),
    )
    found = bd.json("show", "x-1")[0]
    assert (found["title"], sorted(found["labels"])) == ("New", ["here", "there"])


def test_an_import_with_one_bad_line_takes_in_nothing(bd: Bd) -> None:
    assert "line 2" in bd.fails(1, "import", stdin=lines(an_issue("x-1")).decode() + "oops\n")
    assert bd.json("list") == []
    other = an_issue("x-1", created_at="2025-01-01T00:00:00Z", updated_at="2026-01-01T00:00:00Z")
    bd("import", stdin=lines(an_issue("x-1")).decode())
    assert "two issues have one id" in bd.fails(
        6, "import", stdin=lines(an_issue("y-1"), other).decode()
    )
    assert [i["id"] for i in bd.json("list")] == ["x-1"]
    assert bd.json("import", "--dry-run", stdin=lines(an_issue("z-1")).decode())["created"] == 1
    assert [i["id"] for i in bd.json("list")] == ["x-1"]


def test_a_compatible_export_has_only_what_every_reader_takes(bd: Bd) -> None:
    bd("create", "SEV1", "-t", "incident", "-p", "0", "-l", "sev1")
    stored = json.loads(bd.file.read_text())
    row = json.loads(bd("export", "--compat"))
    assert (row["issue_type"], row["labels"], row["priority"]) == (
        "bug",
        ["sev1", "type:incident"],
        0,
    )
    assert json.loads(bd("export")) == stored


def test_ten_thousand_issues_come_in_at_once(tmp_path: Path) -> None:
    data = lines(
        *(
            an_issue(f"x-{n:05}", on=[("blocks", f"x-{n // 2:05}")] if n else [])
            for n in range(10_000)
        )
    )
    book = take_in(tmp_path, data)
    assert len(book.snapshot().graph.ready()) == 1
    assert transfer.export(book.snapshot()) == data
