"""What lies in an open folder, as a state: kind, bytes, mode and time; links are never followed."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import BinaryIO

from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.changes import State, shown
from aicp.toolkits.providers.local.trash import CHUNK

SPARE = re.compile(r"^\.aicp-[0-9a-f]{24}\.tmp$")  # a write that was broken off
MOST_HASHED = 1 << 30  # bytes of one file
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def kind_of(seen: os.stat_result) -> str:
    """file, folder, link, or special (a device, pipe or socket)."""
    for test, kind in ((stat.S_ISREG, "file"), (stat.S_ISDIR, "folder"), (stat.S_ISLNK, "link")):
        if test(seen.st_mode):
            return kind
    return "special"


def look(handle: int, name: str) -> State:
    try:
        seen = os.stat(name, dir_fd=handle, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return state_of(handle, name, seen)


def state_of(handle: int, name: str, seen: os.stat_result) -> Json:
    """What an entry is: for a file its bytes too, for a folder all that it holds."""
    kind = kind_of(seen)
    mode = f"{stat.S_IMODE(seen.st_mode):04o}"
    if kind == "file":
        sha, size, modified = _hash(handle, name)
        return {"kind": kind, "sha256": sha, "size": size, "mode": mode, "modified": modified}
    if kind == "folder":
        holds, modified = _tree(handle, name)
        return {"kind": kind, "mode": mode, "holds": holds, "modified": modified}
    if kind == "link":
        target = os.fsencode(os.readlink(name, dir_fd=handle))
        return {"kind": kind, "sha256": sha256(target).hexdigest()}
    return {"kind": kind, "mode": mode}


def _tree(handle: int, name: str) -> tuple[str, str]:
    """SHA-256 over the names and states below a folder: once without times, once with them."""
    inner, bytes_, times = os.open(name, FOLDER, dir_fd=handle), sha256(), sha256()
    try:
        for entry in names(inner):
            state = None if SPARE.match(entry) else look(inner, entry)
            if state is not None and state["kind"] != "special":  # no tool can change it
                modified = state.pop("modified", "")
                line = os.fsencode(entry) + b"\0" + repr(sorted(state.items())).encode() + b"\n"
                bytes_.update(line)
                times.update(line + modified.encode() + b"\n")
    finally:
        os.close(inner)
    return bytes_.hexdigest(), times.hexdigest()


def _hash(handle: int, name: str) -> tuple[str, int, str]:
    with opened(handle, name) as source:
        before, total = os.fstat(source.fileno()), sha256()
        if before.st_size > MOST_HASHED:
            raise ProviderError(f"{shown(name)} is larger than 1 GiB", hint="handle it by hand")
        while chunk := source.read(CHUNK):
            total.update(chunk)
        after = os.fstat(source.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ProviderError(f"{shown(name)} is being written at this moment", retryable=True)
    return total.hexdigest(), after.st_size, str(after.st_mtime_ns)


@contextmanager
def opened(handle: int, name: str) -> Iterator[BinaryIO]:
    """A regular file without following a link; a pipe or device is never waited for."""
    if kind_of(os.stat(name, dir_fd=handle, follow_symlinks=False)) != "file":
        raise ProviderError(
            f"{shown(name)} is no regular file", hint="links, folders, pipes and devices stay as they are"
        )  # fmt: skip
    with os.fdopen(os.open(name, _FILE, dir_fd=handle), "rb") as source:
        if kind_of(os.fstat(source.fileno())) != "file":
            raise ProviderError(f"{shown(name)} is no regular file")
        yield source


def names(handle: int) -> list[str]:
    return sorted(os.listdir(handle), key=os.fsencode)


def too_deep(path: str) -> ProviderError:
    return ProviderError(
        f"{shown(path)} holds folders nested more than 64 deep",
        hint="connect a folder further down",
    )
