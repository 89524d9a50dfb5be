"""What differs between the schema as it should be and as it is found (OP-3, PC-4): values in, changes out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

from aicp.schema.snapshot import Snapshot, kind_and_name

Fields = dict[str, tuple[Any, Any]]
DAY = re.compile(r"^(?P<parent>.+)_(?P<day>\d{8})$")
PROTOTYPE = "20000101"  # the day whose partition stands for every other, in the expected schema
_PARTS = ("column", "constraint", "index", "policy", "rule", "trigger")
_HOLDERS = ("table", "view", "materialized view", "foreign table", "composite type")


@dataclass(frozen=True, slots=True)
class Change:
    """One object that is too many (+), missing (-) or other than expected (~, with the fields)."""

    sign: Literal["+", "-", "~"]
    kind: str
    name: str
    fields: Fields = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        changed = {
            name: {"expected": was, "found": now} for name, (was, now) in self.fields.items()
        }
        return {"change": self.sign, "kind": self.kind, "name": self.name, "fields": changed}


def compare(expected: Snapshot, found: Snapshot) -> list[Change]:
    """The changes that lead from the expected schema to the one that was found, in order of name.

    What belongs to a table that is itself too many or missing is not listed beside it. Partitions of
    one day, which the product makes as time goes on, are held against the expected one.
    """
    expected = _with_days(expected, found)
    gone, new = expected.keys() - found.keys(), found.keys() - expected.keys()
    changes = [
        *(Change("-", *kind_and_name(key)) for key in gone - _inside(gone)),
        *(Change("+", *kind_and_name(key)) for key in new - _inside(new)),
        *(Change("~", *kind_and_name(key), fields) for key in expected.keys() & found.keys()
          if (fields := _fields(expected[key], found[key]))),
    ]  # fmt: skip
    return sorted(changes, key=lambda change: (change.name, change.kind))


def unchecked(expected: Snapshot, found: Snapshot) -> list[str]:
    """Objects of kinds whose inside is not compared: they are there, which is all that is known."""
    return sorted(n for n in expected.keys() & found.keys() if n.startswith("unmanaged "))


def lasting(found: Snapshot, *, prototype: bool = False) -> Snapshot:
    """A snapshot without the partitions of single days: what stays the same from day to day.

    Args:
        prototype: keep the one day that stands for every other.
    """
    days = tuple(
        f"{name}."
        for name, (_, day) in _days(found).items()
        if not (prototype and day == PROTOTYPE)
    )
    return {key: fields for key, fields in found.items() if not _of(key, days)}


def lines(changes: list[Change]) -> Iterator[str]:
    """The changes as a person reads them: one line an object, one or more a changed field."""
    for change in changes:
        yield f"{change.sign} {change.kind} {change.name}"
        for name, (was, now) in sorted(change.fields.items()):
            yield from _field_lines(name, was, now)


def _field_lines(name: str, was: Any, now: Any) -> Iterator[str]:
    if isinstance(was, dict) and isinstance(now, dict):
        for key, (old, new) in _fields(was, now).items():
            yield from _field_lines(f"{name} {key}", old, new)
        return
    old, new = _text(was).splitlines(), _text(now).splitlines()
    if len(old) <= 1 and len(new) <= 1:
        yield f"    {name}: {_text(was)} → {_text(now)}"
        return
    yield f"    {name}:"
    for line in difflib.unified_diff(old, new, n=0, lineterm=""):
        if not line.startswith(("---", "+++", "@@")):
            yield f"      {line}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in sorted(value.items()))
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)


def _fields(was: dict[str, Any], now: dict[str, Any]) -> Fields:
    changed = {
        name: (was.get(name), now.get(name))
        for name in sorted(was.keys() | now.keys())
        if was.get(name) != now.get(name)
    }
    # Which columns there are is said by the columns themselves; here only their order counts.
    old, new = changed.get("columns", ((), ()))
    if set(old or ()) != set(new or ()):
        del changed["columns"]
    return changed


def _inside(keys: set[str]) -> set[str]:
    """Those that belong to a relation which is itself among them."""
    named = [kind_and_name(key) for key in keys]
    holders = {name for kind, name in named if kind in _HOLDERS}
    return {
        f"{kind}: {name}"
        for kind, name in named
        if (kind in _PARTS and name.rpartition(".")[0] in holders)
        or (kind == "sequence" and any(name.startswith(f"{holder}_") for holder in holders))
    }


# Partitions of one day ---------------------------------------------------------------------


def _of(key: str, tables: tuple[str, ...]) -> bool:
    """Whether a key is one of the tables, each written with a dot at its end, or belongs to one."""
    return f"{kind_and_name(key)[1]}.".startswith(tables)


def _days(found: Snapshot) -> dict[str, tuple[str, str]]:
    """Partitions that hold exactly the day in their name: name -> (parent, yyyymmdd)."""
    days = {}
    for key, fields in found.items():
        kind, name = kind_and_name(key)
        match = DAY.match(name) if kind == "table" and "bound" in fields else None
        if (
            match
            and fields.get("inherits") == [match["parent"]]
            and _is_day(match["day"], fields["bound"])
        ):
            days[name] = (match["parent"], match["day"])
    return days


def _is_day(day: str, bound: str) -> bool:
    try:
        first = date.fromisoformat(f"{day[:4]}-{day[4:6]}-{day[6:]}")
    except ValueError:
        return False
    return re.findall(r"\d{4}-\d\d-\d\d", bound) == [str(first), str(first + timedelta(days=1))]


def _with_days(expected: Snapshot, found: Snapshot) -> Snapshot:
    """The expected schema with the prototype partition of each table copied to the days that were found."""
    prototypes = {
        parent: name for name, (parent, day) in _days(expected).items() if day == PROTOTYPE
    }
    whole = lasting(expected)
    for name, (parent, day) in _days(found).items():
        if prototype := prototypes.get(parent):
            whole |= {
                _on_day(key, day): _on_day(fields, day)
                for key, fields in expected.items()
                if _of(key, (f"{prototype}.",))
            }
            whole[f"table: {name}"]["bound"] = found[f"table: {name}"]["bound"]
    return whole


def _on_day(value: Any, day: str) -> Any:
    """A value of the prototype as it is on another day."""
    if isinstance(value, str):
        return value.replace(f"_{PROTOTYPE}", f"_{day}")
    if isinstance(value, list):
        return [_on_day(one, day) for one in value]
    if isinstance(value, dict):
        return {name: _on_day(one, day) for name, one in value.items()}
    return value
