"""A folder of somebody's: files listed, read, written, moved, packed, deleted and redacted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from aicp.toolkits.model import Call, Json, Resource, ToolSpec, UndoResult, UndoStatus
from aicp.toolkits.providers import Where
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.local import folder_reads
from aicp.toolkits.providers.local.changes import Changing, Place, State, version_of
from aicp.toolkits.providers.local.checked import checked
from aicp.toolkits.providers.local.files import private_folder, unreadable
from aicp.toolkits.providers.local.folder import Folder
from aicp.toolkits.providers.local.folder_bytes import new_bytes
from aicp.toolkits.providers.local.folder_plans import plan
from aicp.toolkits.providers.local.folder_reads import measure
from aicp.toolkits.providers.local.folder_tools import TOOLS
from aicp.toolkits.providers.local.trash import Trash

_READS = {
    "files.list": folder_reads.listing,
    "files.read": folder_reads.content,
    "files.stat": folder_reads.look,
    "files.duplicates": folder_reads.duplicates,
}


def named(target: str, where: Where) -> Connection:
    """The connection that `--connect files:/a/folder` means.

    Raises:
        ProviderError: it is no folder, or this system's own data lies inside.
    """
    path = where.inside(target)
    if not path.is_dir():
        raise ProviderError(f"{path} is not a folder", hint="write files:/path/to/a/folder")
    made = Connection("files", f"files {path.name}", {"path": str(path)}, where.work_dir)
    LocalFiles(made)
    return made


class LocalFiles(Changing):
    """The folder of one connection. Names, bytes, modes and times of its files are its state."""

    def __init__(self, connection: Connection) -> None:
        root = Path(str(connection.config.get("path", "")))
        if not root.is_absolute():
            raise ProviderError("the files connection needs 'path', an absolute path")
        if root.resolve() != root:
            raise ProviderError(
                f"{root} leads through a link", hint="connect the real folder behind it"
            )
        if connection.work_dir.resolve().is_relative_to(root):
            raise ProviderError(
                f"{root} holds this system's own data", hint="connect a folder inside it or beside it"
            )  # fmt: skip
        super().__init__(connection, str(root))
        self._folder = Folder(root)
        self._trash = Trash(connection.work_dir)

    def tools(self) -> tuple[ToolSpec, ...]:
        return TOOLS

    def describe(self) -> Resource:
        counts = measure(self._folder)
        return Resource(
            toolkit="files",
            account=self.connection.account,
            title=f"{self.connection.account}: {counts['file']} files, {counts['folder']} folders",
            version=self.state_hash(),
            tools=tuple(tool.name for tool in TOOLS),
            rows=counts["file"],
            key="path",
            facts={name: counts[name] for name in ("folder", "link", "special", "unusable", "bytes")},
        )  # fmt: skip

    def read(self, call: Call) -> Json:
        checked(TOOLS, call, mutates=False)
        return _READS[call.tool](self._folder, call.args)

    def state_hash(self) -> str:
        measure(self._folder)  # refuses what is too much to hash
        root = self._folder.look("")
        if root is None:
            raise ProviderError(f"{self._folder.root} does not exist", hint="check the path")
        return root["modified"]

    @contextmanager
    def rehearsal(self) -> Iterator[LocalFiles]:
        """On a full copy: hard links would let a rehearsed change of mode reach the real file."""
        measure(self._folder)
        with private_folder(self.connection.work_dir) as folder:
            copy = folder.resolve() / "copy" / self._folder.root.name
            try:
                shutil.copytree(self._folder.root, copy, symlinks=True, ignore=_special)
            except (OSError, shutil.Error) as error:
                cause = error if isinstance(error, OSError) and error.strerror else OSError(5, str(error)[:200])  # fmt: skip
                raise unreadable(self._folder.root, cause) from None
            config = {**self.connection.config, "path": str(copy)}
            yield LocalFiles(replace(self.connection, config=config, work_dir=folder / "work"))

    def _look(self, name: str) -> State:
        return self._folder.look(name)

    def _plan(self, call: Call) -> tuple[Place, ...]:
        return plan(self._folder, call, self.connection.work_dir)

    def _make(self, call: Call, places: Sequence[Place]) -> None:
        place, last = places[0], places[-1]
        if place.was and place.was["kind"] == "file" and call.tool in _KEEP:
            self._trash.keep(self._folder.chunks(place.name), place.was["sha256"])
        if call.tool == "files.move":
            self._folder.move(place.name, last.name, place.was)
        elif call.tool == "files.delete":
            self._folder.remove(place.name, place.was)
        elif last.becomes is None:
            raise ProviderError(f"the before-image of {call.tool} is not complete")
        elif call.tool == "files.folder":
            self._folder.make_folder(last.name, int(last.becomes["mode"], 8))
        elif call.tool == "files.mode":
            self._folder.set_mode(last.name, int(last.becomes["mode"], 8), last.was)
        else:
            data = new_bytes(self._folder, call)
            self._folder.put(last.name, data, last.was, last.becomes, last.extra)

    def _take_back(self, call: Call, places: Sequence[Place]) -> UndoResult:
        place, last = places[0], places[-1]
        if call.tool == "files.move":
            self._folder.move(last.name, place.name, last.becomes)
        elif place.was is None:
            self._folder.remove(place.name, place.becomes)
        elif call.tool == "files.mode":
            self._folder.set_mode(place.name, int(place.was["mode"], 8), place.becomes)
        elif not self._trash.has(place.was["sha256"]):
            return UndoResult(
                UndoStatus.IMPOSSIBLE, why="the bytes before the call were removed from the trash"
            )
        else:
            data = self._trash.chunks(place.was["sha256"])
            self._folder.put(place.name, data, place.becomes, place.was, place.extra)
        return UndoResult(UndoStatus.RESTORED)

    def _data(self, places: Sequence[Place]) -> Json:
        last = places[-1]
        return {"path": last.name, "version": version_of(last.becomes)}


_KEEP = frozenset({"files.write", "files.redact", "files.delete"})


def _special(folder: str, names: list[str]) -> set[str]:
    """Pipes, sockets and devices are not copied: no tool can change them."""
    paths = ((name, os.path.join(folder, name)) for name in names)  # noqa: PTH118
    return {name for name, path in paths if not _copied(Path(path))}


def _copied(path: Path) -> bool:
    return path.is_symlink() or path.is_file() or path.is_dir()
