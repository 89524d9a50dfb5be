"""How each kind of change is looked at before, made once, found again, and taken back.

Composio's execute has no idempotency: the same request twice is the effect twice. So what was there
before is written down, and whether a call happened is told by reading back, never by trying again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aicp.kernel.canonical import digest
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
from aicp.toolkits.providers.composio.declared import Declared, Inverse, Read, Tool
from aicp.toolkits.providers.composio.failures import Missing
from aicp.toolkits.providers.composio.paths import alike, at, fill, flat, holds, plain, without

NEW, ABSENT = "new", "absent"
FRESH = 20  # new things that are looked at to find ours
Run = Callable[[str, Json, bool], tuple[Json, str]]  # tool, args, has an effect -> answer, log id


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


@dataclass(frozen=True, slots=True)
class Tools:
    """What an effect works with: the declaration, the arguments, and a way to run tools."""

    known: Declared
    tool: Tool
    slug: str
    args: Json
    run: Run

    def read(self, slug: str, args: Json) -> Json:
        return self.run(slug, args, False)[0]

    def change(self, slug: str, args: Json) -> tuple[Json, str]:
        return self.run(slug, args, True)

    def thing(self, key: str) -> Json | None:
        """One thing without what changes by itself; None when it is not there."""
        read = self.tool.thing
        if read is None:
            raise ProviderError(f"{self.slug} declares no way to read back")
        names = {"args": self.args, "id": key}
        try:
            if read.items:
                items = listed(self.read, read, names)
                one = next((item for item in items if str(at(item, read.id)) == key), None)
            else:
                one = at(self.read(read.tool, fill(read.args, names)), read.root)
        except Missing:
            return None
        return without(one, self.known.unstable) if isinstance(one, dict) else None

    def inverse(self, made: Inverse, names: Mapping[str, Any]) -> None:
        """Run the tool that takes it back; a thing that is gone already is fine."""
        try:
            self.change(made.tool, fill(made.args, names))
        except Missing:
            return


def effect_of(tools: Tools) -> Effect:
    kinds: dict[str, type[Created | Updated | Deleted | Labelled | Unknown]] = {
        "create": Created, "update": Updated, "delete": Deleted, "labels": Labelled, "unknown": Unknown,
    }  # fmt: skip
    return kinds[tools.tool.effect](tools)


def listed(
    read: Callable[[str, Json], Json], asked: Read, names: Mapping[str, Any]
) -> Iterator[Json]:
    """The things of a list, page after page, as far as is declared.

    Raises:
        ProviderError: the list is not where it is declared to be.
    """
    if asked.each is not None:
        for one in listed(read, asked.each, names):
            yield from listed(read, asked.model_copy(update={"each": None}), {**names, "each": one})
        return
    args = fill(asked.args, names)
    for _ in range(asked.pages):
        answer = read(asked.tool, args)
        items = at(answer, asked.items)
        if items is None and plain(answer):
            raise ProviderError(
                f"{asked.tool} answered without '{asked.items}'", hint="pin another toolkit version"
            )
        yield from (item for item in items or () if isinstance(item, dict))
        more = at(answer, asked.next) if asked.next else None
        if not more or more == args.get(asked.page):
            return
        args = {**args, asked.page: more}


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
            raise _unread(self._t.slug, error) from error
        return _outcome(str(key), thing, log)

    def found(self, before: BeforeImage) -> Reconciled:
        fresh = [key for key in self._ids() if key not in set(before.data["known"])]
        things = {key: self._t.thing(key) for key in fresh[:FRESH]}
        there = {key: one for key, one in things.items() if one is not None}
        ours = {key: one for key, one in there.items() if self._same(one, before)}
        if len(ours) == 1:
            ((key, thing),) = ours.items()
            return Reconciled(Found.DONE, _outcome(key, thing, ""))
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
        if outcome.version != _version(thing):
            return _conflict(flat(outcome.data.get("thing")), flat(thing))
        self._t.inverse(inverse, {"args": self._t.args, "id": key, "before": before.data})
        if self._t.thing(key) is not None:
            return UndoResult(UndoStatus.IMPOSSIBLE, why=f"{inverse.tool} left it there")
        return UndoResult(UndoStatus.RESTORED, residue=_residue(self._t.tool))

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


class Updated:
    """Some fields of a thing set anew. Its version is that of these fields, so other edits do not hinder."""

    def __init__(self, tools: Tools) -> None:
        self._t = tools
        self._key = str(tools.args.get(tools.tool.id, ""))

    def look(self) -> BeforeImage:
        image = self._image()
        return BeforeImage(_version(image), {"image": image})

    def make(self, before: BeforeImage) -> Outcome:
        self._refuse_moved(before)
        log = self._t.change(self._t.slug, self._t.args)[1]
        try:
            image = self._image()
        except ProviderError as error:
            raise _unread(self._t.slug, error) from error
        return self._outcome(image, log)

    def found(self, before: BeforeImage) -> Reconciled:
        image = self._image()
        if _version(image) == _version(self._wanted()):
            return Reconciled(Found.DONE, self._outcome(image, ""))
        if _version(image) == before.version:
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
        if _version(now) == before.version:
            return UndoResult(UndoStatus.ALREADY)
        if _version(now) not in {outcome.version, _version(self._wanted())}:
            return _conflict(flat(self._wanted()), flat(now))
        self._t.change(self._t.slug, self._restoring(before.data["image"]))
        now = self._image()
        if _version(now) == before.version:
            return UndoResult(UndoStatus.RESTORED, residue=_residue(self._t.tool))
        left = _conflict(flat(before.data["image"]), flat(now)).difference
        return UndoResult(
            UndoStatus.IMPOSSIBLE, left, why="the old values were written but do not read back"
        )

    def _refuse_moved(self, before: BeforeImage) -> None:
        if _version(self._image()) != before.version:
            raise ProviderError(
                f"{self._key} was changed by somebody else since it was read",
                hint="read it again and plan the change anew",
            )

    def _outcome(self, image: Json, log: str) -> Outcome:
        data: Json = {"id": self._key, "thing": image}
        return Outcome(data | ({"log_id": log} if log else {}), _version(image))

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


class Deleted:
    """A thing that goes for good."""

    def __init__(self, tools: Tools) -> None:
        self._t = tools
        self._key = str(tools.args.get(tools.tool.id, ""))

    def look(self) -> BeforeImage:
        thing = self._t.thing(self._key)
        if thing is None:
            raise Missing(f"there is no '{self._key[:80]}'", hint="list what there is first")
        return BeforeImage(_version(thing), {"thing": thing})

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
        if _version(thing) == before.version:
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


def _version(value: Any) -> str:
    return digest(plain(value))[:20]


def _outcome(key: str, thing: Json | None, log: str) -> Outcome:
    data: Json = {"id": key, "thing": thing} | ({"log_id": log} if log else {})
    return Outcome(data, _version(thing) if thing is not None else "")


def _residue(tool: Tool) -> str:
    """What stays although it was taken back: named for T2, and for what is only made up for."""
    return tool.residue or (tool.undo if tool.tier.value > "T2" else "")


def _conflict(ours: Json, theirs: Json) -> UndoResult:
    rows = tuple(
        {"field": name or "it", "ours": ours.get(name), "theirs": theirs.get(name)}
        for name in sorted(ours.keys() | theirs.keys())
        if plain(ours.get(name)) != plain(theirs.get(name))
    )
    why = "somebody else changed it since; nothing was touched"
    return UndoResult(UndoStatus.CONFLICT, rows, why=why)


def _unread(slug: str, error: ProviderError) -> ProviderError:
    """The request was answered, the reading back was not: the effect is there, its form is not known."""
    return ProviderError(
        f"{slug} was done but could not be read back: {error.message}",
        hint=error.hint,
        unknown=True,
    )
