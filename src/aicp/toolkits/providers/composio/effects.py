"""How each kind of change is looked at before, made once, found again, and taken back.

Composio's execute has no idempotency: the same request twice is the effect twice. So what was there
before is written down, and whether a call happened is told by reading back, never by trying again.
"""

from __future__ import annotations

from typing import Protocol

from aicp.toolkits.model import (
    BeforeImage,
    Found,
    Outcome,
    Reconciled,
    UndoResult,
    UndoStatus,
)
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.composio.changed import Labelled, Updated
from aicp.toolkits.providers.composio.created import Created
from aicp.toolkits.providers.composio.failures import Missing
from aicp.toolkits.providers.composio.reading import Tools, version_of

ABSENT = "absent"


class Effect(Protocol):
    """One call that changes something. Reads may raise ProviderError; `make` says if it is unknown."""

    def look(self) -> BeforeImage: ...

    def make(self, before: BeforeImage) -> Outcome:
        """Send the request once, and read back what it made."""
        ...

    def found(self, before: BeforeImage) -> Reconciled:
        """Whether it happened, by reading."""
        ...

    def wrong(self, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:
        """One sentence for each way the thing is not as the call promised."""
        ...

    def take_back(self, before: BeforeImage, outcome: Outcome) -> UndoResult: ...


def effect_of(tools: Tools) -> Effect:
    kinds: dict[str, type[Created | Updated | Deleted | Labelled | Unknown]] = {
        "create": Created, "update": Updated, "delete": Deleted, "labels": Labelled, "unknown": Unknown,
    }  # fmt: skip
    return kinds[tools.tool.effect](tools)


class Deleted:
    """A thing that goes for good."""

    def __init__(self, tools: Tools) -> None:
        self._t = tools
        self._key = str(tools.args.get(tools.tool.id, ""))

    def look(self) -> BeforeImage:
        thing = self._t.thing(self._key)
        if thing is None:
            raise Missing(f"there is no '{self._key[:80]}'", hint="list what there is first")
        return BeforeImage(version_of(thing), {"thing": thing})

    def make(self, before: BeforeImage) -> Outcome:
        if self._t.thing(self._key) != before.data["thing"]:
            raise ProviderError(
                f"{self._key[:80]} was changed by somebody else since it was read",
                hint="read it again and plan the change anew",
            )
        log = self._t.change(self._t.slug, self._t.args)[1]
        return Outcome({"id": self._key} | ({"log_id": log} if log else {}), ABSENT)

    def found(self, before: BeforeImage) -> Reconciled:
        thing = self._t.thing(self._key)
        if thing is None:
            return Reconciled(Found.DONE, Outcome({"id": self._key}, ABSENT))
        if version_of(thing) == before.version:
            return Reconciled(Found.NOT_DONE)
        return Reconciled(Found.UNCLEAR, why=f"{self._key} is there and changed since")

    def wrong(self, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:  # noqa: ARG002
        return (f"{self._key} is still there",) if self._t.thing(self._key) is not None else ()

    def take_back(self, before: BeforeImage, outcome: Outcome) -> UndoResult:  # noqa: ARG002
        if self._t.thing(self._key) is not None:
            return UndoResult(UndoStatus.ALREADY)
        return UndoResult(UndoStatus.IMPOSSIBLE, why=self._t.tool.undo)


class Unknown:
    """A tool nothing is declared about: made once, never found again, never taken back."""

    def __init__(self, tools: Tools) -> None:
        self._t = tools

    def look(self) -> BeforeImage:
        return BeforeImage("unknown")

    def make(self, before: BeforeImage) -> Outcome:  # noqa: ARG002
        answer, log = self._t.change(self._t.slug, self._t.args)
        return Outcome({"answer": answer} | ({"log_id": log} if log else {}), "unknown")

    def found(self, before: BeforeImage) -> Reconciled:  # noqa: ARG002
        return Reconciled(
            Found.UNCLEAR, why=f"nothing is declared about {self._t.slug} to read it back"
        )

    def wrong(self, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def take_back(self, before: BeforeImage, outcome: Outcome) -> UndoResult:  # noqa: ARG002
        return UndoResult(UndoStatus.IMPOSSIBLE, why=self._t.tool.undo)
