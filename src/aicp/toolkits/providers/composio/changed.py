"""Fields and labels of a thing set anew: their old values are kept, and written back."""

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
from aicp.toolkits.providers.composio.failures import Missing
from aicp.toolkits.providers.composio.paths import at, flat, plain
from aicp.toolkits.providers.composio.reading import Tools, conflict, stays, unread, version_of


class Updated:
    """Some fields of a thing set anew. Its version is that of these fields, so other edits do not hinder."""

    def __init__(self, tools: Tools) -> None:
        self._t = tools
        self._key = str(tools.args.get(tools.tool.id, ""))

    def look(self) -> BeforeImage:
        image = self._image()
        return BeforeImage(version_of(image), {"image": image})

    def make(self, before: BeforeImage) -> Outcome:
        self._refuse_moved(before)
        log = self._t.change(self._t.slug, self._t.args)[1]
        try:
            image = self._image()
        except ProviderError as error:
            raise unread(self._t.slug, error) from error
        return self._outcome(image, log)

    def found(self, before: BeforeImage) -> Reconciled:
        image = self._image()
        if version_of(image) == version_of(self._wanted()):
            return Reconciled(Found.DONE, self._outcome(image, ""))
        if version_of(image) == before.version:
            return Reconciled(Found.NOT_DONE)
        why = f"{self._key} is neither what it was nor what {self._t.slug} would make it"
        return Reconciled(Found.UNCLEAR, why=why)

    def wrong(self, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:  # noqa: ARG002
        now, wanted = self._image(), self._wanted()
        return tuple(
            f"{path} of {self._key} is not what was asked for"
            for path, value in wanted.items()
            if plain(now[path]) != plain(value)
        )

    def take_back(self, before: BeforeImage, outcome: Outcome) -> UndoResult:
        now = self._image()
        if version_of(now) == before.version:
            return UndoResult(UndoStatus.ALREADY)
        if version_of(now) not in {outcome.version, version_of(self._wanted())}:
            return conflict(flat(self._wanted()), flat(now))
        self._t.change(self._t.slug, self._restoring(before.data["image"]))
        now = self._image()
        if version_of(now) == before.version:
            return UndoResult(UndoStatus.RESTORED, residue=stays(self._t.tool))
        left = conflict(flat(before.data["image"]), flat(now)).difference
        return UndoResult(
            UndoStatus.IMPOSSIBLE, left, why="the old values were written but do not read back"
        )

    def _refuse_moved(self, before: BeforeImage) -> None:
        if version_of(self._image()) != before.version:
            raise ProviderError(
                f"{self._key} was changed by somebody else since it was read",
                hint="read it again and plan the change anew",
            )

    def _outcome(self, image: Json, log: str) -> Outcome:
        data: Json = {"id": self._key, "thing": image}
        return Outcome(data | ({"log_id": log} if log else {}), version_of(image))

    def _read(self) -> Json:
        thing = self._t.thing(self._key)
        if thing is None:
            raise Missing(f"there is no '{self._key[:80]}'", hint="list what there is first")
        return thing

    def _image(self) -> Json:
        thing = self._read()
        return {path: at(thing, path) for path in self._wanted()}

    def _wanted(self) -> Json:
        """The touched fields by their paths in the thing, as the call wants them."""
        wanted: Json = {}
        for arg, path in self._t.tool.sets.items():
            if arg.endswith(".*"):
                values = at(self._t.args, arg.removesuffix(".*")) or {}
                wanted |= {
                    f"{path.removesuffix('.*')}.{name}": value for name, value in values.items()
                }
            elif arg in self._t.args:
                wanted[path] = self._t.args[arg]
        return wanted

    def _restoring(self, image: Json) -> Json:
        """The same call with the values that were there."""
        args = dict(self._t.args)
        for arg, path in self._t.tool.sets.items():
            if arg.endswith(".*"):
                name, place = arg.removesuffix(".*"), path.removesuffix(".*")
                args[name] = {
                    key: self._was(image, f"{place}.{key}") for key in args.get(name) or {}
                }
            elif arg in args:
                args[arg] = self._was(image, path)
        return args

    def _was(self, image: Json, path: str) -> Any:
        value = image.get(path)
        return self._t.tool.blank if value is None else value


class Labelled(Updated):
    """Labels put on and taken off: each touched label is a field that is there or not."""

    def _image(self) -> Json:
        there = set(at(self._read(), self._t.tool.field) or ())
        return {label: label in there for label in self._wanted()}

    def _wanted(self) -> Json:
        add, remove = self._named(self._t.tool.add), self._named(self._t.tool.remove)
        return dict.fromkeys(remove, False) | dict.fromkeys(add, True)

    def _restoring(self, image: Json) -> Json:
        wanted = self._wanted()
        moved = [label for label in wanted if image[label] is not wanted[label]]
        return self._t.args | {
            self._t.tool.add: [label for label in moved if image[label]],
            self._t.tool.remove: [label for label in moved if not image[label]],
        }

    def _named(self, argument: str) -> list[str]:
        return sorted(self._t.args.get(argument) or ())
