"""A second opinion: does a stored value still hold a secret or personal data?

Independent of `redaction` and stricter: it shares no pattern, table or normalisation with it, looks at every
value whatever its key, and would rather be wrong than silent. It serves audits of what was stored, where a
false alarm costs a look. What it finds is told by kind, place and hash, never by its text.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from email_validator import EmailNotValidError, validate_email


@dataclass(frozen=True, slots=True)
class Suspect:
    """Args:
    kind: "email", "digits", "token", "password", "address".
    pointer: of the value (RFC 6901); of a key it is that of its value.
    hash: the first 12 hex digits of its SHA-256: tells two suspects apart, and is no copy.
    """

    kind: str
    pointer: str
    hash: str


_LOUD = (
    "password",
    "passwd",
    "pwd=",
    "secret=",
    "secret:",
    "bearer ",
    "begin private",
    "private key-",
    "authorization:",
)
_TIED = frozenset("-_+/=.~")
_SEPARATORS = frozenset(" -.()/")


def suspects(value: Any, pointer: str = "") -> Iterator[Suspect]:
    """What is suspicious in a JSON value, at any depth."""
    if isinstance(value, dict):
        for key, item in value.items():
            place = f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
            yield from suspects(str(key), place)
            yield from suspects(item, place)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from suspects(item, f"{pointer}/{number}")
    elif isinstance(value, str):
        for kind, hit in _in_text(value):
            yield Suspect(
                kind, pointer, hashlib.sha256(hit.encode("utf-8", "replace")).hexdigest()[:12]
            )


def _in_text(text: str) -> Iterator[tuple[str, str]]:
    visible = "".join(
        c
        for c in unicodedata.normalize("NFKD", text)
        if unicodedata.category(c) not in ("Cf", "Mn")
    )
    visible = _without_marks(visible)
    yield from _mails(visible)
    yield from _numbers(visible)
    words = visible.split()
    for word in words:
        bare = word.strip("\"'<>()[]{},;")
        if _is_address(bare):
            yield "address", bare
        elif _is_token(bare):
            yield "token", bare
    lowered = visible.lower()
    for loud in _LOUD:
        at = lowered.find(loud)
        rest = visible[at + len(loud) :].lstrip("\"' :=") if at >= 0 else ""
        first = rest.split(maxsplit=1)[0] if rest.split() else ""
        if (
            first
            and not first.startswith("[")
            and any(c.isdigit() for c in first)
            and len(first) >= 6
        ):
            yield "password", first


def _without_marks(text: str) -> str:
    """What redaction left in place of something is nothing to find: `[EMAIL:3f9a0c21]`."""
    pieces = text.split("[")
    kept = [pieces[0]]
    for piece in pieces[1:]:
        inside, closed, rest = piece.partition("]")
        name, _, mark = inside.partition(":")
        known = closed and name.replace("_", "").isupper() and (not mark or len(mark) == 8)
        kept.append(rest if known else f"[{piece}")
    return " ".join(kept)


def _mails(text: str) -> Iterator[tuple[str, str]]:
    at = text.find("@")
    while at >= 0:
        left = at
        while left and not text[left - 1].isspace() and text[left - 1] not in '<>()[]",;:=?&/':
            left -= 1
        right = at + 1
        while right < len(text) and (text[right].isalnum() or text[right] in ".-_"):
            right += 1
        candidate = text[left:right].strip(".")
        try:
            validate_email(candidate, check_deliverability=False, test_environment=True)
            yield "email", candidate
        except EmailNotValidError:
            pass
        at = text.find("@", at + 1)


def _numbers(text: str) -> Iterator[tuple[str, str]]:
    """Runs of digits, grouped or not, that check as a card, or that are dialled: + and eight or more."""
    run: list[str] = []
    start = 0
    for place, char in enumerate(f"{text}\n"):
        if char.isdecimal():
            start = start if run else place
            run.append(char)
        elif run and char in _SEPARATORS and place + 1 < len(text) and text[place + 1].isdecimal():
            continue
        elif run:
            digits, before = (
                "".join(str(unicodedata.decimal(c)) for c in run),
                text[max(0, start - 1) : start],
            )
            if (
                13 <= len(digits) <= 19
                and digits[0] in "23456"
                and not before.isalnum()
                and _luhn(digits)
            ) or (before == "+" and 8 <= len(digits) <= 15):
                yield "digits", digits
            run = []


def _luhn(digits: str) -> bool:
    total = 0
    for place, char in enumerate(reversed(digits)):
        number = int(char) * (1 + place % 2)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def _is_address(word: str) -> bool:
    """Four numbers with dots, not of this machine."""
    parts = word.split(":", maxsplit=1)[0].split(".")
    octets = len(parts) == 4 and all(p.isdecimal() and len(p) <= 3 and int(p) < 256 for p in parts)
    return octets and parts[0] not in ("0", "127", "255") and "0.0.0" not in word


def _is_token(word: str) -> bool:
    """Long, of both cases and digits, and as even as chance."""
    bare = "".join(c for c in word if c not in _TIED)
    if not 20 <= len(bare) <= 4096 or not bare.isascii() or not bare.isalnum():
        return False
    kinds = (
        any(c.islower() for c in bare),
        any(c.isupper() for c in bare),
        any(c.isdigit() for c in bare),
    )
    if not all(kinds) or "/" in word:
        return False
    counts = [bare.count(c) / len(bare) for c in set(bare)]
    return -sum(p * math.log2(p) for p in counts) >= min(4.0, 0.8 * math.log2(len(bare)))
