"""An iCalendar file as bytes with the place of each event, so that an edit touches one event only.

Pure functions. The bytes outside the touched event stay as they were (RFC 5545).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from icalendar import Calendar, Event

from aicp.kernel.canonical import sha256
from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError

EMPTY = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//aicp//local calendar//EN\r\nEND:VCALENDAR\r\n"


@dataclass(frozen=True, slots=True)
class Block:
    """One VEVENT: data[start:end], its line end included."""

    start: int
    end: int
    event: Event

    @property
    def uid(self) -> str:
        return str(self.event.get("UID", ""))

    @property
    def name(self) -> str:
        """The UID, and which occurrence is meant when the event overrides one of a series."""
        override = self.event.get("RECURRENCE-ID")
        return f"{self.uid}#{override.to_ical().decode()}" if override else self.uid


@dataclass(frozen=True, slots=True)
class Ics:
    data: bytes
    blocks: tuple[Block, ...]
    tail: int  # where the last END:VCALENDAR line starts

    def of(self, uid: str) -> tuple[Block, ...]:
        return tuple(block for block in self.blocks if block.uid == uid)


def parse(data: bytes, name: str) -> Ics:
    """Read the bytes of a calendar file.

    Raises:
        ProviderError: not a calendar; says where.
    """
    if not data.strip():
        raise ProviderError(f"{name} is empty", hint="remove it, and it is made when needed")
    spans, tail = _spans(data, name)
    try:
        Calendar.from_ical(_without(data, spans))  # all around the events must be sound too
        blocks = tuple(Block(a, b, _event(data[a:b])) for a, b in spans)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise ProviderError(
            f"{name} cannot be read as a calendar: {str(error)[:200]}", hint="export it again"
        ) from None
    return Ics(data, blocks, tail)


def _without(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    edges = [0, *(edge for span in spans for edge in span), len(data)]
    return b"".join(data[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True))


@lru_cache(maxsize=4096)
def _event(raw: bytes) -> Event:
    """An event is only ever looked at, so the same bytes need to be read once."""
    found = Event.from_ical(raw)
    if not isinstance(found, Event):
        raise TypeError("an event is expected")
    return found


def _spans(data: bytes, name: str) -> tuple[list[tuple[int, int]], int]:
    """The byte spans of the VEVENTs, and the start of the END:VCALENDAR line."""
    spans, stack, at, begun, tail = [], [], 0, 0, -1
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        mark, _, what = line.strip().upper().removeprefix(b"\xef\xbb\xbf").partition(b":")
        if mark == b"BEGIN":
            begun = at if what == b"VEVENT" else begun
            stack.append(what)
        elif mark == b"END":
            if not stack or stack.pop() != what:
                raise ProviderError(
                    f"{name} line {number} ends what was not begun", hint="export it again"
                )
            if what == b"VEVENT":
                spans.append((begun, at + len(line)))
            tail = at if what == b"VCALENDAR" else tail
        at += len(line)
    if stack or tail < 0:
        raise ProviderError(f"{name} breaks off before END:VCALENDAR", hint="export it again")
    return spans, tail


def event_bytes(fields: Json, newline: bytes) -> bytes:
    """A VEVENT out of property values, folded as RFC 5545 wants it."""
    event = Event()
    for name, value in fields.items():
        if value not in (None, ""):
            event.add(name, value)
    return event.to_ical().replace(b"\r\n", newline)


def newline_of(data: bytes) -> bytes:
    return b"\r\n" if b"\r\n" in data else b"\n"


def added(ics: Ics, raw: bytes) -> bytes:
    """A new last event, right before the end of the calendar."""
    return ics.data[: ics.tail] + raw + ics.data[ics.tail :]


def removed(ics: Ics, uid: str) -> bytes:
    data = ics.data
    for block in reversed(ics.of(uid)):
        data = data[: block.start] + data[block.end :]
    return data


def images(ics: Ics, uid: str) -> list[Json]:
    """Each event of the UID: its bytes, and where it stands below which other event."""
    found = []
    for number, block in enumerate(ics.blocks):
        if block.uid == uid:
            before = ics.blocks[number - 1] if number else None
            gap = ics.data[before.end if before else 0 : block.start]
            found.append(
                {
                    "raw": b64encode(ics.data[block.start : block.end]).decode(),
                    "after": before.name if before else "",
                    "gap": len(gap),
                    "gap_sha256": sha256(gap),
                }
            )
    return found


def put_back(data: bytes, name: str, image: list[dict[str, Any]]) -> bytes:
    """The events at their old place; below their old neighbour when other bytes changed."""
    for one in image:
        ics = parse(data, name)
        raw = b64decode(one["raw"])
        at = _place(ics, one)
        data = data[:at] + raw + data[at:]
    return data


def _place(ics: Ics, image: Json) -> int:
    after = next((b for b in ics.blocks if b.name == image["after"]), None)
    if after is None and image["after"]:
        return ics.tail
    top = after.end if after else 0
    if sha256(ics.data[top : top + image["gap"]]) == image["gap_sha256"]:
        return top + image["gap"]
    return top or (ics.blocks[0].start if ics.blocks else ics.tail)
