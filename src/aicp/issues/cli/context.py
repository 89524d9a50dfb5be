"""What every command is given: the book, who is asking, and where the answer goes."""

from __future__ import annotations

import os
import sys

from aicp.issues.book import Book
from aicp.issues.errors import BadInput, Unanswered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from aicp.issues.cli.options import Call


class Context:
    """One call of `bd`."""

    __slots__ = ("_book", "_piped", "call", "env", "folder")

    def __init__(self, call: Call, env: Mapping[str, str], folder: str) -> None:
        self.call, self.env = call, env
        self.folder = os.path.join(folder, call.options.get("directory", ""))
        self._book: Book | None = None
        self._piped: str | None = None

    @property
    def path(self) -> str:
        """The issues file, there or not."""
        from aicp.issues.locate import locate

        return locate(self.folder, db=self.option("db", ""), env=self.env)

    @property
    def book(self) -> Book:
        if self._book is None:
            self._book = Book(self.path)
        return self._book

    @property
    def json(self) -> bool:
        return bool(self.call.options.get("json")) or self.env.get("BD_JSON", "") in ("1", "true")

    @property
    def actor(self) -> str:
        """--actor, BD_ACTOR, BEADS_ACTOR, or the login name."""
        named = ("BD_ACTOR", "BEADS_ACTOR", "USER", "LOGNAME")
        names = (self.option("actor", ""), *(self.env.get(name, "") for name in named))
        return clean(next((name for name in names if name), "unknown"))

    def option(self, name: str, default: Any = None) -> Any:
        return self.call.options.get(name, default)

    def ids(self) -> list[str]:
        """The arguments as ids, once each; `-` reads more of them from stdin."""
        given = [self.piped().split() if one == "-" else [one] for one in self.call.words]
        words = [word for some in given for word in some]
        if not words:
            raise BadInput("which issue? stdin named none", hint="name one or more ids")
        return list(dict.fromkeys(words))

    def text(self, value: str) -> str:
        """An argument as text; `-` reads stdin."""
        return self.piped().rstrip("\n") if value == "-" else clean(value)

    def piped(self) -> str:
        """All of stdin, read once."""
        if self._piped is None:
            self._piped = sys.stdin.buffer.read().decode("utf-8", "replace")
        return self._piped or ""

    def put(self, data: bytes | str) -> None:
        """The answer, on stdout."""
        try:
            sys.stdout.buffer.write(data if isinstance(data, bytes) else encoded(data + "\n"))
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Unanswered(error.strerror) from None

    def note(self, text: str) -> None:
        """A remark, on stderr, unless it is to be quiet."""
        if not self.call.options.get("quiet"):
            sys.stderr.buffer.write(encoded(f"bd: {text}\n"))

    def json_value(self, value: Any) -> None:
        """A value as one line of JSON."""
        from aicp.issues.jsontext import dumps

        self.put(dumps(value))


def clean(text: str) -> str:
    """An argument as proper text: bytes that are not UTF-8 become the replacement character."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")
