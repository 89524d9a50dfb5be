"""BD-2, I-8: what bd acknowledged is in the file, although git checks it, and rewrites it a moment later."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from aicp.issues import gitlock, store
from aicp.issues.book import Book
from aicp.issues.errors import TimedOut
from aicp.issues.gitlock import GitLock
from issues.running import Bd


def a_book(bd: Bd) -> Book:
    return Book(str(bd.folder / ".beads/issues.jsonl"))


def ids(bd: Bd) -> set[str]:
    return {row["id"] for row in bd.json("list", "--status", "all", "--limit", "0")}


def in_the_window(bd: Bd, monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """git checked that the file is clean before bd's rename, and writes its own afterwards, once."""
    lock, path = bd.folder / ".git/index.lock", bd.folder / ".beads/issues.jsonl"
    replace = os.replace
    done: list[threading.Thread] = []

    def meanwhile(source: Any, target: Any) -> None:
        before = path.read_bytes()
        replace(source, target)
        if os.fspath(target) == str(path) and not done:
            lock.touch()

            def rewrite() -> None:
                time.sleep(0.1)
                fresh = path.with_suffix(".git")
                fresh.write_bytes(before)
                replace(fresh, path)
                lock.unlink()

            done.append(threading.Thread(target=rewrite))
            done[0].start()

    monkeypatch.setattr(store.os, "replace", meanwhile)
    return done


def test_a_write_that_git_replaced_is_made_again(bd: Bd, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bd.json("create", "First")["id"]
    done = in_the_window(bd, monkeypatch)
    made = a_book(bd).create("Second", by="kim")["id"]
    done[0].join()
    monkeypatch.undo()
    assert ids(bd) == {first, str(made)}


def test_a_comment_that_git_replaced_stands_there_once(
    bd: Bd, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bd.json("create", "First")["id"]
    done = in_the_window(bd, monkeypatch)
    a_book(bd).comment(first, "said once", by="kim")
    done[0].join()
    monkeypatch.undo()
    assert [one["text"] for one in bd.json("show", first)[0]["comments"]] == ["said once"]


def test_bd_waits_for_git_and_writes_nothing_when_it_takes_too_long(
    bd: Bd, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = bd.folder / ".git/index.lock"
    lock.touch()
    monkeypatch.setattr(gitlock, "SECONDS", 0.1)
    before = (bd.folder / ".beads/issues.jsonl").read_bytes()
    with pytest.raises(TimedOut, match="nothing was written") as caught:
        a_book(bd).create("Second", by="kim")
    assert "index.lock" in caught.value.message
    assert (bd.folder / ".beads/issues.jsonl").read_bytes() == before
    monkeypatch.setattr(gitlock, "SECONDS", 10.0)
    threading.Timer(0.2, lock.unlink).start()
    assert a_book(bd).create("Third", by="kim")["id"]


def test_a_commit_with_its_editor_open_holds_nobody_up(bd: Bd) -> None:
    """It holds the lock for as long as somebody thinks about words, and rewrites no file."""
    (bd.folder / ".git/index.lock").touch()
    (bd.folder / ".git/COMMIT_EDITMSG").write_text("about to be written")
    assert not GitLock(str(bd.folder)).held()
    assert bd.json("create", "Meanwhile")["id"]


@pytest.mark.parametrize("name", ["GIT_INDEX_FILE", "GIT_DIR"])
def test_what_git_itself_calls_does_not_wait_for_git(
    bd: Bd, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (bd.folder / ".git/index.lock").touch()
    assert GitLock(str(bd.folder)).held()
    monkeypatch.setenv(name, "index")
    assert not GitLock(str(bd.folder)).held()


def test_the_lock_of_a_worktree_is_its_own_and_without_git_there_is_none(
    bd: Bd, tmp_path: Path
) -> None:
    bd.git("add", "-A")
    bd.git("commit", "-qm", "start")
    bd.git("worktree", "add", "-q", str(tmp_path / "beside"))
    (bd.folder / ".git/index.lock").touch()
    assert not GitLock(str(tmp_path / "beside/.beads")).held()
    (bd.folder / ".git/worktrees/beside/index.lock").touch()
    assert GitLock(str(tmp_path / "beside/.beads")).held()
    (tmp_path / "plain").mkdir()
    assert not GitLock(str(tmp_path / "plain")).held()
