"""Looking at the server's world through its reads: what a call touches, and the state of it all."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from aicp.kernel.canonical import sha256
from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.files import unreadable
from aicp.toolkits.providers.mcp.form import Folder, Reading
from aicp.toolkits.providers.mcp.server import ToolFailed
from aicp.toolkits.providers.mcp.templates import MISSING, fill, look_up

LARGEST = 2**30  # bytes of a folder that are hashed


class Reads(Protocol):
    def read(self, tool: str, args: Json) -> Json: ...
    def where(self, folder: str) -> Path: ...


def looked(server: Reads, readings: list[Reading], facts: Mapping[str, Any]) -> list[Any]:
    """What each reading shows now; None where there is no such thing.

    Raises:
        ProviderError: a read failed, or its answer does not hold what is to be picked from it.
    """
    return [_look(server, reading, facts) for reading in readings]


def version_of(seen: Any) -> str:
    """20 digits over what was seen."""
    return sha256(json.dumps(seen, sort_keys=True).encode())[:20]


def state_of(server: Reads, state: list[Reading | Folder]) -> str:
    """SHA-256 over everything that is declared as state, in the declared order."""
    seen = [
        folder_hash(server.where(item.folder))
        if isinstance(item, Folder)
        else _look(server, item, {})
        for item in state
    ]
    return sha256(json.dumps(seen, sort_keys=True).encode())


def folder_hash(folder: Path) -> str:
    """SHA-256 over names, kinds, permissions and bytes of all below the folder.

    Raises:
        ProviderError: it cannot be read, or is larger than 1 GiB.
    """
    try:
        return sha256(json.dumps(_entries(folder)).encode())
    except OSError as error:
        raise unreadable(folder, error) from None


def _entries(folder: Path) -> list[list[Any]]:
    found: list[list[Any]] = []
    left = LARGEST
    for place, folders, files in os.walk(folder, onerror=_raise):
        for name in (*folders, *files):
            path = Path(place, name)
            seen = path.lstat()
            entry: list[Any] = [os.fsencode(path.relative_to(folder)).hex(), oct(seen.st_mode)]
            if path.is_symlink():
                entry.append(os.fsencode(path.readlink()).hex())
            elif path.is_file():
                left -= seen.st_size
                if left < 0:
                    raise ProviderError(
                        f"{folder} holds more than 1 GiB, too much to watch",
                        hint="give the server a smaller folder, or declare its state by readings",
                    )
                entry.append(sha256(path.read_bytes()))
            found.append(entry)
    return sorted(found)


def _raise(error: OSError) -> None:
    raise error


def _look(server: Reads, reading: Reading, facts: Mapping[str, Any]) -> Any:
    try:
        answer: Any = server.read(reading.tool, fill(reading.args, facts))
    except ToolFailed as error:
        if reading.absent and re.match(reading.absent, error.said):
            return None  # matched from its beginning: a name inside the text decides nothing
        raise
    value = look_up(answer, reading.pick) if reading.pick else answer
    if value is MISSING:
        raise ProviderError(
            f"the answer of {reading.tool} has no '{reading.pick}'",
            hint="mend 'pick' in the declaration",
        )
    return _matched(reading, value)


def _matched(reading: Reading, value: Any) -> Any:
    if not reading.match:
        return value
    text = value if isinstance(value, str) else value.get("text") if isinstance(value, dict) else ""
    found = re.search(reading.match, text or "")
    if found is None:
        raise ProviderError(
            f"the answer of {reading.tool} is not as 'match' expects it",
            hint="mend 'match' in the declaration",
        )
    return found[1]
