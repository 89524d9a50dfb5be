"""One text: undo its disguise, ask the engine what may be in it, look closely, and say where.

What is inside another writing (JSON, base64, hexadecimal) is read in it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from aicp.telemetry.redaction import money, nationals, pairs, people, secrets
from aicp.telemetry.redaction.detector import Context, Detector, Span, Text
from aicp.telemetry.redaction.engines import Engine, Trigger, best
from aicp.telemetry.redaction.markers import FILLER, blank_markers
from aicp.telemetry.redaction.normal import Plain
from aicp.telemetry.redaction.normal import plain as plain_of

Inner = Callable[
    [Any], tuple[Any, str]
]  # redacts a parsed value; the kind of its first find, or ""

DETECTORS: tuple[Detector, ...] = (
    *secrets.DETECTORS, *pairs.DETECTORS, *money.DETECTORS, *people.DETECTORS, *nationals.DETECTORS,
    people.PHONES,
)  # fmt: skip
_AT_BARE = DETECTORS.index(
    nationals.DETECTORS[0]
)  # from here on: digits that nothing before has claimed
_BASE64 = Trigger(shape=r"[a-z0-9+/_-]{16}")
_JSON = Trigger(shape=r"[{\[]\s{0,8}\\{0,3}[\"{\[]")
TRIGGERS = (*(d.trigger for d in DETECTORS), _BASE64, _JSON, people.PHONE_NAMED, nationals.ID_NAMED)
_AT_BASE64, _AT_JSON, _AT_PHONE, _AT_ID = range(len(DETECTORS), len(TRIGGERS))
SHORTEST = 4  # a shorter text is judged by its key alone
DEEPEST_CODE = 2  # base64 in base64

_RANK = {kind: n for n, kind in enumerate(
    ("SECRET", "CARD", "IBAN", "NATIONAL_ID", "EMAIL", "DOB", "PHONE", "IP")
)}  # fmt: skip

_engine: Engine = best(TRIGGERS)


def use(name: str) -> Engine:
    """Scan with an engine by name ("hyperscan", "re2", "re"); returns it. For tests and measurements."""
    global _engine  # noqa: PLW0603  one engine a process
    _engine = _made(name)
    return _engine


@cache
def _made(name: str) -> Engine:
    return best(TRIGGERS, [name])


def engine() -> str:
    """The name of the engine in use."""
    return _engine.name


def spans(
    text: str,
    context: Context,
    inner: Inner | None = None,
    *,
    depth: int = 0,
    is_reference: bool = False,
) -> list[Span]:
    """What must not be in a text: stretches of the original, in order and apart.

    Args:
        inner: redacts what is parsed out of the text; without it JSON inside is read as text only.
        depth: how many codes this text was taken out of.
        is_reference: its field's name says id or digest.
    """
    if is_harmless(text):
        return []
    blank = blank_markers(text) if "[" in text else text
    shown = plain_of(blank)
    lowered = shown.text.lower()
    fired = _engine.fired(lowered)
    if not fired:
        return []
    looked = Text(shown.text, lowered, context, is_reference=is_reference)
    looked.phone_named, looked.id_named = _AT_PHONE in fired, _AT_ID in fired
    found = _found(looked, sorted(fired))
    if _AT_BASE64 in fired and depth < DEEPEST_CODE:
        found = [*_decoded(looked, found, context, depth)]
    found = _in_original(found, shown) if found else found
    if "%" in blank and "=" in blank:
        found.extend(pairs.parameters(blank))  # a decoded space is not the end of a value
    if inner and _AT_JSON in fired:
        found.extend(_json(text, inner))
    if context.only:
        found = [span for span in found if span.kind in context.only]
    return _merged(found) if found else found


def _found(looked: Text, numbers: list[int]) -> list[Span]:
    """What the detectors of these numbers find; bare digits are looked at last, less what is found by then."""
    found: list[Span] = []
    for number in numbers:
        if number >= _AT_BASE64:
            break
        if found and number >= _AT_BARE:
            looked.cover(found)
        found.extend(DETECTORS[number].find(looked))
    return found


def is_harmless(text: str) -> bool:
    """`execution_started`, `INFO`: a name too short or too even to be a token."""
    size = len(text)
    if size < SHORTEST:
        return True
    if size >= 40 or not text.isidentifier():
        return False
    return size < 16 or (text.islower() and text.replace("_", "").isalpha())


def _in_original(found: list[Span], shown: Plain) -> list[Span]:
    return [
        Span(*shown.original(s.start, s.end), "SECRET" if s.kind == secrets.OPAQUE else s.kind)
        for s in found
        if s.end > s.start and not _only_marker(shown.text[s.start : s.end])
    ]


def _only_marker(text: str) -> bool:
    """Nothing is left beside what was taken out before."""
    return FILLER in text and not any(c.isalnum() for c in text)


def _merged(found: list[Span]) -> list[Span]:
    """Overlapping stretches as one; it gets the graver kind. A rewritten stretch swallows what is in it."""
    found.sort(key=lambda s: (s.start, -s.end))
    out = [found[0]]
    for span in found[1:]:
        last = out[-1]
        if span.start >= last.end:
            out.append(span)
        elif last.instead is not None and span.end <= last.end:
            continue
        elif span.instead is not None and last.start >= span.start and last.end <= span.end:
            out[-1] = span
        else:
            kind = min(last.kind, span.kind, key=lambda k: _RANK.get(k, 99))
            out[-1] = Span(last.start, max(last.end, span.end), kind)
    return out


# --- base64 and hexadecimal
_CODE = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,65536}={0,2}")
_HEXADECIMAL = re.compile(r"(?:[0-9a-fA-F]{2}){8,}\Z")


def _decoded(text: Text, found: list[Span], context: Context, depth: int) -> Iterator[Span]:
    """The spans found, less opaque tokens that only encode a harmless text, and texts with a find inside."""
    read: list[tuple[int, int]] = []
    for code in _CODE.finditer(text.plain):
        told = _told(code[0])
        if told is None:
            continue
        inside = spans(told, context, _parsed(context), depth=depth + 1)
        read.append(code.span())
        if inside:
            yield Span(*code.span(), inside[0].kind)
    for span in found:
        if span.kind != secrets.OPAQUE or (span.start, span.end) not in read:
            yield span


def _parsed(context: Context) -> Inner:
    from aicp.telemetry.redaction.walk import Walk

    def inner(value: Any) -> tuple[Any, str]:
        found: list[Any] = []
        out = Walk(context, found).value(value)
        return out, found[0].kind if found else ""

    return inner


def _told(code: str) -> str | None:
    """The readable text that a code stands for, None when it stands for none."""
    bare = code.rstrip("=")
    if _HEXADECIMAL.match(bare):
        data = bytes.fromhex(bare)
        return _readable(data)
    if len(bare) % 4 == 1 or bare.islower() or bare.isupper():
        return None
    try:
        data = base64.b64decode(bare.translate(_STANDARD) + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return _readable(data)


_STANDARD = str.maketrans("-_", "+/")


def _readable(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    odd = sum(1 for c in text if not c.isprintable() and c not in "\r\n\t")
    return text if not odd else None


# --- JSON inside a text
_OPENS = re.compile(r"[{\[]\s{0,8}[\"{\[]")
_ATTEMPTS = 4
DEEP_JSON = 48
_decoder = json.JSONDecoder()


def _json(text: str, inner: Inner) -> Iterator[Span]:
    """Every JSON value inside a text, redacted by its keys as well, where that changed anything."""
    at = 0
    for _ in range(_ATTEMPTS):
        begin = _OPENS.search(text, at)
        if begin is None:
            return
        if not text[begin.start() : begin.start() + DEEP_JSON].strip("[{ \t\r\n"):
            return  # brackets and nothing else: no value that anybody wrote
        try:
            value, end = _decoder.raw_decode(text, begin.start())
        except (ValueError, RecursionError):
            at = begin.start() + 1
            continue
        out, kind = inner(value)
        if kind:
            told = json.dumps(out, ensure_ascii=False, separators=(",", ":"), default=str)
            yield Span(begin.start(), end, kind, told)
        at = end
