"""Filling braces with bound values: one pass, no evaluation, and every value keeps its source.

What a cell says is only ever put in the place of its own slot: braces inside it stay letters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aicp.trust.plan import Provenance

SLOT = re.compile(r"\{([a-z_]+(?:\.[a-z_]+)*)\}")


@dataclass(frozen=True, slots=True)
class Slot:
    """A value and where it is from. `inner` names the sources inside an object value."""

    value: Any
    source: Provenance
    inner: tuple[tuple[str, Provenance], ...] = ()


Slots = Mapping[str, Slot]


def names(template: str) -> tuple[str, ...]:
    """The slots a template uses."""
    return tuple(SLOT.findall(template))


def text(template: str, slots: Slots) -> str:
    """The template with its slots as text."""
    return SLOT.sub(lambda m: str(slots[m[1]].value), template)


def fill(template: Any, slots: Slots, play: str) -> Slot:
    """The value of an argument: a lone slot keeps its type, mixed text becomes a template value."""
    if not isinstance(template, str):
        return Slot(template, Provenance(source="template", where=f"play {play}"))
    used = names(template)
    if len(used) == 1 and template == f"{{{used[0]}}}":
        return slots[used[0]]
    return Slot(text(template, slots), mixed(play, used, slots))


def mixed(play: str, used: tuple[str, ...], slots: Slots) -> Provenance:
    """The source of a text made of a template and slots: trusted only if all of them are."""
    parts = list(dict.fromkeys(slots[name].source.where for name in used))
    where = f"play {play}" + (f" with {', '.join(parts)}" if parts else "")
    trusted = all(slots[name].source.trusted for name in used)
    return Provenance(source="template", where=where[:400], trusted=trusted)


def cell(account: str, key: str, column: str, value: Any) -> Slot:
    """A value read from a table: data, untrusted until a person approves it (agents.md A3.4)."""
    where = f"{account} row {key} column {column}"
    return Slot(value, Provenance(source="cell", where=where, trusted=False))


def formula(where: str, value: Any, *, trusted: bool = True) -> Slot:
    return Slot(value, Provenance(source="formula", where=where, trusted=trusted))
