"""What a server writes on standard error: read to the last byte, logged redacted and in limits."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Self

from aicp.telemetry.logs import log
from aicp.telemetry.redaction import redact

LINE = 500  # characters of a line that are kept
LINES = 200  # lines of a session that are logged; the rest is read and thrown away
START = 5.0  # seconds until the first line, which our own launcher writes


class Stderr:
    """The pipe of one server. Its first line is the process id (see launch.py)."""

    def __init__(self, name: str, hide: Callable[[str], str]) -> None:
        self._name = name
        self._hide = hide
        self._process = 0
        self._began = threading.Event()
        self.last = ""  # the last line, for the sentence that says why a start failed

    def __enter__(self) -> Self:
        end, begin = os.pipe()
        self.into = os.fdopen(begin, "w")
        self._thread = threading.Thread(target=self._drain, args=(end,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.into.close()
        self._thread.join(1)

    @property
    def process(self) -> int:
        """The server's process id; 0 when nothing was started."""
        self._began.wait(START)
        return self._process

    def _drain(self, end: int) -> None:
        with os.fdopen(end, "rb") as lines:
            first = lines.readline(20).strip()
            self._process = int(first) if first.isdigit() else 0
            self._began.set()
            count = 0
            while line := lines.readline(65536):
                count += 1
                if count <= LINES:
                    self._keep(line)

    def _keep(self, line: bytes) -> None:
        text = str(redact(self._hide(line.decode("utf-8", "replace").strip())))[:LINE]
        if text:
            self.last = text
            log.info(
                "an MCP server wrote on standard error", toolkit=f"mcp_{self._name}", message=text
            )
