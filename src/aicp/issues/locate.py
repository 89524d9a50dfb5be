"""Where the issues are: `--db`, BEADS_DB, BEADS_DIR, or `.beads/` of the repository around here."""

from __future__ import annotations

import os

from aicp.issues.errors import BadInput, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = ".beads"
FILE = "issues.jsonl"
_NOT_ISSUES = ("events.jsonl", "archive.jsonl", "interactions.jsonl", "memories.jsonl")


def locate(start: str, *, db: str = "", env: Mapping[str, str] | None = None) -> str:
    """The path of the issues file, whether it exists or not.

    Raises:
        NotFound: there is no store from here up to the root of the repository.
        BadInput: `db` names a place that cannot hold one.
    """
    named = db or (env or {}).get("BEADS_DB", "")
    if named:
        return sandbox(os.path.join(start, named))
    if env and env.get("BEADS_DIR"):
        return in_folder(os.path.join(start, env["BEADS_DIR"]))
    folder = _upwards(os.path.abspath(start))
    if folder is None:
        raise NotFound(
            f"there is no {FOLDER}/ here or above, up to the root of the repository",
            hint="bd init makes one, or brings it back from git",
        )
    return in_folder(folder)


def home(start: str) -> str:
    """Where `init` puts the store: the root of the repository around `start`, or `start`."""
    at = os.path.abspath(start)
    while not os.path.lexists(os.path.join(at, ".git")):
        above = os.path.dirname(at)
        if above == at:
            return in_folder(os.path.join(os.path.abspath(start), FOLDER))
        at = above
    return in_folder(os.path.join(at, FOLDER))


def in_folder(folder: str) -> str:
    """The issues file in a `.beads` folder; any single other list is taken, as older tools do."""
    path = os.path.join(folder, FILE)
    if os.path.lexists(path) or not os.path.isdir(folder):
        return os.path.realpath(path)
    lists = [n for n in os.listdir(folder) if n.endswith(".jsonl") and not n.endswith(_NOT_ISSUES)]
    return os.path.realpath(os.path.join(folder, lists[0]) if len(lists) == 1 else path)


def sandbox(path: str) -> str:
    """The issues file for `--db PATH`: the list itself, a folder, or the list beside a database."""
    path = os.path.abspath(path)
    folder, name = os.path.split(path)
    if os.path.isdir(path):
        inner = os.path.join(path, FOLDER)
        return in_folder(inner if os.path.isdir(inner) else path)
    if name.endswith(".jsonl"):
        return os.path.realpath(path)
    if os.path.basename(folder) == FOLDER or name == "beads.db":
        return in_folder(folder)
    if name.endswith(".db"):
        return os.path.realpath(path.removesuffix(".db") + ".jsonl")
    if name == FOLDER or not os.path.splitext(name)[1]:
        return os.path.realpath(os.path.join(path, FILE))
    raise BadInput(
        f"--db {path} is neither a folder nor a .jsonl or .db file", hint="try --db /tmp/sandbox.db"
    )


def _upwards(at: str) -> str | None:
    while True:
        if os.path.isdir(os.path.join(at, FOLDER)):
            return os.path.join(at, FOLDER)
        above = os.path.dirname(at)
        if above == at or os.path.lexists(os.path.join(at, ".git")):
            return None
        at = above
