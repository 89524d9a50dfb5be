"""Remembers the outcome of each finished call by its idempotency key, in the work folder.

The memory is written after the effect, so it may lack the last call of a process that was killed;
providers therefore also read back. It makes a late repeat harmless even when the thing moved on.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from aicp.kernel.canonical import digest, sha256
from aicp.toolkits.model import Call, Outcome
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.files import unreadable


class Done:
    """The finished calls of one target (a file path, a table address)."""

    def __init__(self, work_dir: Path, target: str) -> None:
        self._folder = work_dir / "done" / sha256(target.encode())[:24]

    def outcome(self, call: Call) -> Outcome | None:
        """What the call gave the first time; None when it is not known to have been done.

        Raises:
            ProviderError: the key belongs to another call, so its outcome would be a lie.
        """
        if not call.key:
            return None
        try:
            known = json.loads(self._path(call).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        except OSError as error:
            raise unreadable(self._folder, error) from None
        if known["call"] != digest([call.tool, call.args]):
            raise ProviderError(
                f"the key of this {call.tool} was used for another call", hint="give it its own key"
            )
        return Outcome(**known["outcome"])

    def remember(self, call: Call, outcome: Outcome) -> None:
        if not call.key:
            return
        path = self._path(call)
        spare = path.with_suffix(f".{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            made = {"call": digest([call.tool, call.args]), "outcome": asdict(outcome)}
            spare.write_text(json.dumps(made), encoding="utf-8")
            spare.replace(path)
        except OSError:
            # The effect is there already: failing now would claim it is not. Reading back serves.
            with suppress(OSError):
                spare.unlink()

    def forget(self, call: Call) -> None:
        """After an undo the effect is gone, and so is its memory."""
        if call.key:
            with suppress(OSError):
                self._path(call).unlink(missing_ok=True)

    def _path(self, call: Call) -> Path:
        return self._folder / f"{sha256(call.key.encode())[:32]}.json"
