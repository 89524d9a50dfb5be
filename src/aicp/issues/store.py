"""The file on disk: read whole and verified, written whole or not at all, by one process at a time.

A write locks the folder, reads, decides, makes a durable scratch file beside the old one, logs the
event, and renames. Killed anywhere, it leaves the old file or the new one. A write is acknowledged
only after the rename is durable.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time

from aicp.issues import cache
from aicp.issues.errors import Conflict, Damaged, NotFound, TimedOut
from aicp.issues.events import Trail
from aicp.issues.gitlock import GitLock
from aicp.issues.lines import is_plain, parse, seek, verdict
from aicp.issues.snapshot import Snapshot
from aicp.issues.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from aicp.issues.model import Issue
    from aicp.issues.record import Record

    Piece = bytes | tuple[int, int]  # new bytes, or a range of the old file

LOCK_SECONDS = 30.0
_FEW = 1000  # lines up to which searching for each one's place beats sorting all


class Change:
    """What a verb decided: the new lines, and what the audit trail says of it.

    `trailing` events describe many issues at once and are logged after the file is in place.
    """

    __slots__ = ("events", "records", "trailing")

    def __init__(
        self, records: list[Record], events: list[dict[str, Any]], *, trailing: bool = False
    ) -> None:
        self.records, self.events, self.trailing = records, events, trailing


class Store:
    """One issues file with its trail and its cache.

    Args:
        path: the issues file.
        wait: seconds to wait for another writer.
    """

    __slots__ = ("cache_path", "folder", "name", "path", "trail", "wait")

    def __init__(self, path: str, *, wait: float = LOCK_SECONDS) -> None:
        self.path = path
        self.folder, self.name = os.path.split(path)
        stem = "" if self.name == "issues.jsonl" else self.name.removesuffix(".jsonl") + "."
        self.trail = Trail(os.path.join(self.folder, f"{stem}events.jsonl"))
        self.cache_path = os.path.join(self.folder, f"{stem}index.cache")
        self.wait = wait

    def snapshot(self) -> Snapshot:
        """The graph as it is now.

        Raises:
            NotFound: the file is missing.
            Damaged, Conflict: it cannot be trusted; the message names the lines and the way back.
        """
        return self._read()[0]

    def commit(self, decide: Callable[[Snapshot], Change]) -> Snapshot:
        """Let `decide` look at the graph and change it, alone. Returns the state it saw.

        `decide` may run again when something else than `bd` changed the file meanwhile.

        Raises:
            TimedOut: another process kept the lock.
            Whatever `decide` and `snapshot` raise; nothing is written then.
        """
        with _Lock(self.folder, self.wait):
            git = GitLock(self.folder)
            for _ in range(10):
                git.wait()
                before, info = self._read()
                change = decide(before)
                if not change.records or self._write(before, info, change, git):
                    return before
        raise Conflict(f"{self.path} keeps changing under bd", hint="stop what else writes it")

    def replace(self, data: bytes, events: list[dict[str, Any]]) -> None:
        """Put a whole file in place (init, repair, restore); keeps none of the old one."""
        with _Lock(self.folder, self.wait):
            GitLock(self.folder).wait()
            scratch = self._scratch([data], 0o644, None)
            cache.forget(self.cache_path)
            os.replace(scratch, self.path)
            self.trail.append(events)
            _sync_folder(self.folder)

    def _read(self) -> tuple[Snapshot, os.stat_result]:
        try:
            source = Source(self.path)
        except FileNotFoundError:
            raise NotFound(
                f"{self.path} is missing", hint="bd init brings it back from git or makes a new one"
            ) from None
        if stat.S_ISDIR(source.info.st_mode):
            raise Damaged(f"{self.path} is a folder", hint="move it away and run bd init")
        if not source.size and self.trail.size():
            raise Damaged(
                f"{self.path} is empty although {os.path.basename(self.trail.path)} has entries",
                hint="bd doctor --fix brings the issues back from git",
            )
        return self._verified(source), source.info

    def _verified(self, source: Source) -> Snapshot:
        known = cache.last_stamp(self.cache_path)
        if known is not None:
            stamp = cache.Stamp(source.info, plain=known[1])
            if stamp.key == known[0]:
                return Snapshot(source, stamp.plain, lambda: self._cached(source, stamp))
        parsed = parse(source.data)
        if parsed.problems:
            raise verdict(self.path, source.data, parsed.problems)
        offsets = None if parsed.plain else parsed.offsets
        if cache.settled(source.info, time.time_ns()):
            stamp = cache.Stamp(source.info, plain=parsed.plain)
            cache.save(self.cache_path, stamp, parsed.issues, offsets)
        return Snapshot(source, parsed.plain, lambda: (parsed.issues, offsets))

    def _cached(self, source: Source, stamp: cache.Stamp) -> tuple[list[Issue], list[int] | None]:
        found = cache.load(self.cache_path, stamp.key)
        if found is None:
            parsed = parse(source.data)
            return parsed.issues, None if parsed.plain else parsed.offsets
        issues, offsets, many = found
        if many:
            cache.save(self.cache_path, stamp, issues, offsets)
        return issues, offsets

    def _write(self, before: Snapshot, info: os.stat_result, change: Change, git: GitLock) -> bool:
        """Whether the change is in the file, and stays there."""
        plain = before.plain and all(is_plain(r.bytes(), r.id) for r in change.records)
        few = plain and len(change.records) <= _FEW
        pieces = (_splice if few else _rebuild)(before, change.records)
        scratch = self._scratch(pieces, info.st_mode & 0o7777, before.source)
        ours = os.stat(scratch)
        if not change.trailing and _same(self.path, info):
            self.trail.append(change.events, seen=before)
        if git.held() or not _same(self.path, info):
            os.unlink(scratch)
            return False
        os.replace(scratch, self.path)
        _sync_folder(self.folder)
        if not self._kept(ours, change.records, git):
            return False
        if change.trailing:
            self.trail.append(change.events)
        if plain:
            self._remember(before, info, [record.issue() for record in change.records])
        return True

    def _kept(self, ours: os.stat_result, records: list[Record], git: GitLock) -> bool:
        """Whether git did not replace the file between its check that nothing changed and its last write.

        It holds its lock from the one to the other: without a lock, and with our file in place, whatever
        git does next begins by seeing our change.
        """
        if not git.held() and _same(self.path, ours):
            return True
        git.wait(written=True)
        if _same(self.path, ours):
            return True
        try:
            source = Source(self.path)
            return all(
                seek(source, one.id)[1].rstrip(b"\n") == one.bytes().rstrip(b"\n")
                for one in records
            )
        except OSError:
            return False

    def _remember(self, before: Snapshot, info: os.stat_result, rows: list[Issue]) -> None:
        old, new = cache.Stamp(info, plain=True), cache.Stamp(os.stat(self.path), plain=True)
        if not cache.append(self.cache_path, old.key, new, rows):
            issues = {issue.id: issue for issue in [*before.issues, *rows]}
            cache.save(self.cache_path, new, [issues[one] for one in sorted(issues)], None)

    def _scratch(self, pieces: list[Piece], mode: int, source: Source | None) -> str:
        """The new content, durable, beside the old. The lock makes one name enough for all."""
        path = f"{self.path}.tmp"
        _unlink(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _write_all(descriptor, pieces, source)
            os.fchmod(descriptor, mode)
            now = time.time_ns()  # an mtime no other change has, see cache.py
            os.utime(descriptor, ns=(now, now))
            os.fsync(descriptor)
        except BaseException:
            _unlink(path)
            raise
        finally:
            os.close(descriptor)
        return path


class _Lock:
    """An exclusive flock on the folder itself: nothing to leave behind, released by any death."""

    __slots__ = ("descriptor", "folder", "wait")

    def __init__(self, folder: str, wait: float) -> None:
        self.folder, self.wait, self.descriptor = folder, wait, -1

    def __enter__(self) -> None:
        try:
            self.descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"{self.folder} is missing", hint="bd init makes it") from None
        deadline, pause = time.monotonic() + self.wait, 0.001
        while not self._taken():
            if time.monotonic() > deadline:
                os.close(self.descriptor)
                raise TimedOut(
                    f"another process held {self.folder} for {self.wait:g} s",
                    hint="look for a stuck bd with: ps aux | grep bd",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _splice(before: Snapshot, records: list[Record]) -> list[Piece]:
    """The file with these lines put in or replaced; everything else is copied as it is."""
    pieces: list[Piece] = []
    at = 0
    for record in sorted(records, key=lambda record: record.id):
        start, line = seek(before.source, record.id)
        pieces += [(at, start), record.bytes()]
        at = start + len(line)
    return [*pieces, (at, before.source.size)]


def _rebuild(before: Snapshot, records: list[Record]) -> list[Piece]:
    """Sort a file that is not as we write it; each line keeps its bytes, other lines come last."""
    lines = {issue.id: before.line(issue.id) or b"" for issue in before.issues}
    lines.update((record.id, record.bytes().rstrip(b"\n")) for record in records)
    others = parse(before.data).others if not before.plain else []
    return [b"".join(line + b"\n" for line in [*(lines[one] for one in sorted(lines)), *others])]


def _write_all(descriptor: int, pieces: list[Piece], source: Source | None) -> None:
    for piece in pieces:
        if isinstance(piece, tuple):
            if source is not None:
                source.copy(*piece, descriptor)
            continue
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def _key(info: os.stat_result) -> tuple[int, int, int]:
    return info.st_size, info.st_mtime_ns, info.st_ino


def _same(path: str, info: os.stat_result) -> bool:
    try:
        return _key(os.stat(path)) == _key(info)
    except FileNotFoundError:
        return False


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
