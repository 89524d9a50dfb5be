"""What every kind of change shares: running tools, reading lists and things, comparing them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aicp.kernel.canonical import digest
from aicp.toolkits.model import Json, Outcome, UndoResult, UndoStatus
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.composio.declared import Declared, Inverse, Read, Tool
from aicp.toolkits.providers.composio.failures import Missing
from aicp.toolkits.providers.composio.paths import at, fill, plain, without

Run = Callable[[str, Json, bool], tuple[Json, str]]  # tool, args, has an effect -> answer, log id


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


def version_of(value: Any) -> str:
    """20 digits over a value as it is compared."""
    return digest(plain(value))[:20]


def made(key: str, thing: Json | None, log: str) -> Outcome:
    """The outcome of a call that made a thing; its version is the thing's."""
    data: Json = {"id": key, "thing": thing} | ({"log_id": log} if log else {})
    return Outcome(data, version_of(thing) if thing is not None else "")


def stays(tool: Tool) -> str:
    """What stays although it was taken back: named for T2, and for what is only made up for."""
    return tool.residue or (tool.undo if tool.tier.value > "T2" else "")


def conflict(ours: Json, theirs: Json) -> UndoResult:
    """The result of an undo that found somebody else's edit, with the difference by field."""
    rows = tuple(
        {"field": name or "it", "ours": ours.get(name), "theirs": theirs.get(name)}
        for name in sorted(ours.keys() | theirs.keys())
        if plain(ours.get(name)) != plain(theirs.get(name))
    )
    why = "somebody else changed it since; nothing was touched"
    return UndoResult(UndoStatus.CONFLICT, rows, why=why)


def unread(slug: str, error: ProviderError) -> ProviderError:
    """The request was answered, the reading back was not: the effect is there, its form is not known."""
    return ProviderError(
        f"{slug} was done but could not be read back: {error.message}",
        hint=error.hint,
        unknown=True,
    )
