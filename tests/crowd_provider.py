"""A toolkit that many processes call and that fails by a seeded pattern: `crm`, kept in one folder.

It is not idempotent, so whoever calls twice has an effect twice; `ledger` tells. Loaded by workers as
AICP_PROVIDERS=flaky=crowd_provider:Flaky.
"""

from __future__ import annotations

import fcntl
import json
import random
import time
from pathlib import Path
from typing import Any

from aicp.toolkits.model import (
    BeforeImage,
    Call,
    Found,
    Json,
    Outcome,
    Reconciled,
    Resource,
    ToolSpec,
    UndoTier,
)
from aicp.toolkits.providers.base import Connection, ProviderError

TOOLKIT = "crm"
OUTAGE = 1.2  # seconds in which every call fails for good
OUTAGE_AT = 40  # the attempt it begins with
NOTE = ToolSpec(
    name="crm.note", title="Write a note", description="Adds one note.",
    args_schema={
        "type": "object", "required": ["text"], "additionalProperties": False,
        "properties": {"text": {"type": "string"}},
    },
    mutates=True, undo_tier=UndoTier.T1, scope="crm:write", undo="The note is deleted.",
)  # fmt: skip


class Flaky:
    """Answers 429, breaks off before or after its effect, and has one outage."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.folder = Path(connection.config["place"])
        self.seed = int(connection.config["seed"])

    def tools(self) -> tuple[ToolSpec, ...]:
        return (NOTE,)

    def describe(self) -> Resource:
        return Resource(account=self.connection.account, title="CRM", version="v1")

    def before(self, call: Call) -> BeforeImage:
        return BeforeImage("v1", {"values": None})

    def execute(self, call: Call, before: BeforeImage) -> Outcome:
        attempt = self._append("attempts", {"key": call.key, "at": time.time()})
        if self._out(attempt):
            self._append("failures", {"key": call.key, "kind": "outage"})
            raise ProviderError("the CRM is out of order", hint="wait until it is back")
        kind = self._kind(call.key)
        if kind != "well":
            self._append("failures", {"key": call.key, "kind": kind})
        if kind == "busy":
            raise ProviderError("too many requests", retryable=True, retry_after=1.5)
        if kind == "lost":
            raise ProviderError("the line broke before the request arrived", unknown=True)
        self._append("ledger", {"key": call.key, "text": call.args["text"]})
        if kind == "late":
            raise ProviderError("no answer in time", unknown=True)
        return Outcome({"note": call.key}, "v2")

    def verify(self, call: Call, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:
        return () if self._there(call) else ("the note is not there",)

    def reconcile(self, call: Call, before: BeforeImage) -> Reconciled:
        if self._there(call):
            return Reconciled(Found.DONE, Outcome({"note": call.key}, "v2"))
        return Reconciled(Found.NOT_DONE)

    def _there(self, call: Call) -> bool:
        return any(row["text"] == call.args["text"] for row in rows(self.folder, "ledger"))

    def _kind(self, key: str) -> str:
        """How the first try under a key ends; the second one under the same key is well."""
        if sum(row["key"] == key for row in rows(self.folder, "attempts")) > 1:
            return "well"
        chance = random.Random(f"{self.seed}:{key.split('.', 1)[1]}:{self.connection.account}")
        return chance.choices(["well", "busy", "late", "lost"], [82, 6, 7, 5])[0]

    def _out(self, attempt: int) -> bool:
        if attempt < OUTAGE_AT:
            return False
        began = rows(self.folder, "attempts")[OUTAGE_AT - 1]["at"]
        return time.time() < began + OUTAGE

    def _append(self, name: str, row: Json) -> int:
        """Add a line under a lock of all processes; returns how many there are."""
        path = self.folder / f"{name}.jsonl"
        with path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(json.dumps(row) + "\n")
            file.flush()
            file.seek(0)
            return sum(1 for _ in file)


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    """All lines of one of the toolkit's lists."""
    path = folder / f"{name}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
