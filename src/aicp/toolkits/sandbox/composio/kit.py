"""What a sandbox toolkit is made of: scopes in plain words, tools, and sample records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
NewId = Callable[[str], str]  # a prefix -> an id never given before
Act = Callable[[Json, Json, NewId], Json]  # (records of the toolkit, arguments, new id) -> answer

VERSION = "20260901_00"  # of every sandbox toolkit


class Refused(Exception):
    """The tool said no, as the real service would: an HTTP status and a sentence."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: what it takes, which grants allow it (any one of them), and what it does."""

    slug: str
    title: str
    description: str
    takes: Json  # JSON Schema of the arguments
    scopes: tuple[str, ...]
    act: Act
    reads: bool = False
    inverse: str = ""  # the tool that takes it back; "" when there is none


@dataclass(frozen=True, slots=True)
class Toolkit:
    """A toolkit with its scopes (name -> plain words) and the records it starts with."""

    slug: str
    title: str
    description: str
    scopes: dict[str, str]
    tools: tuple[Tool, ...]
    records: Callable[[], Json]
    no_auth: bool = False
    wider: tuple[str, ...] = field(default=())  # scopes that the knob "broader" adds

    @property
    def name(self) -> str:
        return f"{self.title} (sandbox)"


def takes(*required: str, **properties: Json) -> Json:
    """A JSON Schema object as Composio sends it: open, with titles missing."""
    return {"type": "object", "properties": properties, "required": list(required)}


def found(records: Json, key: str, what: str) -> Json:
    """The record of that id.

    Raises:
        Refused: there is none (404).
    """
    if key not in records:
        raise Refused(f"{what} {key[:80]} not found", 404)
    return records[key]


TEXT: Json = {"type": "string"}
TEXTS: Json = {"type": "array", "items": {"type": "string"}}
COUNT: Json = {"type": "integer", "minimum": 1, "maximum": 500}
