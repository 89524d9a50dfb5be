"""One line, edited key by key: what is not touched keeps its bytes."""

from __future__ import annotations

from aicp.issues.jsontext import dumps, elements, loads, members
from aicp.issues.model import KEY_ORDER, Issue, issue_of
from aicp.issues.stamps import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_RANK = {key: rank for rank, key in enumerate(KEY_ORDER)}
_ALWAYS = frozenset({"id", "title", "description", "status", "priority", "issue_type"})


class Record:
    """The members of a line as their own JSON texts, in the line's order.

    Raises:
        ValueError: the line is not a JSON object.
    """

    __slots__ = ("raw",)

    def __init__(self, line: str) -> None:
        self.raw: dict[str, str] = members(line)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Record:
        """A new line from plain values; empty ones are left out."""
        record = cls("{}")
        for key, value in values.items():
            record.set(key, value)
        return record

    @property
    def id(self) -> str:
        return loads(self.raw["id"])

    def get(self, key: str, default: Any = None) -> Any:
        """A member's value; null counts as missing."""
        value = loads(self.raw.get(key, "null"))
        return default if value is None else value

    def set(self, key: str, value: Any) -> None:
        """Write one member; None, "" and [] take it away unless every line carries it."""
        if value in (None, "", [], {}) and value is not False and key not in _ALWAYS:
            self.raw.pop(key, None)
        else:
            self.put(key, dumps(value))

    def items(self, key: str) -> list[str]:
        """The elements of an array member, each as its own text."""
        text = self.raw.get(key, "[]")
        return [] if text == "null" else elements(text)

    def set_items(self, key: str, texts: list[str]) -> None:
        """Write an array member from element texts; [] takes it away."""
        if texts:
            self.put(key, f"[{','.join(texts)}]")
        else:
            self.raw.pop(key, None)

    def touch(self, at: int) -> None:
        """Move updated_at to `at` (ns), and never backwards: merging trusts the newest."""
        self.set("updated_at", to_text(max(at, self.issue().updated + 1)))

    def text(self) -> str:
        """The line, compact, without a newline."""
        return "{" + ",".join(f"{dumps(key)}:{raw}" for key, raw in self.raw.items()) + "}"

    def bytes(self) -> bytes:
        """The line as it goes into the file."""
        return (self.text() + "\n").encode("utf-8", "replace")

    def value(self) -> dict[str, Any]:
        """The whole issue as plain values."""
        return {key: loads(raw) for key, raw in self.raw.items()}

    def issue(self) -> Issue:
        """The engine's view."""
        return issue_of(self.value(), len(self.bytes()))

    def put(self, key: str, text: str) -> None:
        """Write a member as JSON text, a new one at its place in the order of keys."""
        if key not in self.raw and (rank := _RANK.get(key)) is not None:
            after = [k for k in self.raw if _RANK.get(k, -1) > rank]
            moved = {k: self.raw.pop(k) for k in self._from(after)}
            self.raw[key] = text
            self.raw.update(moved)
        else:
            self.raw[key] = text

    def _from(self, after: list[str]) -> list[str]:
        keys = list(self.raw)
        return keys[keys.index(after[0]) :] if after else []
