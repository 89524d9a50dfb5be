"""BD-2: the file on disk survives races, deaths and other people's bytes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aicp.issues.book import Book
from aicp.issues.errors import Conflict, Damaged, IssueError, NotFound, TimedOut
from aicp.issues.graph import Graph
from aicp.issues.init import init
from aicp.issues.jsontext import loads
from aicp.issues.lines import parse
from aicp.issues.store import Change, Store
from issues.running import Bd
from issues.stories import an_issue, lines


def a_book(folder: Path, data: bytes = b"") -> Book:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "issues.jsonl").write_bytes(data)
    return Book(str(folder / "issues.jsonl"))


def values(book: Book) -> dict[str, Any]:
    """The graph as the file has it, read without any cache."""
    parsed = parse(Path(book.store.path).read_bytes())
    assert not parsed.problems
    rows = Path(book.store.path).read_bytes().splitlines()  # a text's would also break at U+0085
    return {row["id"]: row for row in map(json.loads, rows)}


IDS = [f"x-{n}" for n in range(6)]
ONE = st.sampled_from(IDS)
OPERATIONS = st.one_of(
    st.tuples(st.just("create"), ONE, st.integers(0, 4)),
    st.tuples(st.just("priority"), ONE, st.integers(0, 4)),
    st.tuples(st.just("close"), ONE, st.sampled_from(["", "done", "<b> & “ü”"])),
    st.tuples(st.just("reopen"), ONE, st.just("")),
    st.tuples(st.just("comment"), ONE, st.text(min_size=1, max_size=20)),
    st.tuples(st.just("label"), ONE, st.sampled_from(["ops", "sev1"])),
    st.tuples(st.just("link"), ONE, ONE),
)


def perform(book: Book, operation: tuple[str, str, Any]) -> str:
    """One write; what it was refused with, or ""."""
    verb, one, value = operation
    try:
        match verb:
            case "create":
                book.create(f"Title {one}", issue_id=one, priority=value, by="ann")
            case "priority":
                book.update([one], {"priority": value}, by="ann")
            case "close":
                book.close([one], value, by="ann")
            case "reopen":
                book.reopen([one], by="ann")
            case "comment":
                book.comment(one, value, by="ann")
            case "label":
                book.update([one], add=[value], by="ann")
            case _:
                book.link(one, value, by="ann")
    except IssueError as error:
        return error.code
    return ""


def apply(model: dict[str, Any], operation: tuple[str, str, Any]) -> None:
    """What an accepted write means, without files."""
    verb, one, value = operation
    if verb == "create":
        model[one] = {
            "priority": value,
            "status": "open",
            "reason": "",
            "said": [],
            "labels": set(),
            "on": [],
        }
        return
    me = model[one]
    if verb == "priority":
        me["priority"] = value
    elif verb == "close":
        me.update(status="closed", reason=value or me["reason"])
    elif verb == "reopen":
        me.update(status="open", reason="")
    elif verb == "comment":
        me["said"].append(value)
    elif verb == "label":
        me["labels"].add(value)
    elif value not in me["on"]:
        me["on"].append(value)


def shape(value: dict[str, Any]) -> dict[str, Any]:
    return {
        "priority": value["priority"],
        "status": value["status"],
        "reason": value.get("close_reason", ""),
        "said": [c["text"] for c in value.get("comments", [])],
        "labels": set(value.get("labels", [])),
        "on": [d["depends_on_id"] for d in value.get("dependencies", [])],
    }


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(OPERATIONS, st.integers(0, 2)), max_size=25))
def test_any_history_from_any_writers_is_the_same_as_one_after_the_other(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[tuple[str, str, Any], int]]
) -> None:
    book = a_book(tmp_path_factory.mktemp("s"))
    writers = [Book(book.store.path) for _ in range(3)]
    model: dict[str, Any] = {}
    for operation, writer in history:
        if not perform(writers[writer], operation):
            apply(model, operation)

    found = values(book)

    assert {one: shape(value) for one, value in found.items()} == model
    assert list(found) == sorted(found), "sorted by id"
    cached, fresh = book.snapshot(), Graph(parse(Path(book.store.path).read_bytes()).issues)
    assert [tuple(i) for i in cached.issues] == [tuple(i) for i in fresh.by_id.values()], (
        "the cache says what the file says"
    )
    for value in found.values():
        assert (value["status"] == "closed") == ("closed_at" in value)


def test_threads_of_one_process_lose_nothing(tmp_path: Path) -> None:
    book = a_book(tmp_path)
    writers = [
        threading.Thread(target=lambda n=n: [book.create(f"{n}.{m}", by="ann") for m in range(10)])
        for n in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(v["title"] for v in values(book).values()) == sorted(
        f"{n}.{m}" for n in range(4) for m in range(10)
    )


WRITER = """
import os, sys
from aicp.issues.book import Book
book, me, acknowledged = Book(sys.argv[1]), sys.argv[2], os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
start = int(sys.argv[4])
for n in range(start, 50):
    kind = n % 5
    if kind == 0:
        done = book.create(f"{me}.{n}", issue_id=f"w-{me}.{n}", by=me)["id"]
    elif kind == 1:
        done = f"{book.comment('w-shared', f'{me}.{n}', by=me)['text']}"
    elif kind == 2:
        book.update(["w-shared"], add=[f"l-{me}.{n}"], by=me); done = f"l-{me}.{n}"
    elif kind == 3:
        book.close([f"w-{me}.{n - 3}"], f"by {me}", by=me); done = f"closed w-{me}.{n - 3}"
    else:
        book.link(f"w-{me}.{n - 4}", "w-shared", "related", by=me); done = f"linked w-{me}.{n - 4}"
    os.write(acknowledged, (done + "\\n").encode())
"""


@pytest.mark.chaos
def test_eight_processes_killed_at_random_lose_no_acknowledged_write(
    tmp_path: Path, bd: Bd
) -> None:
    """8 times 50 mixed writes with kill -9: the file parses, every acknowledged write is there."""
    import sys

    path = str(bd.file)
    Book(path).create("shared", issue_id="w-shared", by="ann")
    logs = {str(n): tmp_path / f"acknowledged.{n}" for n in range(8)}
    chance = random.Random(7)
    kills = 0

    def start(me: str) -> subprocess.Popen[bytes]:
        done = len(logs[me].read_text().splitlines()) if logs[me].exists() else 0
        done -= done % 5  # a killed writer begins its round of five again, under ids not yet taken
        while done < 50 and f"w-{me}.{done}" in path_ids():
            done += 5
        words = [
            sys.executable,
            "-S",
            "-E",
            "-c",
            f"import sys; sys.path.insert(0, {SRC!r})\n{WRITER}",
        ]
        return subprocess.Popen([*words, path, me, str(logs[me]), str(done)])

    def path_ids() -> set[str]:
        return {i.id for i in parse(Path(path).read_bytes()).issues}

    running = {me: start(me) for me in logs}
    while running:
        for me, process in list(running.items()):
            try:
                process.wait(timeout=0.01)
            except subprocess.TimeoutExpired:
                if kills < 24 and chance.random() < 0.12:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    kills += 1
                    running[me] = start(me)
                continue
            assert process.returncode == 0
            del running[me]

    found = values(Book(path))
    shared = shape(found["w-shared"])
    acknowledged = [line for log in logs.values() for line in log.read_text().splitlines()]
    for line in acknowledged:
        word, _, one = line.rpartition(" ")
        if word == "closed":
            assert found[one]["status"] == "closed", line
        elif word == "linked":
            assert "w-shared" in shape(found[one])["on"], line
        elif line.startswith("l-"):
            assert line in shared["labels"], line
        elif line.startswith("w-"):
            assert line in found, line
        else:
            assert line in shared["said"], line
    assert kills >= 8
    assert len(acknowledged) >= 200
    logged = [e["issue"] for e in Book(path).history() if e["event"] == "created"]
    assert {one for one in found if one != "w-shared"} <= set(logged)
    assert [tuple(i) for i in Book(path).snapshot().issues] == [
        tuple(i) for i in parse(Path(path).read_bytes()).issues
    ]


SRC = str(Path(__file__).resolve().parents[2] / "src")
CALLS = ("open", "write", "copy_file_range", "utime", "fsync", "fchmod", "replace", "flock", "stat")


def die_at(count: int, act: Callable[[], object]) -> bool:
    """Run in a child that kills itself before its n-th system call; True when it lived."""
    child = os.fork()
    if child == 0:
        import fcntl

        left = [count]

        def deadly(call: Callable[..., Any]) -> Callable[..., Any]:
            def wrapped(*args: Any, **kwargs: Any) -> Any:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **kwargs)

            return wrapped

        for name in CALLS:
            owner = fcntl if name == "flock" else os
            setattr(owner, name, deadly(getattr(owner, name)))
        try:
            act()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.chaos
def test_killed_before_any_system_call_a_write_is_there_or_not(tmp_path: Path) -> None:
    seen = set()
    for count in range(1, 60):
        book = a_book(tmp_path / str(count), lines(an_issue("x-1"), an_issue("x-2")))
        book.close(["x-2"], "first", by="ann")
        before = Path(book.store.path).read_bytes()

        lived = die_at(count, lambda book=book: book.close(["x-1"], "second", by="bob"))

        after = values(book)
        assert (
            Path(book.store.path).read_bytes() == before or after["x-1"]["close_reason"] == "second"
        )
        book.comment("x-2", "life goes on", by="ann")
        assert len(values(book)["x-2"]["comments"]) == 1
        trail = [(e["event"], e["issue"]) for e in book.history()]
        effective = trail.count(("closed", "x-1")) - trail.count(("voided", "x-1"))
        assert effective == (after["x-1"]["status"] == "closed"), "the trail tells what happened"
        assert not list((tmp_path / str(count)).glob("*.tmp"))
        seen.add((after["x-1"]["status"], lived))
        if lived:
            break
    assert seen == {("open", False), ("closed", False), ("closed", True)}


def test_a_full_disk_leaves_everything_as_it_was(bd: Bd) -> None:
    bd("create", "one")
    before = bd.file.read_bytes()
    done = subprocess.run(
        ["bash", "-c", "ulimit -f 0; trap '' XFSZ; bd create two"],
        cwd=bd.folder,
        env=bd.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "nothing was written" in done.stderr
    assert bd.file.read_bytes() == before
    assert not list(bd.file.parent.glob("*.tmp"))


def test_a_write_touches_its_own_line_and_no_other_byte(tmp_path: Path) -> None:
    odd = (
        b'{"id":"x-1","title":"Go \\u003cb\\u003e","status":"open","priority":1.0e0,"zz":{"n":1.00,"u":"\\ud83d\\ude00"},'
        b'"issue_type":"task","created_at":"2025-10-14T23:41:49.569144873-04:00","updated_at":"2025-10-14T23:41:49.569144873Z"}\n'
    )
    odd = odd.replace(b"1.0e0", b"1")
    spaced = b'{"id":"x-3", "title" : "spaced out", "status":"open","issue_type":"chore", "unknown": [1, 2 ]}\n'
    book = a_book(tmp_path, odd + lines(an_issue("x-2")) + spaced)

    book.update(["x-2"], {"priority": 0}, by="ann")
    rows = Path(book.store.path).read_bytes().splitlines(keepends=True)
    assert (rows[0], rows[2]) == (odd, spaced)

    book.close(["x-1"], by="ann")
    first = Path(book.store.path).read_bytes().splitlines()[0]
    for kept in (
        b'"title":"Go \\u003cb\\u003e"',
        b'"zz":{"n":1.00,"u":"\\ud83d\\ude00"}',
        b'"created_at":"2025-10-14T23:41:49.569144873-04:00"',
    ):
        assert kept in first
    assert list(loads(first.decode())) == [
        "id",
        "title",
        "status",
        "priority",
        "zz",
        "issue_type",
        "created_at",
        "updated_at",
        "closed_at",
    ]


def test_eras_a_b_and_c_are_read_and_their_strangest_parts_kept(tmp_path: Path) -> None:
    era_a = lines(
        an_issue(
            "a-1",
            comments=[
                {
                    "id": 7,
                    "issue_id": "a-1",
                    "author": "x",
                    "text": "t",
                    "created_at": "2025-10-16T12:00:00Z",
                }
            ],
        )
    )
    era_b = lines(
        an_issue("b-4df2", content_hash="ab", source_repo="."),
        an_issue("b-gone", status="tombstone", deleted_at="2025-11-01T00:00:00Z"),
    )
    era_c = (
        b'{"_type":"issue","id":"c-9","title":"newer","created_at":"2026-05-01T00:00:00.1Z","updated_at":"2026-05-01T00:00:00.1Z",'
        b'"comments":[{"id":"0198-uuid","author":"x","text":"t","created_at":"2026-05-01T00:00:00Z"}],"dependency_count":0,"metadata":{"k":1.50}}\n'
        b'{"_type":"memory","key":"k","value":"v"}\n'
    )
    book = a_book(tmp_path, era_c + era_b + era_a)
    shown = json.loads(book.snapshot().array(book.snapshot().graph))
    assert [i["id"] for i in shown] == ["c-9", "b-4df2", "a-1"]
    assert {k: shown[0][k] for k in ("description", "status", "priority", "issue_type", "labels")} == {
        "description": "", "status": "open", "priority": 0, "issue_type": "task", "labels": [],
    }  # fmt: skip

    book.comment("a-1", "more", by="ann")
    rows = Path(book.store.path).read_bytes().splitlines(keepends=True)
    assert [loads(row.decode()).get("id") for row in rows] == [
        "a-1",
        "b-4df2",
        "b-gone",
        "c-9",
        None,
    ]
    assert b"".join(rows[3:]) == era_c, (
        "lines keep their bytes, lines that are not issues come last"
    )
    assert b"".join(rows[1:3]) == era_b
    with pytest.raises(NotFound, match="deleted"):
        book.comment("b-gone", "hello", by="ann")


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (
            b"<<<<<<< HEAD\n%s=======\n>>>>>>> theirs\n",
            Conflict,
            ["line 1", "line 3", "line 4", "conflict markers"],
        ),
        (b"%s%s", Conflict, ["line 2", "x-1 is also on line 1"]),
        (b'%s{"id":"x-2","title":"to', Damaged, ["line 2", "middle of an issue"]),
        (b"%snot json\n", Damaged, ["line 2", "damaged"]),
        (b"%s[1]\n", Damaged, ["line 2", "not a JSON object"]),
        (b'%s{"name":"package"}\n', Damaged, ["line 2", "no id"]),
        (b'%s{"id":"x-2","title":5}\n', Damaged, ["line 2", "title is not text"]),
        (b'%s{"id":"x-2","created_at":"yesterday"}\n', Damaged, ["line 2", "not a time"]),
        (b'%s{"id":"x-2","dependencies":[4]}\n', Damaged, ["line 2", "not a list of links"]),
        (b"SQLite format 3\x00\xff\xfe", Damaged, ["SQLite"]),
        (b'%s{"id":"x-2","title":"\xff"}\n', Damaged, ["line 2"]),
        (b"%s" + b"[" * 100_000, Damaged, ["line 2", "nested"]),
    ],
)
def test_a_file_that_cannot_be_trusted_is_named_by_line_and_left_alone(
    tmp_path: Path, data: bytes, error: type[IssueError], words: list[str]
) -> None:
    data = data.replace(b"%s", lines(an_issue("x-1")))
    book = a_book(tmp_path, data)
    for act in (book.snapshot, lambda: book.create("new", by="ann")):
        with pytest.raises(error) as caught:
            act()
        assert all(word in caught.value.message for word in words), caught.value.message
        assert "bd " in caught.value.hint
    assert Path(book.store.path).read_bytes() == data


def test_an_emptied_file_is_not_taken_for_an_empty_graph(tmp_path: Path) -> None:
    book = a_book(tmp_path)
    book.create("one", by="ann")
    Path(book.store.path).write_bytes(b"")
    with pytest.raises(Damaged, match="is empty although"):
        book.create("two", by="ann")


def test_deleting_every_cache_loses_nothing(bd: Bd) -> None:
    one = bd("create", "one", "--silent").strip()
    bd("comment", one, "said")
    bd("close", one, "-r", "why")
    before = (bd("show", one), bd("history"))
    for file in bd.file.parent.iterdir():
        if file.suffix != ".jsonl":
            file.unlink()
    assert (bd("show", one), bd("history")) == before


@pytest.mark.parametrize("spoil", ["truncate", "garbage", "stale", "empty"])
def test_a_spoiled_cache_is_never_believed(tmp_path: Path, spoil: str) -> None:
    book = a_book(tmp_path, lines(an_issue("x-1"), an_issue("x-2")))
    book.close(["x-1"], by="ann")
    cache = Path(book.store.cache_path)
    content = cache.read_bytes()
    cache.write_bytes(
        {
            "truncate": content[:-5],
            "garbage": b"\xff" * 400 + content[-64:],
            "stale": content,
            "empty": b"",
        }[spoil]
    )
    if spoil == "stale":  # the same size in the same file, and the time set back
        info = Path(book.store.path).stat()
        data = Path(book.store.path).read_bytes().replace(b"Title of x-2", b"Title 0f x-2")
        with Path(book.store.path).open("r+b") as file:
            file.write(data)
        os.utime(book.store.path, ns=(info.st_atime_ns, info.st_mtime_ns))
    titles = [i.title for i in book.snapshot().issues]
    assert titles == ["Title of x-1", "Title 0f x-2" if spoil == "stale" else "Title of x-2"]
    book.close(["x-2"], by="ann")
    assert [i.status for i in Book(book.store.path).snapshot().issues] == ["closed", "closed"]


def test_a_file_changed_by_others_during_a_write_is_read_again(tmp_path: Path) -> None:
    book = a_book(tmp_path, lines(an_issue("x-1")))
    times = []

    def decide(snapshot: Any) -> Change:
        times.append(len(snapshot.issues))
        if len(times) == 1:
            Path(book.store.path).write_bytes(lines(an_issue("x-1"), an_issue("x-2")))
        record = snapshot.record("x-1")
        record.set("priority", 0)
        return Change([record], [])

    book.store.commit(decide)
    assert times == [1, 2]
    assert list(values(book)) == ["x-1", "x-2"]


def test_a_lock_that_is_kept_ends_in_a_timeout_and_readers_do_not_wait(tmp_path: Path) -> None:
    import fcntl

    book = a_book(tmp_path, lines(an_issue("x-1")))
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    started = time.monotonic()
    with pytest.raises(TimedOut, match="held"):
        Store(book.store.path, wait=0.05).commit(lambda _: Change([], []))
    assert time.monotonic() - started < 5
    assert len(book.snapshot().issues) == 1
    os.close(descriptor)


def test_a_list_under_an_older_name_is_used_and_merged_too(bd: Bd) -> None:
    bd.file.unlink()
    older = bd.file.with_name("beads.jsonl")
    older.write_bytes(lines(an_issue("x-1")))
    bd("init")
    assert [i["id"] for i in bd.json("list")] == ["x-1"]
    assert ".beads/beads.jsonl merge=beads" in (bd.folder / ".gitattributes").read_text()
    bd("close", "x-1")
    assert not bd.file.exists()


def test_a_deeply_nested_value_is_shown_and_kept(bd: Bd) -> None:
    bd.file.write_bytes(
        lines(an_issue("x-1"))[:-2] + b',"metadata":' + b"[" * 400 + b"]" * 400 + b"}\n"
    )
    assert bd.json("show", "x-1")[0]["metadata"] == bd.json("list")[0]["metadata"]
    bd("close", "x-1")
    assert b"[" * 400 in bd.file.read_bytes()


def test_init_is_safe_to_repeat_and_never_takes_issues_away(tmp_path: Path) -> None:
    path = tmp_path / ".beads/issues.jsonl"
    first = init(str(path), by="ann", at=1)
    data = lines(an_issue("x-1"))
    path.write_bytes(data)
    again = init(str(path), by="ann", at=2)
    assert (first.source, again.source, again.issues, path.read_bytes()) == ("new", "kept", 1, data)
    path.write_bytes(data + b"{torn")
    with pytest.raises(Damaged):
        init(str(path), by="ann", at=3)
    assert path.read_bytes() == data + b"{torn"
