"""A new thing: how it is told from what was there before, and taken away again."""

from __future__ import annotations

from typing import Any

from aicp.toolkits.model import (
    BeforeImage,
    Found,
    Json,
    Outcome,
    Reconciled,
    UndoResult,
    UndoStatus,
)
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.composio.paths import alike, at, fill, flat, holds, plain
from aicp.toolkits.providers.composio.reading import (
    Tools,
    conflict,
    listed,
    made,
    stays,
    unread,
    version_of,
)

NEW = "new"
FRESH = 20  # new things that are looked at to find ours


class Created:
    """A new thing: a draft, a sent mail, a contact, a message, an issue."""

    def __init__(self, tools: Tools) -> None:
        self._t = tools

    def look(self) -> BeforeImage:
        data: Json = {"known": sorted(self._ids())}
        if source := self._t.tool.source:
            data["source"] = self._t.read(source.tool, fill(source.args, {"args": self._t.args}))
        return BeforeImage(NEW, data)

    def make(self, before: BeforeImage) -> Outcome:
        answer, log = self._t.change(self._t.slug, self._t.args)
        key = at(answer, self._t.tool.made)
        if key is None:
            found = self.found(before)
            if found.outcome is None:
                raise ProviderError(f"{self._t.slug} does not say what it made", unknown=True)
            return found.outcome
        try:
            thing = self._t.thing(str(key))
        except ProviderError as error:
            raise unread(self._t.slug, error) from error
        return made(str(key), thing, log)

    def found(self, before: BeforeImage) -> Reconciled:
        fresh = [key for key in self._ids() if key not in set(before.data["known"])]
        things = {key: self._t.thing(key) for key in fresh[:FRESH]}
        there = {key: one for key, one in things.items() if one is not None}
        ours = {key: one for key, one in there.items() if self._same(one, before)}
        if len(ours) == 1:
            ((key, thing),) = ours.items()
            return Reconciled(Found.DONE, made(key, thing, ""))
        near = [key for key, one in there.items() if self._near(one, before)]
        if near or len(fresh) > FRESH:
            # It may be ours, rewritten by the service: to make it again could be the second time.
            why = f"{len(near) or len(fresh)} new things may be what {self._t.slug} made"
            return Reconciled(Found.UNCLEAR, why=why)
        return Reconciled(Found.NOT_DONE)

    def wrong(self, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:
        thing = self._t.thing(outcome.data["id"])
        if thing is None:
            return (f"what {self._t.slug} made is not there",)
        return tuple(
            f"{path} is not what was asked for"
            for path, wanted in self._asked(before)
            if not self._equal(at(thing, path), wanted)
        )

    def take_back(self, before: BeforeImage, outcome: Outcome) -> UndoResult:
        inverse = self._t.tool.inverse
        if inverse is None:
            return UndoResult(UndoStatus.IMPOSSIBLE, why=self._t.tool.undo)
        if not outcome.data.get("id"):  # a person said that it happened: find it
            outcome = self.found(before).outcome or outcome
        key = str(outcome.data.get("id", ""))
        if not key:
            return UndoResult(UndoStatus.IMPOSSIBLE, why=f"what {self._t.slug} made is not found")
        thing = self._t.thing(key)
        if thing is None:
            return UndoResult(UndoStatus.ALREADY)
        if outcome.version != version_of(thing):
            return conflict(flat(outcome.data.get("thing")), flat(thing))
        self._t.inverse(inverse, {"args": self._t.args, "id": key, "before": before.data})
        if self._t.thing(key) is not None:
            return UndoResult(UndoStatus.IMPOSSIBLE, why=f"{inverse.tool} left it there")
        return UndoResult(UndoStatus.RESTORED, residue=stays(self._t.tool))

    def _ids(self) -> list[str]:
        read = self._t.tool.list
        if read is None:
            raise ProviderError(f"{self._t.slug} declares no list to find what it made")
        items = listed(self._t.read, read, {"args": self._t.args})
        return [str(at(item, read.id)) for item in items]

    def _asked(self, before: BeforeImage) -> list[tuple[str, Any]]:
        """Where in the thing what was asked for must stand."""
        names = {"args": self._t.args, "source": before.data.get("source")}
        asked = ((path, fill(wanted, names)) for path, wanted in self._t.tool.same.items())
        return [(path, wanted) for path, wanted in asked if plain(wanted) is not None]

    def _same(self, thing: Json, before: BeforeImage) -> bool:
        return all(self._equal(at(thing, path), wanted) for path, wanted in self._asked(before))

    def _near(self, thing: Json, before: BeforeImage) -> bool:
        return any(alike(at(thing, path), wanted) for path, wanted in self._asked(before))

    def _equal(self, actual: Any, wanted: Any) -> bool:
        return holds(actual, wanted) or (self._t.tool.loosely and alike(actual, wanted))
