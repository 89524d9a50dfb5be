"""Every tool that is known: those that come with the product, and those that were met on connections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import import_module

from aicp.kernel.canonical import digest
from aicp.toolkits.model import Json, ToolSpec, UndoTier

# module -> the constants in it that declare tools: a ToolSpec or a tuple of them
BUILTIN: dict[str, tuple[str, ...]] = {
    "aicp.toolkits.providers.local.table_tools": ("TOOLS",),
    "aicp.toolkits.providers.local.mail_tools": ("FOLDERS", "DRAFT", "SCHEDULE", "SEND"),
    "aicp.toolkits.providers.local.calendar_tools": ("TOOLS",),
}


@dataclass(frozen=True)
class Catalogue:
    """Declarations by name, in order; two of one name are both kept when they differ."""

    specs: tuple[ToolSpec, ...]

    @cached_property
    def digest(self) -> str:
        return digest([spec.ref for spec in self.specs])

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Catalogue) and other.digest == self.digest


def catalogue(specs: Iterable[ToolSpec]) -> Catalogue:
    """These declarations, each once, sorted."""
    by_ref = {spec.ref: spec for spec in specs}
    return Catalogue(tuple(by_ref[ref] for ref in sorted(by_ref)))


def builtin() -> Iterator[ToolSpec]:
    """The tools that come with the product."""
    for module, names in BUILTIN.items():
        for name in names:
            declared = getattr(import_module(module), name)
            yield from (declared,) if isinstance(declared, ToolSpec) else declared


def to_json(spec: ToolSpec) -> Json:
    """A declaration as plain JSON, for keeping."""
    return asdict(spec) | {"undo_tier": spec.undo_tier.value, "sensitive": list(spec.sensitive)}


def from_json(data: Json) -> ToolSpec:
    """The declaration that `to_json` wrote; fields of another version are left out."""
    known: Json = {name: data[name] for name in ToolSpec.__dataclass_fields__ if name in data}
    typed: Json = {
        "undo_tier": UndoTier(data["undo_tier"]),
        "sensitive": tuple(data.get("sensitive", ())),
    }
    return ToolSpec(**{**known, **typed})
