"""Row types for supabase-js: Row, Insert, Update, Relationships and Enums, as its own generator names them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from aicp.schema.row_types import SCHEMA, Column, Model, Table

HEAD = """// Made from supabase/migrations/0001_init.sql by `make schema`. Do not edit.

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]
"""
TAIL = """
type Public = Database["public"]

export type Tables<Name extends keyof (Public["Tables"] & Public["Views"])> =
  (Public["Tables"] & Public["Views"])[Name]["Row"]
export type TablesInsert<Name extends keyof Public["Tables"]> = Public["Tables"][Name]["Insert"]
export type TablesUpdate<Name extends keyof Public["Tables"]> = Public["Tables"][Name]["Update"]
export type Enums<Name extends keyof Public["Enums"]> = Public["Enums"][Name]
"""
NUMBERS = ("smallint", "integer", "bigint", "real", "double precision", "numeric", "oid")
STRINGS = (
    "text", "character varying", "character", "uuid", "timestamp with time zone", "timestamp without time zone",
    "date", "time without time zone", "time with time zone", "bytea", "name", "vector", "public.vector", "public.citext",
)  # fmt: skip
NOTHING = "{ [_ in never]: never }"


def typescript(model: Model) -> str:
    """The whole file."""
    tables = [line for table in model.tables if not table.view for line in _table(table, model)]
    views = [line for table in model.tables if table.view for line in _view(table, model)]
    enums = [f"{name}: {_union(labels)}" for name, labels in model.enums.items()]
    body = [
        "export type Database = {",
        f"  {SCHEMA}: {{",
        *_block("Tables", tables),
        *_block("Views", views),
        *_block("Functions", []),
        *_block("Enums", enums),
        *_block("CompositeTypes", []),
        "  }",
        "}",
    ]
    return "\n".join([HEAD, *body]) + "\n" + TAIL


def _block(name: str, lines: list[str]) -> Iterator[str]:
    if not lines:
        yield f"    {name}: {NOTHING}"
        return
    yield f"    {name}: {{"
    yield from (f"      {line}" for line in lines)
    yield "    }"


def _table(table: Table, model: Model) -> Iterator[str]:
    yield f"{table.name}: {{"
    yield from _fields("Row", (f"{c.name}: {_type(c, model)}" for c in _sorted(table)))
    yield from _fields("Insert", (_written(c, model, optional=c.nullable or c.default or c.never) for c in _sorted(table)))  # fmt: skip
    yield from _fields("Update", (_written(c, model, optional=True) for c in _sorted(table)))
    yield from _relationships(table)
    yield "}"


def _view(table: Table, model: Model) -> Iterator[str]:
    yield f"{table.name}: {{"
    yield from _fields("Row", (f"{c.name}: {_type(c, model)}" for c in _sorted(table)))
    yield from _relationships(table)
    yield "}"


def _fields(name: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"  {name}: {{"
    yield from (f"    {line}" for line in lines)
    yield "  }"


def _relationships(table: Table) -> Iterator[str]:
    if not table.relations:
        yield "  Relationships: []"
        return
    yield "  Relationships: ["
    for relation in table.relations:
        yield "    {"
        yield f'      foreignKeyName: "{relation.name}"'
        yield f"      columns: {json.dumps(relation.columns)}"
        yield f"      isOneToOne: {json.dumps(relation.one_to_one)}"
        yield f'      referencedRelation: "{relation.table}"'
        yield f"      referencedColumns: {json.dumps(relation.table_columns)}"
        yield "    },"
    yield "  ]"


def _sorted(table: Table) -> list[Column]:
    return sorted(table.columns, key=lambda column: column.name)


def _written(column: Column, model: Model, *, optional: bool) -> str:
    return f"{column.name}{'?' * optional}: {'never' if column.never else _type(column, model)}"


def _type(column: Column, model: Model) -> str:
    bare = _bare(column, model)
    if column.array:
        bare = f"({bare})[]" if "|" in bare else f"{bare}[]"
    elif bare == "Json" and not column.nullable:
        return "NonNullable<Json>"
    return f"{bare} | null" if column.nullable else bare


def _bare(column: Column, model: Model) -> str:
    if column.one_of and not column.array:
        return _union(column.one_of)
    if column.base in NUMBERS:
        return "number"
    if column.base in STRINGS:
        return "string"
    if column.base == "boolean":
        return "boolean"
    if column.base in ("json", "jsonb"):
        return "Json"
    enum = column.base.removeprefix(f"{SCHEMA}.")
    return f'Database["{SCHEMA}"]["Enums"]["{enum}"]' if enum in model.enums else "unknown"


def _union(labels: tuple[str, ...]) -> str:
    return " | ".join(json.dumps(label) for label in labels)
