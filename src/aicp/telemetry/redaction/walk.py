"""The one walk through a record: envelope ids by shape, then what keys say, then what values show.

It never raises and never passes on what it could not look at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from aicp.telemetry.redaction import keys
from aicp.telemetry.redaction.detector import Context, Overfull, Span
from aicp.telemetry.redaction.envelope import passes
from aicp.telemetry.redaction.markers import CONTENT, ERROR, Marks, is_marker
from aicp.telemetry.redaction.money import is_card
from aicp.telemetry.redaction.normal import plain as plain_of
from aicp.telemetry.redaction.scan import is_harmless, spans
from aicp.telemetry.redaction.values import as_json, canonical

LONGEST = 65_536  # characters of one text
DEEPEST = 32
MOST = 200_000  # values of one record
_ROUNDS = 4


class Finding(NamedTuple):
    """What was found, and where; never the text.

    Args:
        pointer: of the value in the record (RFC 6901); of a key it is that of its value.
        start, end: characters of the original text; 0 and its length when the whole value goes.
        kind: "EMAIL" …
        marker: what stands there now.
    """

    pointer: str
    start: int
    end: int
    kind: str
    marker: str


@dataclasses.dataclass(slots=True)
class Settings:
    """What holds for the process, until `configure` says otherwise."""

    marks: Marks = dataclasses.field(default_factory=Marks)
    regions: tuple[str, ...] = ()
    content: bool = False
    errors: int = 0  # fields that were dropped because looking at them failed


SETTINGS = Settings()


class Walk:
    """One record's walk.

    Args:
        found: findings are added here; None keeps none.
    """

    def __init__(self, context: Context, found: list[Finding] | None = None) -> None:
        self.context = context
        self.found = found
        self.hits = 0
        self._left = MOST
        self._content = SETTINGS.content if context.content is None else context.content

    # --- values
    def value(self, value: Any, key: str = "", path: tuple[Any, ...] = (), depth: int = 0) -> Any:
        """The value with what must not be in it replaced; the same object where nothing was."""
        try:
            return self._value(value, key, path, depth)
        except Exception:  # noqa: BLE001  a field that cannot be looked at is dropped, never shown
            return self._failed(path)

    def _value(self, value: Any, key: str, path: tuple[Any, ...], depth: int) -> Any:  # noqa: PLR0911
        kind = type(value)
        if kind is str:
            return self._text(value, key, path, depth)
        if value is None or kind is bool:
            return value
        if kind is int or kind is float:
            return self._number(value, path)
        self._left -= 1
        if depth > DEEPEST:
            return self._whole(value, "TOO_DEEP", path)
        if self._left < 0:
            return self._whole(value, "TOO_MANY", path)
        if isinstance(value, Mapping):
            return self._mapping(value, path, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return self._list(value, key, path, depth)
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(bytes(value), key, path, depth)
        return self._value(as_json(value), key, path, depth + 1)

    def _text(self, text: str, key: str, path: tuple[Any, ...], depth: int) -> str:
        if len(text) > LONGEST:
            return self._whole(text, "TOO_LONG", path)
        if key and passes(key, text):
            return text
        reference = bool(key) and keys.is_reference(key)
        return self.text(text, path, depth, reference=reference)

    def text(
        self, text: str, path: tuple[Any, ...], depth: int = 0, *, reference: bool = False
    ) -> str:
        """A text until there is nothing to find in it: the second pass over it changes nothing."""
        out = text
        for number in range(_ROUNDS):
            nests = depth < DEEPEST and ("{" in out or "[" in out)
            inner = self._inner(path, depth) if nests else None
            try:
                found = spans(out, self.context, inner, is_reference=reference)
            except Overfull:
                return self._whole(text, "TOO_MANY", path)
            if not found:
                return out
            out = self._replaced(out, found, path, first=number == 0)
            if len(out) > LONGEST:
                return self._whole(text, "TOO_LONG", path)
        return self._whole(text, "TOO_MANY", path)

    def _inner(self, path: tuple[Any, ...], depth: int):  # noqa: ANN202
        def inner(value: Any) -> tuple[Any, str]:
            walk = Walk(self.context, [])
            walk._left = self._left
            out = walk.value(value, path=path, depth=depth + 1)
            self._left = walk._left
            return out, walk.found[0].kind if walk.found else ""

        return inner

    def _replaced(self, text: str, found: list[Span], path: tuple[Any, ...], *, first: bool) -> str:
        pieces: list[str] = []
        at = 0
        for span in found:
            if span.instead is None:
                said = plain_of(text[span.start : span.end]).text
                marker = SETTINGS.marks.mark(span.kind, said, self.context.tenant)
            else:
                marker = span.instead
            pieces += (text[at : span.start], marker)
            at = span.end
            if first:
                self._hit(
                    path, span.start, span.end, span.kind, marker if span.instead is None else ""
                )
        pieces.append(text[at:])
        return "".join(pieces)

    def _number(self, value: float, path: tuple[Any, ...]) -> Any:
        """A number, unless it is a card's; ids and phone numbers as bare numbers are told by their key."""
        wanted = not self.context.only or "CARD" in self.context.only
        if wanted and type(value) is int and 10**12 < value < 10**19 and is_card(str(value)):
            return self._whole(value, "CARD", path)
        return value

    def _leaf(self, text: str, path: tuple[Any, ...], depth: int, key: str) -> str:
        try:
            return self.text(text, path, depth, reference=keys.is_reference(key))
        except Exception:  # noqa: BLE001
            return self._failed(path)

    # --- containers
    def _mapping(
        self, value: Mapping[Any, Any], path: tuple[Any, ...], depth: int
    ) -> dict[str, Any]:
        if len(value) == 2 and (pair := _named_pair(value)):
            name, key, holder = pair
            return {
                name: self._key(key, path),
                holder: self._under(key, value[holder], (path, holder), depth),
            }
        out: dict[str, Any] = {}
        for key, item in value.items():
            if type(item) is str and type(key) is str and keys.is_plain(key):
                if len(item) > LONGEST:
                    out[key] = self._whole(item, "TOO_LONG", (path, key))
                elif is_harmless(item) or passes(key, item):
                    out[key] = item
                else:
                    out[key] = self._leaf(item, (path, key), depth + 1, key)
                continue
            name = key if type(key) is str else self._key_name(key)
            shown = self._key(name, path)
            while shown in out:
                shown += "'"
            out[shown] = self._under(name, item, (path, name), depth, shown)
        return out

    def _key_name(self, key: Any) -> str:
        try:
            return str(key)
        except Exception:  # noqa: BLE001
            SETTINGS.errors += 1
            return ERROR

    def _key(self, name: str, path: tuple[Any, ...]) -> str:
        if len(name) < 20 and name.isidentifier():
            return name
        if len(name) > LONGEST:
            return self._whole(name, "TOO_LONG", path)
        try:
            return self.text(name, (path, name), DEEPEST)
        except Exception:  # noqa: BLE001
            return self._failed(path)

    def _under(
        self, key: str, value: Any, path: tuple[Any, ...], depth: int, shown: str | None = None
    ) -> Any:
        """A value under its key: the key's word first, as it was and as it is shown now."""
        try:
            shown = key if shown is None else shown
            kind = keys.rule(key) or (keys.rule(shown) if shown != key else "")
            if self.context.only and kind not in self.context.only:
                kind = ""
            if not kind or value is None or isinstance(value, bool):
                return self.value(value, shown, path, depth + 1)
            if kind == "CONTENT":
                if self._content:
                    return self.value(value, "", path, depth + 1)
                return self._dropped(value, path)
            return self._sensitive(kind, value, key, path, depth + 1)
        except Exception:  # noqa: BLE001
            return self._failed(path)

    def _sensitive(self, kind: str, value: Any, key: str, path: tuple[Any, ...], depth: int) -> Any:
        """A value whose key says what it is: the leaves of personal data go, a secret goes whole."""
        holds = isinstance(value, Mapping | list | tuple | set | frozenset)
        if holds and depth > DEEPEST:
            return self._whole(value, "TOO_DEEP", path)
        if isinstance(value, Mapping) and value and (kind != "SECRET" or set(value) <= _OTLP):
            return {
                self._key(str(k), path): self._sensitive(kind, v, key, (path, k), depth + 1)
                for k, v in value.items()
            }
        if holds and kind != "SECRET":
            return [
                self._sensitive(kind, v, key, (path, i), depth + 1) for i, v in enumerate(value)
            ]
        if kind == "ADDRESS" and isinstance(value, str) and _is_place(value):
            return self.value(value, "", path, depth)
        return value if _says_nothing(kind, value) else self._whole(value, kind, path)

    def _list(self, value: Any, key: str, path: tuple[Any, ...], depth: int) -> list[Any]:
        items = list(value) if isinstance(value, list | tuple) else sorted(value, key=repr)
        if (
            len(items) == 2
            and type(items[0]) is str
            and type(items[1]) is str
            and keys.rule(items[0])
        ):
            return [
                items[0],
                self._under(items[0], items[1], (path, 1), depth),
            ]  # ["Authorization", "…"]
        out: list[Any] = []
        option = ""
        for i, item in enumerate(items):
            if option and type(item) is str and not item.startswith("-"):
                out.append(self._under(option, item, (path, i), depth))
            else:
                out.append(self.value(item, key, (path, i), depth + 1))
            option = (
                item.lstrip("-")
                if type(item) is str and item[:1] == "-" and "=" not in item
                else ""
            )
        return out

    def _bytes(self, data: bytes, key: str, path: tuple[Any, ...], depth: int) -> str:
        try:
            return self._text(data.decode("utf-8"), key, path, depth)
        except UnicodeDecodeError:
            return self._whole(
                data.hex() if len(data) <= LONGEST else data[:LONGEST].hex(), "BYTES", path
            )

    # --- what stands there instead
    def _whole(self, value: Any, kind: str, path: tuple[Any, ...]) -> str:
        text = canonical(value)
        marker = SETTINGS.marks.mark(kind, text, self.context.tenant)
        self._hit(path, 0, len(text), kind, marker)
        return marker

    def _dropped(self, value: Any, path: tuple[Any, ...]) -> str:
        if value != CONTENT:
            self._hit(path, 0, len(value) if isinstance(value, str) else 0, "CONTENT", CONTENT)
        return CONTENT

    def _failed(self, path: tuple[Any, ...]) -> str:
        SETTINGS.errors += 1
        self._hit(path, 0, 0, "ERROR", ERROR)
        return ERROR

    def _hit(self, path: tuple[Any, ...], start: int, end: int, kind: str, marker: str) -> None:
        self.hits += 1
        if self.found is not None:
            self.found.append(Finding(_pointer(path), start, end, kind, marker))


_PAIRS = (("key", "value"), ("name", "value"), ("Name", "Value"), ("header", "value"))
_OTLP = frozenset(
    {"stringValue", "intValue", "doubleValue", "boolValue", "bytesValue", "string_value"}
)


def _named_pair(value: Mapping[Any, Any]) -> tuple[str, str, str] | None:
    """{"key": "password", "value": …}: an attribute of OTLP, a header of a HAR, a form field."""
    for name, holder in _PAIRS:
        if name in value and holder in value and isinstance(value[name], str):
            return name, value[name], holder
    return None


def _says_nothing(kind: str, value: Any) -> bool:
    """Nothing, empty, yes or no, a marker already, or this machine's own address."""
    if isinstance(value, str):
        return is_marker(value) or not value.strip() or (kind == "IP" and _is_own(value))
    return value is None or isinstance(value, bool) or value in ([], (), {})


def _is_own(text: str) -> bool:
    """An address of this machine."""
    return text.startswith(("127.", "localhost", "0.0.0.0")) or text in ("::1", "::", "[::1]")  # noqa: S104


def _is_place(text: str) -> bool:
    """An address of a machine, not of a person: host:port, a URL, a path."""
    host, _, port = text.rpartition(":")
    return (
        "://" in text
        or text.startswith(("/", "localhost"))
        or (port.isdigit() and " " not in host and host != "")
    )


def _pointer(path: tuple[Any, ...]) -> str:
    parts: list[str] = []
    while path:
        path, part = path
        parts.append("/" + str(part).replace("~", "~0").replace("/", "~1"))
    return "".join(reversed(parts))
