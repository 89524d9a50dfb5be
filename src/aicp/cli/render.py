"""Text for a terminal: aligned tables, wrapped prose, times; nothing from outside can steer it."""

from __future__ import annotations

import os
import shutil
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

import click

PIPED_WIDTH, WIDEST = 100, 120  # characters; prose wider than that is hard to read
Paint = Callable[[str], str]

COLOURS = {
    "ok": "green", "done": "green", "completed": "green", "finished": "green", "restored": "green",
    "already": "green", "approved": "green", "undone": "green", "High": "green",
    "warn": "yellow", "held": "yellow", "ready": "yellow", "paused": "yellow", "Medium": "yellow",
    "needs review": "yellow", "Needs review": "yellow", "undoing": "yellow", "requested": "yellow",
    "fail": "red", "failed": "red", "blocked": "red", "conflict": "red", "impossible": "red",
    "stopped": "red", "undo_stopped": "red", "undone_partly": "yellow", "unknown": "red", "rejected": "red", "expired": "red",
    "breach": "red", "thin": "yellow", "silent": "yellow", "uncollected": "yellow",
    "running": "cyan", "in_progress": "cyan",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """How to write: the width in characters, and whose clock."""

    width: int = PIPED_WIDTH
    utc: bool = False
    fits: bool = False  # tables must fit the width (a terminal); piped text is never cut


def look_of(stream: TextIO, *, utc: bool = False) -> Look:
    """The look that suits a stream; COLUMNS overrides its width."""
    if stream.isatty() or os.environ.get("COLUMNS", "").isdecimal():
        width = shutil.get_terminal_size((PIPED_WIDTH, 24)).columns
        return Look(max(40, width), utc=utc, fits=True)
    return Look(utc=utc)


def clean(value: Any) -> str:
    """One line without control characters, so that data cannot move the cursor or change colours."""
    text = "" if value is None else str(value)
    spaced = " ".join(text.split())
    return "".join("�" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in spaced)


def cells(text: str) -> int:
    """How many terminal cells a text takes: wide letters two, combining marks none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def fit(text: str, width: int) -> str:
    """The text, cut to a width with an ellipsis when it is longer."""
    if cells(text) <= width:
        return text
    kept = ""
    for letter in text:
        if cells(kept + letter) > width - 1:
            break
        kept += letter
    return f"{kept.rstrip()}…"


def tint(word: str) -> str:
    """A state word in its colour (the word alone already says it); padding is kept."""
    colour = COLOURS.get(word.strip())
    return click.style(word, fg=colour) if colour else word


def dim(text: str) -> str:
    return click.style(text, dim=True) if text.strip() else text


def bold(text: str) -> str:
    return click.style(text, bold=True)


def table(
    rows: Iterable[Sequence[Any]], head: Sequence[str], look: Look, *,
    paint: dict[int, Paint] | None = None, indent: int = 0, wraps: bool = False,
) -> Iterator[str]:  # fmt: skip
    """Aligned columns under a quiet header; numbers align right, empty columns are left out.

    On a terminal too narrow for them the last column gives way.

    Args:
        wraps: the last column goes on below itself instead of being cut.
        paint: how to colour a column, applied after padding.
    """
    body = [[clean(cell) for cell in row] for row in rows]
    full = [i for i in range(len(head)) if not body or any(row[i] for row in body)]
    body, head = [[row[i] for i in full] for row in body], [head[i] for i in full]
    paint = {full.index(i): how for i, how in (paint or {}).items() if i in full}
    widths = [max(map(cells, column)) for column in zip(head, *body, strict=True)]
    if look.fits:
        spare = look.width - indent - sum(widths) - 2 * (len(widths) - 1)
        widths[-1] = max(8, widths[-1] + min(0, spare))
    right = [_are_numbers([row[i] for row in body]) for i in range(len(head))]
    yield " " * indent + dim(_line(head, widths, right, {}))
    below = " " * (indent + sum(widths[:-1]) + 2 * (len(widths) - 1))
    for row in body:
        parts = broken(row[-1], widths[-1]) if wraps else [row[-1]]
        yield " " * indent + _line([*row[:-1], parts[0]], widths, right, paint)
        yield from (below + part for part in parts[1:])


def _line(row: Sequence[str], widths: list[int], right: list[bool], paint: dict[int, Paint]) -> str:
    out: list[str] = []
    for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
        text = fit(cell, width)
        pad = " " * (width - cells(text))
        padded = pad + text if right[i] else text + pad if i < len(widths) - 1 else text
        out.append(paint[i](padded) if i in paint else padded)
    return "  ".join(out).rstrip()


def _are_numbers(column: list[str]) -> bool:
    told = [cell.replace(".", "", 1).replace("%", "").strip() for cell in column if cell]
    return bool(told) and all(cell.isdigit() for cell in told)


def broken(text: str, width: int) -> list[str]:
    """The text in lines of at most that many cells, broken at spaces where there are any."""
    lines, line = [], ""
    for word in text.split(" "):
        rest = word
        if line and cells(f"{line} {word}") <= width:
            line = f"{line} {word}"
            continue
        lines += [line] if line else []
        while cells(rest) > width:
            head = rest[: max(1, width // 2)] if cells(rest[:width]) > width else rest[:width]
            lines, rest = [*lines, head], rest[len(head) :]
        line = rest
    return [*lines, line]


def fields(pairs: Iterable[tuple[str, Any]], look: Look, *, indent: int = 2) -> Iterator[str]:
    """`name  value` lines, values wrapped under themselves; empty values are left out."""
    told = [(name, clean(value)) for name, value in pairs if value not in (None, "", [])]
    width = max((len(name) for name, _ in told), default=0)
    for name, value in told:
        first = " " * indent + name.ljust(width) + "  "
        lines = list(wrap(value, look, indent=len(first))) or [""]
        yield " " * indent + dim(name.ljust(width)) + "  " + lines[0].lstrip()
        yield from lines[1:]


def wrap(text: Any, look: Look, *, indent: int = 0, bullet: str = "") -> Iterator[str]:
    """Prose wrapped to the width, every line indented; a bullet hangs before the first."""
    pad = " " * indent
    yield from textwrap.wrap(
        clean(text), max(20, min(look.width, WIDEST)), break_long_words=False,
        break_on_hyphens=False, initial_indent=pad + bullet,
        subsequent_indent=pad + " " * len(bullet),
    )  # fmt: skip


def section(title: str) -> Iterator[str]:
    """A heading with air above it."""
    yield ""
    yield bold(title)


def when(at: str | None, look: Look, form: str = "%Y-%m-%d %H:%M") -> str:
    """A server time in the look's clock, "" for none."""
    if not at:
        return ""
    time = datetime.fromisoformat(at)
    return (
        time.astimezone(UTC).strftime(form + "Z") if look.utc else time.astimezone().strftime(form)
    )


def quoted(words: str) -> str:
    return f"“{clean(words)}”"
