"""Row types for Python: one frozen dataclass a table or view, ready for psycopg's `class_row`."""

from __future__ import annotations

from collections.abc import Iterator

from aicp.schema.row_types import SCHEMA, Column, Model, Table

HEAD = '''"""The rows of the database. Made from supabase/migrations/0001_init.sql by `make schema`; do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID
'''
TYPES = {
    "smallint": "int", "integer": "int", "bigint": "int", "oid": "int", "real": "float",
    "double precision": "float", "numeric": "Decimal", "boolean": "bool", "uuid": "UUID",
    "text": "str", "character varying": "str", "character": "str", "name": "str", "public.citext": "str",
    "bytea": "bytes", "json": "Any", "jsonb": "Any", "date": "date", "interval": "timedelta",
    "timestamp with time zone": "datetime", "timestamp without time zone": "datetime",
    "time without time zone": "time", "time with time zone": "time",
}  # fmt: skip


def python_rows(model: Model) -> str:
    """The whole file."""
    enums = [f"{_class(name)} = {_literal(labels)}" for name, labels in model.enums.items()]
    rows = ["\n".join(_row(table, model)) for table in model.tables]
    return "\n\n\n".join([HEAD.rstrip("\n"), *(["\n".join(enums)] if enums else []), *rows]) + "\n"


def _row(table: Table, model: Model) -> Iterator[str]:
    yield "@dataclass(frozen=True, slots=True)"
    yield f"class {_class(table.name)}:"
    for column in table.columns:
        yield f"    {column.name}: {_type(column, model)}"


def _class(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _type(column: Column, model: Model) -> str:
    enum = column.base.removeprefix(f"{SCHEMA}.")
    if column.one_of and not column.array:
        bare = _literal(column.one_of)
    else:
        bare = _class(enum) if enum in model.enums else TYPES.get(column.base, "Any")
    if column.array:
        bare = f"list[{bare}]"
    return f"{bare} | None" if column.nullable and bare != "Any" else bare


def _literal(labels: tuple[str, ...]) -> str:
    return f"Literal[{', '.join(map(repr, labels))}]"
