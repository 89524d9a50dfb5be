"""What a detector is: a trigger that is cheap, and a precise look for when it was pulled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from aicp.telemetry.redaction.engines import Trigger


class Span(NamedTuple):
    """A stretch of a plain text and what it is. With a text, that stands in its place (nested JSON)."""

    start: int
    end: int
    kind: str
    instead: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """Whose data it is, and where they live.

    Args:
        tenant: markers of different tenants cannot be joined.
        regions: countries (ISO 3166, "DE") whose phone numbers and ids are written without their prefix.
        content: whether free text of models and tools is kept, redacted; None is the installation's word.
    """

    tenant: str = ""
    regions: tuple[str, ...] = ()
    content: bool | None = None


MOST_CANDIDATES = 2_000  # a text that holds more is replaced as a whole: time stays bounded


class Overfull(Exception):
    """More to look at in one text than is looked at."""


class Text:
    """One plain text in its forms; the costly ones are made when first asked for.

    `plain` has markers blanked; `numbers` has ids, digests and times blanked as well.
    """

    __slots__ = ("_left", "_numbers", "context", "is_reference", "lowered", "plain")

    def __init__(self, plain: str, lowered: str, context: Context, *, is_reference: bool) -> None:
        self.plain, self.lowered, self.context = plain, lowered, context
        self.is_reference = is_reference
        self._numbers: str | None = None
        self._left = MOST_CANDIDATES

    def spend(self, candidates: int = 1) -> None:
        """Count what is looked at closely.

        Raises:
            Overfull: it is too much.
        """
        self._left -= candidates
        if self._left < 0:
            raise Overfull

    @property
    def numbers(self) -> str:
        if self._numbers is None:
            from aicp.telemetry.redaction.envelope import blank_ids

            self._numbers = blank_ids(self.plain)
        return self._numbers


@dataclass(frozen=True, slots=True)
class Detector:
    """Args:
    name: for reports.
    trigger: what a text must hold for `find` to be called.
    find: the spans in a text, validated.
    """

    name: str
    trigger: Trigger
    find: Callable[[Text], Iterable[Span]]
