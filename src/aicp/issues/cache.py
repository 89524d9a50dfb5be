"""The cache: the engine's view of a file that was read and found sound. Delete it at any time.

A file of chunks, each followed by a trailer of fixed size that names the state of `issues.jsonl`
it leads to. The first chunk holds every issue, each later one what a single write changed, so a
write appends a few hundred bytes. It is believed only if the last trailer names the present file:
size, mtime, ctime and inode.

Kernels stamp files with the time of their last tick, some milliseconds ago, so two changes within
one tick could look the same. Our own writes therefore set an mtime of their own to the nanosecond,
and a file of somebody else that changed just now is not remembered. Inode and times cannot be
guessed by whoever commits a crafted cache to a repository, so nothing of theirs reaches `marshal`.
"""

from __future__ import annotations

import marshal
import os
import sys

from aicp.issues.model import Issue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MAGIC = f"bd1 {sys.implementation.cache_tag}".encode()[:16].ljust(16)
_TRAILER = len(_MAGIC) + 6 * 8
_TICK = 50_000_000  # ns; kernels tick every 1 to 10 ms
_COMPACT = 256  # chunks after which a reader folds them into one


class Stamp:
    """What identifies one state of the file."""

    __slots__ = ("key", "plain")

    def __init__(self, info: os.stat_result, *, plain: bool) -> None:
        self.key = (info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
        self.plain = plain


def settled(info: os.stat_result, now: int) -> bool:
    """A file that changed longer ago than any clock tick: its next change will show."""
    return now - max(info.st_mtime_ns, info.st_ctime_ns) > _TICK


def last_stamp(path: str) -> tuple[tuple[int, ...], bool] | None:
    """The state the cache leads to and whether that file is plain, or None without a cache."""
    try:
        with open(path, "rb", 0) as file:
            file.seek(-_TRAILER, os.SEEK_END)
            return _open_trailer(file.read(_TRAILER))[1:]
    except (OSError, ValueError):
        return None


def load(path: str, key: tuple[int, ...]) -> tuple[list[Issue], list[int] | None, bool] | None:
    """(issues in file order, offsets or None in a plain file, worth folding), or None."""
    try:
        with open(path, "rb", 0) as file:
            chunks = _chunks(file.read(), key)
        return _replay([marshal.loads(chunk) for chunk in chunks])  # noqa: S302 - see above
    except (OSError, ValueError, EOFError, TypeError, IndexError):
        return None


def save(path: str, stamp: Stamp, issues: list[Issue], offsets: list[int] | None) -> None:
    """Write a fresh cache; a directory one may not write to simply has none."""
    columns = [list(column) for column in zip(*issues, strict=True)]  # half the time to read back
    payload = marshal.dumps((columns, offsets))
    scratch = f"{path}.{os.getpid()}.tmp"
    try:
        with open(scratch, "wb", 0) as file:
            file.write(payload + _trailer(payload, stamp))
        os.replace(scratch, path)
    except OSError:
        forget(scratch)


def append(path: str, before: tuple[int, ...], stamp: Stamp, changed: list[Issue]) -> bool:
    """Add what one write changed; False when the cache did not lead to the state before it.

    Looked at and written through one descriptor: a reader may put another cache in place meanwhile,
    and the addition then goes down with the old one. The caller holds the lock.
    """
    payload = marshal.dumps([tuple(issue) for issue in changed])
    try:
        with open(path, "r+b", 0) as file:
            file.seek(-_TRAILER, os.SEEK_END)
            if _open_trailer(file.read(_TRAILER))[1] != before:
                return False
            file.write(payload + _trailer(payload, stamp))
    except (OSError, ValueError):
        return False
    return True


def forget(path: str) -> None:
    """Remove a cache file, if it is there."""
    try:
        os.unlink(path)
    except OSError:
        return


def _trailer(payload: bytes, stamp: Stamp) -> bytes:
    numbers = (len(payload), *stamp.key, int(stamp.plain))
    return b"".join(n.to_bytes(8, "little") for n in numbers) + _MAGIC


def _open_trailer(trailer: bytes) -> tuple[int, tuple[int, ...], bool]:
    if trailer[-len(_MAGIC) :] != _MAGIC:
        raise ValueError("not a cache of this version")
    numbers = [int.from_bytes(trailer[at : at + 8], "little") for at in range(0, 48, 8)]
    return numbers[0], tuple(numbers[1:5]), bool(numbers[5])


def _chunks(content: bytes, key: tuple[int, ...]) -> list[bytes]:
    """The payloads, oldest first, found by walking back from the last trailer."""
    chunks: list[bytes] = []
    end = len(content)
    while end > 0:
        size, found, _ = _open_trailer(content[end - _TRAILER : end])
        start = end - _TRAILER - size
        if start < 0 or (not chunks and found != key):
            raise ValueError("a cache of another file")
        chunks.append(content[start : end - _TRAILER])
        end = start
    return chunks[::-1]


def _replay(values: list[Any]) -> tuple[list[Issue], list[int] | None, bool]:
    columns, offsets = values[0]
    rows = zip(*columns, strict=True)
    if len(values) == 1:
        return list(map(Issue, rows)), offsets, False
    by_id = {row[0]: row for row in rows}
    for changed in values[1:]:
        by_id.update((row[0], row) for row in changed)
    return [Issue(by_id[one]) for one in sorted(by_id)], None, len(values) > _COMPACT
