"""A toolkit that many processes call and that fails by a seeded pattern: `crm`, kept in one folder.

It is not idempotent, so whoever calls twice has an effect twice; `ledger` tells. Loaded by workers as
AICP_PROVIDERS=flaky=crowd_provider:Flaky.
"""

from __future__ import annotations

import fcntl
import json
import random
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from aicp.app import App
from aicp.kernel.db import Actor
from aicp.kernel.ids import new_id
from aicp.missions import plan_store, store
from aicp.toolkits.model import (
    BeforeImage,
    Call,
    Found,
    Json,
    Outcome,
    Reconciled,
    Resource,
    ToolSpec,
    UndoResult,
    UndoTier,
)
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.trust.plan import Plan, Play, Provenance, Step

TOOLKIT = "crm"
OUTAGE = 1.2  # seconds in which every call fails for good
OUTAGE_AT = 30  # the attempt it begins with
OUTAGE_CALLS = 8  # that many fail however slow the machine is
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
        return Resource(TOOLKIT, self.connection.account, "CRM", "v1", (NOTE.name,))

    def before(self, call: Call) -> BeforeImage:
        return BeforeImage("v1", {"values": None})

    def execute(self, call: Call, before: BeforeImage) -> Outcome:
        attempt = self._append("attempts", {"key": call.key, "at": time.time()})
        kind = self._ending(call.key, attempt)
        if kind != "well":
            self._append("failures", {"key": call.key, "kind": kind})
        if kind == "outage":
            raise ProviderError("the CRM is out of order", hint="wait until it is back")
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

    def _ending(self, key: str, attempt: int) -> str:
        """How a try ends; the second one under the same key is well."""
        if self._out(attempt):
            return "outage"
        if sum(row["key"] == key for row in rows(self.folder, "attempts")) > 1:
            return "well"
        chance = random.Random(f"{self.seed}:{key.split('.', 1)[1]}:{self.connection.account}")
        return chance.choices(["well", "busy", "late", "lost"], [82, 6, 7, 5])[0]

    def _out(self, attempt: int) -> bool:
        if attempt < OUTAGE_AT:
            return False
        began = rows(self.folder, "attempts")[OUTAGE_AT - 1]["at"]
        return attempt < OUTAGE_AT + OUTAGE_CALLS or time.time() < began + OUTAGE

    def _append(self, name: str, row: Json) -> int:
        """Add a line under a lock of all processes; returns how many there are."""
        path = self.folder / f"{name}.jsonl"
        with path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(json.dumps(row) + "\n")
            file.flush()
            file.seek(0)
            return sum(1 for _ in file)


class Scripted(Flaky):
    """The same toolkit; how each try ends stands in its folder, what is not said goes well."""

    def before(self, call: Call) -> BeforeImage:
        if self._next("reads") == "busy":
            raise ProviderError("too many requests", retryable=True)
        return super().before(call)

    def execute(self, call: Call, before: BeforeImage) -> Outcome:
        outcome = super().execute(call, before)
        held = (self.folder / "held").exists()
        return replace(outcome, held_until="2026-11-23T09:30:00+00:00") if held else outcome

    def release(self, call: Call, outcome: Outcome) -> Outcome:
        raise LookupError("a bug in the release")

    def undo(self, call: Call, before: BeforeImage, outcome: Outcome) -> UndoResult:
        raise LookupError("a bug in the undo")

    def _ending(self, key: str, attempt: int) -> str:
        return self._next("calls")

    def _next(self, name: str) -> str:
        path = self.folder / name
        first, *rest = path.read_text("utf-8").split() if path.exists() else ["well"]
        if rest or path.exists():
            path.write_text(" ".join(rest or ["well"]), "utf-8")
        return first


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    """All lines of one of the toolkit's lists."""
    path = folder / f"{name}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


# Missions that use it -------------------------------------------------------------------------


def plan(mission_id: str, account: str, n: int, steps: int) -> Plan:
    """So many notes, one after the other; each text is there once among all missions."""
    said = Provenance(source="intent", where="the intent", trusted=True)
    step: dict[str, Any] = {
        "tool": NOTE.ref, "account": account, "mutates": True, "provenance": {"text": said},
        "undo_tier": UndoTier.T1, "effect": "A note.", "undo": "Deleted.",
    }  # fmt: skip
    return Plan(
        mission_id=mission_id, scopes=(NOTE.scope,), safeguards=(), data_versions={},
        play=Play(
            id="notes", title="Notes", summary="Writes notes", rationale="", score=1.0, terms=(),
            impact="low", reversibility="high", risk="low", affected={},
            steps=tuple(Step(seq=s, args={"text": f"{n}:{s}"}, **step) for s in range(1, steps + 1)),
        ),
    )  # fmt: skip


def approved(
    app: App, actor: Actor, n: int, *, steps: int, place: Path, priority: int = 2, seed: int = 0,
    provider: str = "flaky",
) -> str:  # fmt: skip
    """An approved mission of notes, as the verbs would leave it; its job is not queued yet."""
    mission_id, approval_id, at = new_id("m"), new_id("a"), app.clock()
    account = f"crm-{n}"
    with app.transaction(actor) as conn:
        store.add(
            conn, actor, mission_id=mission_id, title=f"Notes {n}", intent="Write notes",
            priority=priority, correlation_id=f"c{n}", at=at,
        )  # fmt: skip
        digest = plan_store.save_plan(conn, actor, plan(mission_id, account, n, steps), at=at)
        config = {"place": str(place), "seed": seed}
        made = Connection(TOOLKIT, account, config, provider=provider)
        store.add_connection(conn, actor, mission_id, made)
        store.request_scopes(conn, mission_id, account, [NOTE.scope])
        plan_store.request_approval(
            conn, actor, approval_id=approval_id, mission_id=mission_id, digest=digest, risk="low",
            required=("owner",), at=at, expires_at=at + timedelta(hours=1),
        )  # fmt: skip
        plan_store.settle_approval(conn, approval_id, "approved", reason="", at=at)
        store.change(
            conn, mission_id, at, plan_digest=digest, current_stage="Execute", status="in_progress",
            step_count=steps,
        )  # fmt: skip
    return mission_id
