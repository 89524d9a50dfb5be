"""A shell on a terminal of its own, into which a person types."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 20


class Terminal:
    """Keys go in, what the shell writes comes out."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.seen = ""

    def keys(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def until(self, words: str) -> str:
        """Read until these words are there; returns what came before them and drops both.

        Raises:
            AssertionError: they do not come.
        """
        while words not in self.seen:
            ready, _, _ = select.select([self.descriptor], [], [], SECONDS)
            assert ready, f"{words!r} did not come after {self.seen!r}"
            self.seen += os.read(self.descriptor, 65536).decode("utf-8", "replace")
        before, _, self.seen = self.seen.partition(words)
        return before


@contextmanager
def terminal(words: list[str], folder: Path, env: dict[str, str]) -> Iterator[Terminal]:
    """A program with a terminal, killed afterwards."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        words, cwd=folder, env=env | {"TERM": "dumb", "COLUMNS": "200"}, stdin=theirs,
        stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        yield Terminal(ours)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)
