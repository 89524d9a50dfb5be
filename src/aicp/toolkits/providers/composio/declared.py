"""What we say about a toolkit's tools: read or change, scope, and how each is read back and undone.

One TOML file a toolkit, in `declared/`. What is not said there changes something, cannot be undone,
and must be allowed by name. The vendor's own tags are no more than hints.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from aicp.toolkits.model import Json, UndoTier


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Scope(_Closed):
    """A scope of ours, in plain words, and the vendor's scopes behind it."""

    words: str
    grant: str  # the narrowest vendor scope that gives it; this is what is asked for
    within: tuple[str, ...] = ()  # wider vendor scopes that give it too


class Read(_Closed):
    """A reading call. With `items` it lists things, each named by `id`; `root` is where one stands."""

    tool: str
    args: Json = {}
    items: str = ""
    id: str = ""
    root: str = ""
    next: str = ""  # where the answer says how to go on
    page: str = ""  # the argument that takes it
    each: Read | None = None  # read once for each of these, as `$each`
    pages: int = 5  # at most so many are read; lists are newest first
    busy: bool = False  # state: changes all day by other hands, so no approval is bound to it


class Inverse(_Closed):
    tool: str
    args: Json = {}


class Tool(_Closed):
    """One tool. Paths and templates as in `paths.py`; names: args, id, source, before."""

    effect: Literal["read", "create", "update", "delete", "labels", "unknown"]
    scope: str
    title: str = ""
    tier: UndoTier = UndoTier.T0
    undo: str = ""
    residue: str = ""
    sensitive: tuple[str, ...] = ()
    untrusted: bool = True
    probe: Json | None = None  # read: arguments with which its scope can be tried

    id: str = ""  # update, delete, labels: the argument that names the thing
    made: str = ""  # create: where the answer says the new thing's id
    list: Read | None = None  # create: the things of this kind, to see what is new
    thing: Read | None = None  # one thing, by `$id`
    source: Read | None = None  # create: what it is made of, read before
    same: dict[str, str] = {}  # create: path in the thing -> template it must equal
    loosely: bool = False  # create: the service rewrites texts (links, marks), so nearly is enough
    inverse: Inverse | None = None
    sets: dict[str, str] = {}  # update: argument -> path in the thing; `x.*` for every key of x
    harmless: tuple[str, ...] = ()  # update, labels: further arguments that change nothing
    blank: Any = None  # update: what is written where nothing was
    field: str = ""  # labels: path of the list in the thing
    add: str = ""  # labels: argument with what is put on
    remove: str = ""

    @property
    def reads(self) -> bool:
        return self.effect == "read"

    @property
    def offered(self) -> frozenset[str] | None:
        """The only arguments offered: what else a change may set could not be taken back. None: all."""
        if self.effect not in ("update", "labels"):
            return None
        sets = (arg.removesuffix(".*") for arg in self.sets)
        return frozenset({self.id, self.add, self.remove, *self.harmless, *sets} - {""})

    def reading(self) -> tuple[str, ...]:
        """The tools that reading back needs."""
        return tuple(one.tool for one in (self.list, self.thing, self.source) if one)

    def needs(self) -> frozenset[str]:
        """The tools without which it is not what is declared."""
        return frozenset((*self.reading(), *((self.inverse.tool,) if self.inverse else ())))


class Declared(_Closed):
    """A whole toolkit."""

    toolkit: str
    scopes: dict[str, Scope] = {}
    always: tuple[str, ...] = ()  # vendor scopes that come with every sign-in and give nothing more
    volatile: tuple[str, ...] = ()  # keys that change by themselves: never compared
    nameless: tuple[str, ...] = ()  # keys the service picks (ids): not part of the state's hash
    state: tuple[Read, ...] = ()  # what the state's hash is made of
    tools: dict[str, Tool] = {}

    @property
    def unstable(self) -> frozenset[str]:
        return frozenset(self.volatile)


UNKNOWN_UNDO = "nothing is known about this tool, so it cannot be taken back"


@cache
def declared(toolkit: str) -> Declared:
    """What is declared about a toolkit; nothing for one we do not know."""
    file = files("aicp.toolkits.providers.composio").joinpath("declared", f"{toolkit}.toml")
    if not toolkit.isidentifier() or not file.is_file():
        return Declared(toolkit=toolkit)
    return Declared.model_validate(tomllib.loads(file.read_text("utf-8")))


def undeclared(toolkit: str, action: str) -> Tool:
    """How a tool is treated that we know nothing about."""
    return Tool(effect="unknown", scope=f"{toolkit}:{action}", tier=UndoTier.T5, undo=UNKNOWN_UNDO)
