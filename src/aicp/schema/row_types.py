"""The exposed tables and views as typed rows, out of the same snapshot that drift is found with."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from aicp.schema.snapshot import Snapshot, kind_and_name

SCHEMA = "public"  # what is exposed; app and queue are not
ONE_OF = re.compile(r"^CHECK \(\((\w+) = ANY \(ARRAY\[(.*)\]\)\)\)$")
FOREIGN = re.compile(r"^FOREIGN KEY \((.*?)\) REFERENCES (\w+)\.(\w+)\((.*?)\)")
KEY = re.compile(r"^(?:PRIMARY KEY|UNIQUE) \((.*?)\)")


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `base` is the server's word for its type, without length and brackets; a domain is
    what it is over. `one_of` are the only values it may have, where the schema says so."""

    name: str
    base: str
    array: bool
    nullable: bool
    default: bool
    never: bool  # the database writes it, nobody else
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Relation:
    """A foreign key, as seen from the table that holds it."""

    name: str
    columns: tuple[str, ...]
    one_to_one: bool
    table: str
    table_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    columns: tuple[Column, ...]
    view: bool = False
    relations: tuple[Relation, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """Everything that gets a type."""

    tables: list[Table] = field(default_factory=list)
    enums: dict[str, tuple[str, ...]] = field(default_factory=dict)


def model(found: Snapshot) -> Model:
    """The tables, views and enums of the exposed schema, in order of name; partitions are left out."""
    enums = {
        name.split(".", 1)[1]: tuple(fields["labels"])
        for kind, name, fields in _entries(found)
        if kind == "enum"
    }
    tables = [
        _table(found, name, fields["columns"], view=kind != "table")
        for kind, name, fields in _entries(found)
        if kind in ("table", "view", "materialized view") and "bound" not in fields
    ]
    return Model(sorted(tables, key=lambda table: table.name), dict(sorted(enums.items())))


def _entries(found: Snapshot) -> list[tuple[str, str, dict]]:
    entries = [(*kind_and_name(key), fields) for key, fields in found.items()]
    return [entry for entry in entries if entry[1].startswith(f"{SCHEMA}.")]


def _table(found: Snapshot, name: str, columns: list[str], *, view: bool) -> Table:
    rules = {
        key.rpartition(".")[2]: fields["definition"]
        for key, fields in found.items()
        if key.startswith(f"constraint: {name}.")
    }
    one_of = {
        match[1]: tuple(re.findall(r"'([^']*)'::text", match[2]))
        for text in rules.values()
        if (match := ONE_OF.match(text))
    }
    made = (_column(found, name, column, one_of.get(column, ()), view) for column in columns)
    return Table(name.split(".", 1)[1], tuple(made), view, _relations(rules))


def _column(found: Snapshot, table: str, name: str, one_of: tuple[str, ...], view: bool) -> Column:
    fields = found[f"column: {table}.{name}"]
    base, array = _base(found, fields["type"])
    never = fields.get("identity") == "always" or "generated" in fields
    default = "default" in fields or "identity" in fields
    return Column(name, base, array, view or not fields["not_null"], default, never, one_of)


def _base(found: Snapshot, written: str) -> tuple[str, bool]:
    """`character varying(10)[]` as (`character varying`, True); a domain as what it is over."""
    bare = re.sub(r"\(.*?\)", "", written)
    array, bare = bare.endswith("[]"), bare.removesuffix("[]")
    if domain := found.get(f"domain: {bare}"):
        base, inner = _base(found, domain["type"])
        return base, array or inner
    return bare, array


def _relations(rules: dict[str, str]) -> tuple[Relation, ...]:
    keys = {
        frozenset(match[1].split(", ")) for text in rules.values() if (match := KEY.match(text))
    }
    return tuple(
        Relation(name, columns, frozenset(columns) in keys, match[3], tuple(match[4].split(", ")))
        for name, text in sorted(rules.items())
        if (match := FOREIGN.match(text)) and match[2] == SCHEMA
        for columns in (tuple(match[1].split(", ")),)
    )
