"""Undo disguises before looking: width, look-alikes, zero-width characters, %xx, entities, escapes.

Every character of the plain text remembers which stretch of the original it came from, so that what is
found is taken out of the original.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

_LOOKS = dict(
    zip(
        "абвеікмнорстухјѕԁһԛԝАВЕІКМНОРСТУХЈЅοαεικνρτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧօսհıɑɡłøđðħ。·٫",
        "a6beikmhopctyxjsdhqwABEIKMHOPCTYXJSoaeikvptuxABEZHIKMNOPTYXouhiaglodhh..,",
        strict=True,
    )
)
_DASHES = "‐‑‒–—―−﹘﹣"
_QUOTES = {"‘": "'", "’": "'", "“": '"', "”": '"', "«": '"', "»": '"', "„": '"'}
_LOOKS |= dict.fromkeys(_DASHES, "-") | _QUOTES
_ESCAPED = re.compile(
    r"(?:%[0-9A-Fa-f]{2})+|&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});"
    r"|(?:\\+u[0-9A-Fa-f]{4})+|\\+x[0-9A-Fa-f]{2}|\\+/"
)
_HEX = re.compile(r"[0-9A-Fa-f]{4}")
ROUNDS = 3  # "%2540" is "%40" is "@"


@dataclass(frozen=True, slots=True)
class Plain:
    """A text without disguise. `starts[i]` and `ends[i]` are the stretch of the original behind
    character i; both are empty when the text is the original itself."""

    text: str
    starts: list[int]
    ends: list[int]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the original behind plain[start:end]."""
        if not self.starts:
            return start, end
        # what was dropped behind the last character goes with it
        return self.starts[start], self.starts[end] if end < len(self.starts) else self.ends[
            end - 1
        ]


def plain(text: str) -> Plain:
    """The text as a reader or a program would take it."""
    starts: list[int] = []
    ends: list[int] = []
    out = text
    for _ in range(ROUNDS):
        if ("%" not in out and "&" not in out and "\\" not in out) or not _ESCAPED.search(out):
            break
        out, starts, ends = _unescaped(out, starts, ends)
    if not out.isascii():
        out, starts, ends = _folded(out, starts, ends)
    return Plain(out, starts, ends)


def fold(text: str) -> str:
    """A word as it reads in a plain text: for lists of words in languages with accents."""
    return plain(text).text.lower()


def _unescaped(text: str, starts: list[int], ends: list[int]) -> tuple[str, list[int], list[int]]:
    pieces: list[str] = []
    new_starts: list[int] = []
    new_ends: list[int] = []
    old_starts = starts or range(len(text))
    old_ends = ends or range(1, len(text) + 1)
    at = 0
    for found in _ESCAPED.finditer(text):
        begin, stop = found.span()
        pieces.append(text[at:begin])
        new_starts.extend(old_starts[at:begin])
        new_ends.extend(old_ends[at:begin])
        told = _told(found[0])
        pieces.append(told)
        _spread(told, old_starts, old_ends, begin, stop, new_starts, new_ends)
        at = stop
    pieces.append(text[at:])
    new_starts.extend(old_starts[at:])
    new_ends.extend(old_ends[at:])
    return "".join(pieces), new_starts, new_ends


def _spread(told, old_starts, old_ends, begin, stop, new_starts, new_ends) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """Which stretch each character of a told escape came from: its own when widths are even."""
    width, odd = divmod(stop - begin, len(told)) if told else (0, 1)
    for i in range(len(told)):
        first, last = (begin + i * width, begin + (i + 1) * width) if not odd else (begin, stop)
        new_starts.append(old_starts[first])
        new_ends.append(old_ends[last - 1])


def _told(escape: str) -> str:
    """What an escape stands for; itself when it stands for nothing."""
    if escape[0] == "%":
        return unquote_to_bytes(escape).decode("utf-8", "replace")
    if escape[0] == "&":
        return html.unescape(escape)
    if escape[-1] == "/":
        return "/"
    if "u" in escape:
        units = b"".join(int(u, 16).to_bytes(2, "little") for u in _HEX.findall(escape))
        return units.decode("utf-16-le", "replace")
    return chr(int(escape[-2:], 16))


def _folded(text: str, starts: list[int], ends: list[int]) -> tuple[str, list[int], list[int]]:
    pieces = [_plain_char(c) for c in text]
    out = "".join(pieces)
    if len(out) == len(text) and all(len(p) == 1 for p in pieces):
        return out, starts, ends
    old_starts = starts or range(len(text))
    old_ends = ends or range(1, len(text) + 1)
    new_starts: list[int] = []
    new_ends: list[int] = []
    for i, piece in enumerate(pieces):
        for _ in piece:
            new_starts.append(old_starts[i])
            new_ends.append(old_ends[i])
    return out, new_starts, new_ends


@lru_cache(maxsize=8192)
def _plain_char(char: str) -> str:  # noqa: PLR0911  one line for each kind of character
    if char.isascii():
        return char
    if look := _LOOKS.get(char):
        return look
    category = unicodedata.category(char)
    if category in ("Cf", "Mn", "Me", "Cs"):
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category == "Zs":
        return " "
    apart = unicodedata.normalize("NFKD", char)
    if apart[0].isascii():
        return "".join(c for c in apart if not unicodedata.combining(c))
    return "".join(_LOOKS.get(c, c) for c in unicodedata.normalize("NFKC", char))
