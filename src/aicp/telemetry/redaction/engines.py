"""Which detectors are worth a closer look at a text: one pass, by hyperscan, re2, or `re`.

All three answer the same question from the same table; a machine without a wheel for one uses the next.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Trigger:
    """What a text must hold before a detector looks: one of some lower-case words, or a shape.

    Args:
        words: literals, ASCII or not, in lower case.
        digits: the words say something of a number: without a digit in the text they say nothing.
        shape: an expression in the syntax that hyperscan, re2 and `re` share, for lower-case text.
    """

    words: tuple[str, ...] = ()
    shape: str = ""
    digits: bool = False

    @property
    def expression(self) -> str:
        either = [re.escape(word).replace(r"\ ", " ") for word in self.words]
        return "|".join([*either, *([self.shape] if self.shape else [])])


class Engine(Protocol):
    name: str

    def fired(self, lowered: str) -> Sequence[int]:
        """Numbers of the triggers that a lower-case text pulls, in no order."""
        ...


class Hyperscan:
    """One automaton for all triggers."""

    name = "hyperscan"

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        import hyperscan

        self._hs: Any = hyperscan
        self._db = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        flags = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_DOTALL
        self._db.compile(
            expressions=[t.expression.encode() for t in triggers],
            ids=list(range(len(triggers))),
            elements=len(triggers),
            flags=[flags] * len(triggers),
        )
        self._own = threading.local()  # a scratch space serves one scan at a time

    def fired(self, lowered: str) -> Sequence[int]:
        try:
            scratch, found, hear = self._own.parts
        except AttributeError:
            scratch, found, hear = self._own.parts = self._parts()
        found.clear()
        self._db.scan(lowered.encode("utf-8", "replace"), match_event_handler=hear, scratch=scratch)
        return tuple(found)

    def _parts(self) -> tuple[Any, list[int], Callable[..., None]]:
        found: list[int] = []
        add = found.append

        def hear(number: int, _start: int, _end: int, _flags: int, _context: object) -> None:
            add(number)

        return self._hs.Scratch(self._db), found, hear


class Re2:
    """A set of expressions in linear time."""

    name = "re2"

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        import re2

        self._set = re2.Set.SearchSet()
        for trigger in triggers:
            self._set.Add(trigger.expression)
        self._set.Compile()

    def fired(self, lowered: str) -> Sequence[int]:
        return self._set.Match(lowered) or ()


class Plain:
    """No wheel at all: words are looked for as they are, and shapes one after the other."""

    name = "re"

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        self._triggers = [
            (i, t.words, re.compile(t.shape).search if t.shape else None, t.digits)
            for i, t in enumerate(triggers)
        ]
        self._digit = re.compile("[0-9]").search

    def fired(self, lowered: str) -> Sequence[int]:
        found: list[int] = []
        bare = self._digit(lowered) is None
        for number, words, shape, digits in self._triggers:
            if digits and bare:
                continue
            for word in words:
                if word in lowered:
                    found.append(number)
                    break
            else:
                if shape and shape(lowered):
                    found.append(number)
        return found


ENGINES: dict[str, Callable[[Sequence[Trigger]], Engine]] = {
    "hyperscan": Hyperscan, "re2": Re2, "re": Plain,
}  # fmt: skip


def best(triggers: Sequence[Trigger], names: Iterable[str] = ENGINES) -> Engine:
    """The first engine of a list that this machine has."""
    for name in names:
        try:
            return ENGINES[name](triggers)
        except ImportError:
            continue
    return Plain(triggers)
