"""What a detector is: a trigger that is cheap, and a precise look for when it was pulled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aicp.telemetry.redaction.engines import Trigger
from aicp.telemetry.redaction.envelope import blank_ids
from aicp.telemetry.redaction.markers import FILLER


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
        only: kinds to replace; empty is every kind.
    """

    tenant: str = ""
    regions: tuple[str, ...] = ()
    content: bool | None = None
    only: frozenset[str] = frozenset()


MOST_CANDIDATES = 2_000  # a text that holds more is replaced as a whole: time stays bounded


class Overfull(Exception):
    """More to look at in one text than is looked at."""


class Text:
    """One plain text in its forms; the costly ones are made when first asked for.

    `plain` has markers blanked; `numbers` has ids, digests and times blanked as well. `phone_named` and
    `id_named`: a word for such a number is somewhere in it.
    """

    __slots__ = (
        "_left", "_numbers", "context", "id_named", "is_reference", "lowered", "phone_named", "plain",
    )  # fmt: skip

    def __init__(self, plain: str, lowered: str, context: Context, *, is_reference: bool) -> None:
        self.plain, self.lowered, self.context = plain, lowered, context
        self.is_reference = is_reference
        self.phone_named = self.id_named = True
        self._numbers: str | None = None
        self._left = MOST_CANDIDATES

    def cover(self, spans: Sequence[Span]) -> None:
        """Overwrite in `numbers` what has been found already."""
        text = self.numbers
        for span in spans:
            text = text[: span.start] + FILLER * (span.end - span.start) + text[span.end :]
        self._numbers = text

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
