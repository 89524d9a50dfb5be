"""Look at everything that can be wrong with a store, and put right what can be put right."""

from __future__ import annotations

import os

from aicp.issues import cache, config, git
from aicp.issues.cycles import cycles
from aicp.issues.errors import IssueError, NotFound
from aicp.issues.events import event
from aicp.issues.init import attributes, ignore, join_git
from aicp.issues.model import DONE, EDGES, KINDS, STATUSES
from aicp.issues.rescue import invariant_broken, rescue
from aicp.issues.stamps import to_text
from aicp.issues.store import Change, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aicp.issues.record import Record
    from aicp.issues.snapshot import Snapshot


class Finding:
    """One check: `level` is ok, warning, error or fixed; `fix` is what to do about it."""

    __slots__ = ("check", "fix", "level", "text")

    def __init__(self, check: str, level: str, text: str, fix: str = "") -> None:
        self.check, self.level, self.text, self.fix = check, level, text, fix

    def as_dict(self) -> dict[str, str]:
        """The wire form."""
        return {"check": self.check, "level": self.level, "text": self.text, "fix": self.fix}


def examine(store: Store) -> list[Finding]:
    """Every check, without changing anything."""
    findings = [_file(store), _committed(store)]
    if findings[0].level == "ok":
        snapshot = store.snapshot()
        findings += [
            _closing(snapshot),
            _links(snapshot),
            _rings(snapshot),
            _words(store, snapshot),
        ]
    return [*findings, _surroundings(store)]


def repair(store: Store, *, by: str, at: int, bd: str = "bd") -> list[Finding]:
    """Put right what can be, keeping a damaged file beside the new one; then examine again."""
    fixed = _mend_file(store, by=by, at=at)
    cache.forget(store.cache_path)
    fixed += _mend_closing(store, by=by, at=at)
    if os.path.basename(store.folder) == ".beads":
        fixed += [Finding("surroundings", "fixed", x) for x in ignore(store.folder)]
        fixed += [Finding("surroundings", "fixed", x) for x in join_git(store, bd)]
    return fixed + examine(store)


def _file(store: Store) -> Finding:
    try:
        count = len(store.snapshot().issues)
    except IssueError as error:
        return Finding("file", "error", error.message, error.hint)
    return Finding("file", "ok", f"{store.path}: {count} issues, every line sound")


def _committed(store: Store) -> Finding:
    if git.is_ignored(store.path):
        return Finding("git", "warning", f"git ignores {store.path}", "take it out of .gitignore")
    if git.root(store.folder) is None:
        return Finding("git", "warning", "not in a git repository: there is no history", "git init")
    if git.content(store.path) is None:
        fix = f"git add {os.path.basename(store.folder)} && git commit"
        return Finding("git", "warning", f"{store.name} was never committed", fix)
    return Finding("git", "ok", f"{store.name} is in git")


def _closing(snapshot: Snapshot) -> Finding:
    broken = [i.id for i in snapshot.issues if invariant_broken(snapshot.line(i.id) or b"{}")]
    if not broken:
        return Finding("closing", "ok", "closed_at is set where an issue is closed")
    text = f"closed_at does not agree with the status of {_some(broken)}"
    return Finding("closing", "warning", text, "bd doctor --fix sets it from updated_at")


def _links(snapshot: Snapshot) -> Finding:
    known = snapshot.graph.by_id
    loose = sorted({f"{i.id} → {t}" for i in known.values() for _, t in i.edges if t not in known})
    if not loose:
        return Finding("links", "ok", "every dependency leads to an issue")
    text = f"dependencies on issues that do not exist block nothing: {_some(loose)}"
    return Finding("links", "warning", text, "bd dep remove, or bd restore the missing issue")


def _rings(snapshot: Snapshot) -> Finding:
    rings = cycles(snapshot.graph)
    if not rings:
        return Finding("cycles", "ok", "no issues wait for each other")
    text = f"issues wait for each other: {_some([' → '.join([*r, r[0]]) for r in rings])}"
    return Finding("cycles", "error", text, "bd dep remove one edge of each ring")


def _words(store: Store, snapshot: Snapshot) -> Finding:
    kinds = (*KINDS, *config.extra_types(config.read(store.folder)))
    odd = {i.status for i in snapshot.issues if i.status not in (*STATUSES, *DONE)}
    odd |= {i.kind for i in snapshot.issues if i.kind not in kinds}
    odd |= {kind for i in snapshot.issues for kind, _ in i.edges if kind not in EDGES}
    if not odd:
        return Finding("words", "ok", "every status and type is known")
    text = f"unknown words, kept as they are: {_some(sorted(odd))}"
    return Finding("words", "warning", text, "bd config set types NAME,NAME for types of your own")


def _surroundings(store: Store) -> Finding:
    top = git.root(store.folder)
    if os.path.basename(store.folder) != ".beads" or top is None:
        return Finding("merging", "ok", "nothing to set up outside a repository's .beads/")
    try:
        with open(os.path.join(top, ".gitattributes"), encoding="utf-8") as file:
            named = attributes(store)[0] in file.read()
    except FileNotFoundError:
        named = False
    if named and git.get_config(top, "merge.beads.driver"):
        return Finding("merging", "ok", "git merges issues field by field")
    return Finding("merging", "warning", "git merges issues line by line", "bd init")


def _mend_file(store: Store, *, by: str, at: int) -> list[Finding]:
    try:
        store.snapshot()
    except IssueError as error:
        if isinstance(error, NotFound) and git.content(store.path) is None:
            return []
    else:
        return []
    damaged = _bytes(store.path)
    sides = [git.content(store.path, f":{stage}") for stage in (1, 2, 3)]
    whole = (
        [side or b"" for side in sides] if sides[1] is not None and sides[2] is not None else None
    )
    saved = rescue(damaged, git.content(store.path), whole)
    notes = saved.notes or ["brought the file back from git"]
    if damaged:
        aside = f"{store.path}.damaged-{to_text(at).replace(':', '')}"
        with open(aside, "wb") as file:
            file.write(damaged)
        notes.append(f"kept the damaged file as {os.path.basename(aside)}")
    store.replace(saved.data, [event(at, by, "repaired", "")])
    return [Finding("file", "fixed", note) for note in notes]


def _mend_closing(store: Store, *, by: str, at: int) -> list[Finding]:
    mended: list[str] = []

    def decide(snapshot: Snapshot) -> Change:
        broken = [i.id for i in snapshot.issues if invariant_broken(snapshot.line(i.id) or b"{}")]
        records = [_closed_right(snapshot.record(one)) for one in broken]
        mended[:] = broken
        return Change(records, [event(at, by, "repaired", "")], trailing=True)

    try:
        store.commit(decide)
    except IssueError:
        return []
    return [Finding("closing", "fixed", f"set closed_at right on {one}") for one in mended]


def _closed_right(record: Record) -> Record:
    closed = record.get("status") in DONE
    record.set("closed_at", record.get("updated_at") if closed else None)
    return record


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _some(texts: list[str]) -> str:
    return ", ".join(texts[:5]) + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")
