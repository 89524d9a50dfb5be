"""Remembers, in the work folder, whether a call's request has begun to leave this machine.

A call is noted as ready when it is looked at, and as leaving right before its first byte goes. So
a note that still says ready proves that nothing left; no note at all, as on another machine,
proves nothing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from aicp.kernel.canonical import sha256
from aicp.toolkits.providers.local.files import move, stamp, sync_folder, unreadable


class Gone(StrEnum):
    """How far a request got, as this machine knows."""

    NOT = "not"
    MAYBE = "maybe"
    UNKNOWN = "unknown"


class Left:
    """The notes on the requests of one connection."""

    def __init__(self, work_dir: Path, target: str) -> None:
        self._folder = work_dir / "left" / sha256(target.encode())[:24]

    def gone(self, key: str) -> Gone:
        if stamp(self._note(key, "leaving")):
            return Gone.MAYBE
        return Gone.NOT if stamp(self._note(key, "ready")) else Gone.UNKNOWN

    def ready(self, key: str) -> None:
        """Note that nothing of this call has left; a call that is known already keeps its note."""
        if self.gone(key) is Gone.UNKNOWN:
            self._write(self._note(key, "ready"))

    def leaving(self, key: str) -> None:
        """Note, durably, that from now on the request may have arrived."""
        if self.gone(key) is Gone.UNKNOWN:
            self.ready(key)
        if self.gone(key) is Gone.NOT:
            move(self._note(key, "ready"), self._note(key, "leaving"))

    def stayed(self, key: str) -> None:
        """The request had no effect for certain: it may be made as if for the first time."""
        if self.gone(key) is Gone.MAYBE:
            move(self._note(key, "leaving"), self._note(key, "ready"))

    def _write(self, path: Path) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise unreadable(self._folder, error) from None
        sync_folder(self._folder)

    def _note(self, key: str, state: str) -> Path:
        return self._folder / f"{sha256(key.encode())[:32]}.{state}"
