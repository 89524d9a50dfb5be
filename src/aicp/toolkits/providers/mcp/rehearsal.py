"""Rehearsing: the server a second time on a private copy of its folder, or a run that does nothing."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any

from aicp.toolkits.model import (
    Json,
)
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.local.files import private_folder, unreadable
from aicp.toolkits.providers.mcp.form import Server
from aicp.toolkits.providers.mcp.server import Listing, Remote, remote

Renaming = Callable[[Json], Json]


class Moved:
    """A server on a copy, spoken to as if it were on the real folder.

    Every mention of the folder is replaced on the way in, and put back on the way out.
    """

    def __init__(self, server: Remote, real: Path, copy: Path) -> None:
        self.name = server.name
        self._server = server
        self._there = renaming(real, copy)
        self._back = renaming(copy, real)

    def listing(self) -> Listing:
        return self._server.listing()

    def read(self, tool: str, args: Json) -> Json:
        return self._back(self._server.read(tool, self._there(args)))

    def change(self, tool: str, args: Json) -> Json:
        return self._back(self._server.change(tool, self._there(args)))

    def where(self, folder: str) -> Path:
        return Path(self._there({"folder": folder})["folder"])


@contextmanager
def copied(
    connection: Connection, name: str, declared: Server, folder: Path
) -> Iterator[tuple[Connection, Moved]]:
    """A connection and a server on a private copy of the folder, both gone afterwards.

    Raises:
        ProviderError: the folder cannot be copied, or a link in it leads outside.
    """
    with private_folder(connection.work_dir) as private:
        copy = private.resolve() / "copy"
        _copy(folder, copy)
        server = remote(name, _started_on(declared, renaming(folder, copy)), connection)
        try:
            yield with_fields(connection, work_dir=private), Moved(server, folder, copy)
        finally:
            server.close()


def renaming(old: Path, new: Path) -> Renaming:
    """Replaces a path, and what lies below it, in every text of a JSON value."""
    named = re.compile(re.escape(str(old)) + r"(?![\w-]|\.\w)")

    def renamed(value: Any) -> Any:
        if isinstance(value, str):
            return named.sub(lambda _: str(new), value)
        if isinstance(value, dict):
            return {renamed(key): renamed(each) for key, each in value.items()}
        return [renamed(each) for each in value] if isinstance(value, list) else value

    return renamed


def _started_on(declared: Server, there: Renaming) -> Server:
    literal = {key: part for key, part in declared.env.items() if isinstance(part, str)}
    moved = there({"args": declared.args, "env": literal, "cwd": declared.cwd})
    return declared.model_copy(update=moved | {"env": {**declared.env, **moved["env"]}})


def _copy(folder: Path, copy: Path) -> None:
    try:
        shutil.copytree(folder, copy, symlinks=True)
    except OSError as error:
        raise unreadable(folder, error) from None
    for place, folders, files in os.walk(copy):
        for path in (Path(place, name) for name in (*folders, *files)):
            if path.is_symlink() and not _stays(path, copy):
                raise ProviderError(
                    f"{folder / path.relative_to(copy)} is a link that leads outside, so that a "
                    "rehearsal on a copy could reach it",
                    hint="take the link away, or declare the server without 'rehearse'",
                )


def _stays(link: Path, copy: Path) -> bool:
    return not link.readlink().is_absolute() and link.resolve().is_relative_to(copy)
