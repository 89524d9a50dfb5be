"""Everything the sandbox remembers, in one JSON file that is replaced whole at each change."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from aicp.kernel.canonical import digest
from aicp.toolkits.sandbox.composio.gmail import GMAIL
from aicp.toolkits.sandbox.composio.hubspot import HUBSPOT
from aicp.toolkits.sandbox.composio.kit import Json, Tool, Toolkit
from aicp.toolkits.sandbox.composio.linear import LINEAR
from aicp.toolkits.sandbox.composio.search import SEARCH
from aicp.toolkits.sandbox.composio.slack import SLACK

TOOLKITS: dict[str, Toolkit] = {
    kit.slug: kit
    for kit in (SEARCH, GMAIL, HUBSPOT, SLACK, LINEAR)  # no sign-in comes first
}
TOOLS: dict[str, tuple[Toolkit, Tool]] = {
    tool.slug: (kit, tool) for kit in TOOLKITS.values() for tool in kit.tools
}
FILE = "state.json"
STAMPS = frozenset({"updatedAt"})
LOGS = 500  # executions that are remembered


class Store:
    """The state of one sandbox folder. One process owns it; a change is on disk before it is seen."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE
        self.state: Json = self._load()

    def reset(self) -> None:
        """The sample records again; no accounts, no links, no logs."""
        with self.change() as state:
            state.clear()
            state.update(fresh())

    def look(self) -> Json:
        """A copy that may be looked at and spoiled."""
        return deepcopy(self.state)

    @contextmanager
    def look_at(self) -> Iterator[Json]:
        """The state itself, for reading tools: their log entries reach the disk with the next change."""
        yield self.state

    @contextmanager
    def change(self) -> Iterator[Json]:
        """A copy to change; it becomes the state, on disk first, unless an error leaves the block."""
        changed = deepcopy(self.state)
        yield changed
        _write(self._path, changed)
        self.state = changed

    def _load(self) -> Json:
        try:
            return json.loads(self._path.read_bytes())
        except FileNotFoundError:
            state = fresh()
            _write(self._path, state)
            return state


def fresh() -> Json:
    """A state with the sample records."""
    return {
        "next": 1000,
        "data": {slug: kit.records() for slug, kit in TOOLKITS.items()},
        "auth_configs": {},
        "accounts": {},
        "links": {},
        "logs": [],
    }


def records_hash(data: Json) -> str:
    """SHA-256 over the records of some toolkits.

    Without the stamps that the service sets itself at each change: nobody can set them back.
    """
    return digest(_unstamped(data))


def _unstamped(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _unstamped(part) for name, part in value.items() if name not in STAMPS}
    return value


def new_id(state: Json, prefix: str) -> str:
    """An id that this sandbox never gave before."""
    state["next"] += 1
    return f"{prefix}{state['next']}"


def _write(path: Path, state: Json) -> None:
    """Whole or not at all, whenever the process dies."""
    spare = path.with_suffix(".tmp")
    with spare.open("w", encoding="utf-8") as out:
        json.dump(state, out, ensure_ascii=False)
        out.flush()
        os.fsync(out.fileno())
    spare.replace(path)
