"""A table as its provider sees it: rows of text cells, and a view that reads and writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from aicp.kernel.canonical import sha256
from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError

Cells = dict[str, str | None]
ABSENT = "absent"  # the version of a row that is not there


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `classes` tells values apart whose text is the same (SQLite storage classes)."""

    key: str
    values: Cells
    classes: str = ""

    @property
    def version(self) -> str:
        """20 digits over the row's values."""
        return sha256(json.dumps([list(self.values.items()), self.classes]).encode())[:20]


def version_of(row: Row | None) -> str:
    return row.version if row else ABSENT


class Clash(ProviderError):
    """The table's own rules (a unique column, a foreign key, a check) forbid the change."""


class View(Protocol):
    """One consistent look at a table; writes become real when the store's `writing` ends well."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def key(self) -> str:
        """The column that names a row."""
        ...

    @property
    def fixed(self) -> frozenset[str]:
        """Columns that may not be set."""
        ...

    @property
    def memo(self) -> dict[str, Any]:
        """Facts about exactly this content, kept as long as it is."""
        ...

    def rows(self) -> Sequence[Row]: ...

    def get(self, key: str) -> Row | None: ...

    def image(self, key: str) -> Json:
        """All that `put_back` needs to make this row what it is now."""
        ...

    def update(self, key: str, values: Json) -> None: ...

    def insert(self, values: Json) -> str:
        """Add a row; its key. A key that is left out is the next one the table would give."""
        ...

    def delete(self, key: str) -> None: ...

    def put_back(self, key: str, image: Json) -> None:
        """Make the row what the image says, whether it is there or not."""
        ...


class Store(Protocol):
    """Where the rows live."""

    @property
    def name(self) -> str:
        """The target, the same for every connection to it."""
        ...

    @property
    def exact(self) -> bool:
        """False: triggers may touch more than a call asks for."""
        ...

    @property
    def facts(self) -> Json: ...

    def reading(self, key: str = "") -> AbstractContextManager[View]:
        """A view to look at; `key` pins the key column found earlier."""
        ...

    def trial(self) -> AbstractContextManager[View]:
        """A view whose writes are checked by the table's own rules and then dropped."""
        ...

    def writing(self, key: str = "") -> AbstractContextManager[View]:
        """A view held against all other writers; all of its writes are kept, or none."""
        ...

    def content_hash(self) -> str: ...

    def copied(self) -> AbstractContextManager[Store]:
        """The same store on a private copy of its content, gone afterwards."""
        ...
