"""What a call replaces or deletes, kept by its SHA-256 in the work folder until an undo asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.files import sync_folder, unreadable

CHUNK = 1 << 20


class Trash:
    """A content-addressed store, readable by this user only. Nothing is ever removed by itself."""

    def __init__(self, work_dir: Path) -> None:
        self._folder = work_dir / "trash"

    def keep(self, chunks: Iterable[bytes], sha: str) -> None:
        """Store bytes durably before they are taken away.

        Raises:
            ProviderError: they are not the bytes that were announced, or the disk failed.
        """
        path = self._path(sha)
        if self._sound(sha):
            return
        spare = path.with_suffix(f".{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            found = _write(spare, chunks)
            if found != sha:
                raise ProviderError("the file was changed by somebody else at this very moment")
            spare.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            raise unreadable(self._folder, error) from None
        finally:
            with suppress(OSError):
                spare.unlink()

    def chunks(self, sha: str) -> Iterator[bytes]:
        """The stored bytes; whoever writes them checks their hash.

        Raises:
            ProviderError: they are gone, or cannot be read.
        """
        try:
            with self._path(sha).open("rb") as source:
                while chunk := source.read(CHUNK):
                    yield chunk
        except OSError as error:
            raise unreadable(self._path(sha), error) from None

    def has(self, sha: str) -> bool:
        return self._path(sha).is_file()

    def _sound(self, sha: str) -> bool:
        if not self.has(sha):
            return False
        seen = sha256()
        for chunk in self.chunks(sha):
            seen.update(chunk)
        return seen.hexdigest() == sha

    def _path(self, sha: str) -> Path:
        return self._folder / sha[:2] / sha


def _write(path: Path, chunks: Iterable[bytes]) -> str:
    seen = sha256()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        for chunk in chunks:
            seen.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    return seen.hexdigest()
