"""Make `.beads/`, or complete what is there. Safe at any time; it never takes issues away."""

from __future__ import annotations

import os

from aicp.issues import config, git
from aicp.issues.errors import Conflict
from aicp.issues.events import event
from aicp.issues.ids import common_prefix, default_prefix
from aicp.issues.lines import parse, verdict
from aicp.issues.store import Store

DRIVER = "bd merge %A %O %A %B"
IGNORED = ("*.db", "*.db-*", "*.lock", "*.sock", "*.cache", "*.tmp")


class Outcome:
    """What init did: how many issues, their `source` (new, kept or git), the steps `done`."""

    __slots__ = ("done", "issues", "path", "source")

    def __init__(self, path: str, source: str, issues: int, done: list[str]) -> None:
        self.path, self.source, self.issues, self.done = path, source, issues, done

    def as_dict(self) -> dict[str, object]:
        """The wire form."""
        return {"path": self.path, "source": self.source, "issues": self.issues, "done": self.done}


def init(
    path: str, *, prefix: str = "", ids: str = "", by: str, at: int, bd: str = "bd"
) -> Outcome:
    """Set up the store for an issues file.

    Args:
        path: the issues file.
        prefix: what new ids start with; the one in use, or the repository's name, by default.
        ids: hash or sequential; hash by default.
        by: who.
        at: when, in nanoseconds.
        bd: how git calls this program when it merges.

    Raises:
        Conflict, Damaged: a file is there and cannot be read; it is left as it is.
    """
    store = Store(path)
    folder = store.folder
    os.makedirs(folder, exist_ok=True)
    source, data = _content(store)
    if source != "kept":
        events = [event(at, by, "restored", "")] if source == "git" else []
        store.replace(data, events)
    snapshot = store.snapshot()
    done = _settings(folder, prefix, ids, common_prefix(snapshot, default_prefix(path)))
    if os.path.basename(folder) == ".beads":
        done += ignore(folder) + join_git(store, bd)
    return Outcome(path, source, len(snapshot.issues), done)


def join_git(store: Store, bd: str) -> list[str]:
    """Register the merge driver and name it in .gitattributes; what is there stays."""
    top = git.root(store.folder)
    if top is None or os.path.realpath(os.path.dirname(store.folder)) != top:
        return []
    done = _add_lines(os.path.join(top, ".gitattributes"), attributes(store))
    wanted = DRIVER.replace("bd", bd, 1)
    if git.get_config(top, "merge.beads.driver") != wanted:
        git.set_config(top, "merge.beads.name", "bd: field by field, nothing dropped")
        if git.set_config(top, "merge.beads.driver", wanted):
            done.append("registered the git merge driver")
    return done


def attributes(store: Store) -> list[str]:
    """What .gitattributes has to say of the two files that are merged."""
    trail = os.path.basename(store.trail.path)
    return [f".beads/{store.name} merge=beads", f".beads/{trail} merge=union"]


def ignore(folder: str) -> list[str]:
    """Keep caches out of git."""
    return _add_lines(os.path.join(folder, ".gitignore"), list(IGNORED))


def _content(store: Store) -> tuple[str, bytes]:
    """What the file should hold: what it has; else what git has; else nothing."""
    try:
        with open(store.path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        data = None
    committed = b"" if data else git.content(store.path) or b""
    if data or (data is not None and not committed and not store.trail.size()):
        parsed = parse(data)
        if parsed.problems:
            raise verdict(store.path, data, parsed.problems)
        return "kept", data
    if not committed and store.trail.size():
        raise Conflict(
            f"{store.path} is gone and git has no copy, but {store.trail.path} has entries",
            hint="bring the file back from a backup; or move the events file away to start anew",
        )
    parsed = parse(committed)
    if parsed.problems:
        raise verdict(f"{store.path} in git", committed, parsed.problems)
    return ("git" if committed else "new"), committed


def _settings(folder: str, prefix: str, ids: str, usual: str) -> list[str]:
    """Write the prefix down, so that clones in folders of other names agree on it."""
    before = config.read(folder)
    values = {"prefix": usual, **before}
    if prefix:
        values["prefix"] = config.check("prefix", prefix)
    if ids:
        values["ids"] = config.check("ids", ids)
    if values == before:
        return []
    config.write(folder, values)
    return [f"set {', '.join(f'{key} to {values[key]}' for key in sorted(values))}"]


def _add_lines(path: str, wanted: list[str]) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        text = ""
    have = {line.strip() for line in text.splitlines()}
    missing = [line for line in wanted if line not in have]
    if not missing:
        return []
    with open(path, "a", encoding="utf-8") as file:
        file.write("\n" * bool(text and not text.endswith("\n")) + "\n".join(missing) + "\n")
    return [f"wrote {os.path.basename(path)}"]
