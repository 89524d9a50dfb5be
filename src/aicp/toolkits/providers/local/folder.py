"""A connected folder, reached only through open folder handles: nothing leads out of it.

Each part of a path is opened by itself and without following links, so neither `..` nor a link that
somebody puts there at the last moment leads elsewhere. Files are replaced as in `files.py`: written
beside, synced, looked at once more, renamed. A new name never replaces anything; only an edit in the
moment between that last look and the rename of a replaced file would be lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local import exclusive
from aicp.toolkits.providers.local.changes import State, is_text, shown
from aicp.toolkits.providers.local.files import unreadable
from aicp.toolkits.providers.local.folder_states import (
    FOLDER,
    SPARE,
    kind_of,
    look,
    names,
    opened,
    too_deep,
)
from aicp.toolkits.providers.local.trash import CHUNK


@dataclass(frozen=True, slots=True)
class Seen:
    """One entry of a walk; `path` may hold bytes that are no text (surrogates)."""

    path: str
    stat: os.stat_result

    @property
    def kind(self) -> str:
        return kind_of(self.stat)


class Folder:
    """The folder at `root`, a real path."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def at(self, path: str) -> Iterator[tuple[int, str]]:
        """The open folder a path lies in, and its last part ("." for the connected folder).

        Raises:
            FileNotFoundError: a folder on the way is not there.
            ProviderError: the path is no path inside, or leads through a link or a file.
        """
        *folders, name = parts_of(path) or ["."]
        handle = self._open_root()
        try:
            for part in folders:
                inner = os.open(part, FOLDER, dir_fd=handle)
                os.close(handle)
                handle = inner
            yield handle, name
        except NotADirectoryError:
            raise ProviderError(
                f"{shown(path)} leads through a link or a file",
                hint="name a path whose folders are real folders",
            ) from None
        finally:
            os.close(handle)

    def look(self, path: str) -> State:
        """Bytes, mode and time of what is at a path; None when nothing is.

        Raises:
            ProviderError: it cannot be read, or is being written at this moment.
        """
        try:
            with self.at(path) as (handle, name):
                return look(handle, name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self.failed(path, error) from None
        except RecursionError:
            raise too_deep(path) from None

    @contextmanager
    def reading(self, path: str) -> Iterator[tuple[BinaryIO, os.stat_result]]:
        """A regular file, open for reading.

        Raises:
            ProviderError: it is something else, or may not be read.
        """
        try:
            with self.at(path) as (handle, name), opened(handle, name) as source:
                yield source, os.fstat(source.fileno())
        except OSError as error:
            raise self.failed(path, error) from None

    def chunks(self, path: str) -> Iterator[bytes]:
        with self.reading(path) as (source, _):
            while chunk := source.read(CHUNK):
                yield chunk

    def walk(self, path: str = "", *, depth: int = 64, deep: bool = True) -> Iterator[Seen]:
        """Everything below a folder (or right in it), in the order of names, links not followed.

        Raises:
            ProviderError: a folder cannot be read, or they are nested too deeply.
        """
        try:
            with self.at(path) as (handle, name):
                inner = os.open(name, FOLDER, dir_fd=handle)
                try:
                    yield from _walk(inner, path, depth if deep else -1)
                finally:
                    os.close(inner)
        except OSError as error:
            raise self.failed(path, error) from None

    def put(self, path: str, data: Iterable[bytes], was: State, becomes: Json, extra: Json) -> None:
        """Write a file whose state is then exactly `becomes`, in the place of `was`.

        Raises:
            ProviderError: the place or the bytes are not what they were, or the disk failed.
        """
        spare = f".aicp-{sha256(os.fsencode(path)).hexdigest()[:24]}.tmp"
        try:
            with self.at(path) as (handle, name):
                try:
                    _fill(handle, spare, data, becomes, extra)
                    self._refuse_changed(handle, name, path, was)
                    if was is None:
                        exclusive.rename(handle, spare, handle, name)
                    else:
                        os.rename(spare, name, src_dir_fd=handle, dst_dir_fd=handle)
                finally:
                    with suppress(OSError):
                        os.unlink(spare, dir_fd=handle)
                self._settle(path, handle)
        except OSError as error:
            raise self.failed(path, error) from None

    def remove(self, path: str, was: State) -> None:
        """Take away the file or the empty folder whose state is `was`."""
        try:
            with self.at(path) as (handle, name):
                self._refuse_changed(handle, name, path, was)
                if was and was["kind"] == "folder":
                    os.rmdir(name, dir_fd=handle)
                else:
                    os.unlink(name, dir_fd=handle)
                self._settle(path, handle)
        except OSError as error:
            raise self.failed(path, error) from None

    def move(self, old: str, new: str, was: State) -> None:
        """Rename what has the state `was`; nothing is ever overwritten."""
        try:
            with self.at(old) as (here, name), self.at(new) as (there, to):
                self._refuse_changed(here, name, old, was)
                exclusive.rename(here, name, there, to)
                self._settle(new, there, here)
        except OSError as error:
            raise self.failed(new, error) from None

    def make_folder(self, path: str, mode: int) -> None:
        try:
            with self.at(path) as (handle, name):
                os.mkdir(name, mode, dir_fd=handle)
                self._settle(path, handle)
        except OSError as error:
            raise self.failed(path, error) from None

    def set_mode(self, path: str, mode: int, was: State) -> None:
        """Give the file of state `was` another mode; its bytes and times stay."""
        try:
            with self.at(path) as (handle, name), opened(handle, name) as source:
                self._refuse_changed(handle, name, path, was)
                os.fchmod(source.fileno(), mode)
                self._settle(path, source.fileno())
        except OSError as error:
            raise self.failed(path, error) from None

    def failed(self, path: str, error: OSError) -> ProviderError:
        """One sentence on what the system said about a path."""
        if isinstance(error, FileExistsError):
            return ProviderError(f"{shown(path)} is there already", hint="choose another name")
        return unreadable(Path(str(self.root), shown(path).strip("'")), error)

    def _open_root(self) -> int:
        try:
            return os.open(self.root, FOLDER)
        except OSError as error:
            raise self.failed("", error) from None

    def _refuse_changed(self, handle: int, name: str, path: str, was: State) -> None:
        if look(handle, name) != was:
            raise ProviderError(
                f"{shown(path)} was changed by somebody else at this very moment",
                hint="read it again and plan the change anew",
            )

    def _settle(self, path: str, *handles: int) -> None:
        """The effect is there: make it last. A failure here leaves its fate open."""
        try:
            for handle in handles:
                os.fsync(handle)
        except OSError as error:
            failed = self.failed(path, error)
            raise ProviderError(failed.message, hint=failed.hint, unknown=True) from None


def parts_of(path: str) -> list[str]:
    """The parts of a path inside the folder; none for the folder itself.

    Raises:
        ProviderError: it is absolute, has an empty, `.` or `..` part, a NUL, or is no text.
    """
    parts = path.split("/") if path else []
    if any(part in ("", ".", "..") for part in parts):
        raise ProviderError(
            f"{shown(path)} is no path inside the connected folder",
            hint="write it from the connected folder down, as in notes/today.txt",
        )
    if "\0" in path or not is_text(path) or any(len(os.fsencode(p)) > 255 for p in parts):
        raise ProviderError(f"{shown(path)} cannot be the name of a file", hint="correct the path")
    if any(SPARE.match(part) for part in parts):
        raise ProviderError(f"{shown(path)} is a name kept for unfinished writes")
    return parts


def _walk(handle: int, path: str, depth: int) -> Iterator[Seen]:
    if depth == 0:
        raise too_deep(path)
    for name in names(handle):
        if SPARE.match(name):
            continue
        seen = Seen(f"{path}/{name}" if path else name, _stat(handle, name))
        yield seen
        if seen.kind == "folder" and depth > 0:
            inner = os.open(name, FOLDER, dir_fd=handle)
            try:
                yield from _walk(inner, seen.path, depth - 1)
            finally:
                os.close(inner)


def _stat(handle: int, name: str) -> os.stat_result:
    return os.stat(name, dir_fd=handle, follow_symlinks=False)


def _fill(handle: int, spare: str, data: Iterable[bytes], becomes: Json, extra: Json) -> None:
    """Write and sync the new file beside the old one, exact to the nanosecond."""
    with suppress(FileNotFoundError):
        os.unlink(spare, dir_fd=handle)  # left by a process that was killed; the lock makes it ours
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(spare, flags, 0o600, dir_fd=handle), "wb") as out:
        for chunk in data:
            out.write(chunk)
        out.flush()
        own = os.fstat(out.fileno())
        if extra.get("owner", [own.st_uid, own.st_gid]) != [own.st_uid, own.st_gid]:
            os.fchown(out.fileno(), *extra["owner"])
        os.fchmod(out.fileno(), int(becomes["mode"], 8))
        os.utime(out.fileno(), ns=(int(becomes["modified"]), int(becomes["modified"])))
        os.fsync(out.fileno())
    made = look(handle, spare)
    if made != becomes:
        wrong = [key for key in becomes if (made or {}).get(key) != becomes[key]]
        raise ProviderError(
            f"the file could not be written exactly: its {' and '.join(wrong)} would differ",
            hint="read it again and plan anew; the disk must keep modes and times to the nanosecond",
        )
