"""Which rows a selection means: typed conditions, exclusions, order and limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.kinds import Kind
from aicp.toolkits.providers.local.rows import Row

Test = Callable[[Row], bool | None]  # None: the cell cannot be read as the column's kind
Kinds = Callable[[str], Kind]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda cell, bound: cell > bound,
    "ge": lambda cell, bound: cell >= bound,
    "lt": lambda cell, bound: cell < bound,
    "le": lambda cell, bound: cell <= bound,
}


def select(rows: Sequence[Row], kinds: Kinds, columns: Sequence[str], args: Json) -> Json:
    """The rows that meet every `where` and no `exclude`.

    An exclusion that cannot be read excludes: leaving somebody out is the safe mistake.

    Returns:
        {"rows": [{"key", "version", "values"}], "matched": n that meet `where`,
        "excluded": n of those taken out, "unreadable": n rows with a cell that is not of its kind}.
    """
    _known(columns, args)
    where = [_test(one, kinds(one["column"])) for one in args.get("where", [])]
    exclude = [_test(one, kinds(one["column"])) for one in args.get("exclude", [])]
    unreadable = {row.key for row in rows if any(test(row) is None for test in where + exclude)}
    matched = [row for row in rows if all(test(row) for test in where)]
    kept = [row for row in matched if all(test(row) is False for test in exclude)]
    chosen = _ordered(kept, kinds, args)[: args.get("limit")]
    shown = args.get("columns") or columns
    return {
        "rows": [_shown(row, shown) for row in chosen],
        "matched": len(matched),
        "excluded": len(matched) - len(kept),
        "unreadable": len(unreadable),
    }


def _shown(row: Row, columns: Sequence[str]) -> Json:
    values = {column: row.values[column] for column in columns}
    return {"key": row.key, "version": row.version, "values": values}


def _known(columns: Sequence[str], args: Json) -> None:
    conditions = [*args.get("where", []), *args.get("exclude", [])]
    asked = [one["column"] for one in conditions] + list(args.get("columns", []))
    refuse_unknown(columns, [*asked, *([args["order_by"]] if args.get("order_by") else [])])


def refuse_unknown(columns: Sequence[str], asked: Sequence[str]) -> None:
    """Column names come from outside: only names the table has go any further."""
    for name in asked:
        if name not in columns:
            raise ProviderError(
                f"the table has no column '{name[:80]}'", hint=f"its columns: {', '.join(columns)}"
            )


def _ordered(rows: list[Row], kinds: Kinds, args: Json) -> list[Row]:
    column = args.get("order_by")
    if not column:
        return rows
    kind = kinds(column)
    read = [(kind.read(row.values[column]), row) for row in rows]
    filled = [pair for pair in read if pair[0] not in (None, "")]
    filled.sort(key=lambda pair: pair[0], reverse=bool(args.get("descending")))
    return [row for _, row in filled] + [row for cell, row in read if cell in (None, "")]


def _test(condition: Mapping[str, Any], kind: Kind) -> Test:
    column, op, value = condition["column"], condition["op"], condition.get("value")
    if op in {"empty", "filled"}:
        return lambda row: (not (row.values[column] or "").strip()) is (op == "empty")
    if op == "contains":
        needle = str(value).casefold()
        return lambda row: needle in (row.values[column] or "").casefold()
    return _compared(column, kind, _predicate(column, op, value, kind))


def _compared(column: str, kind: Kind, holds: Callable[[Any], bool]) -> Test:
    def test(row: Row) -> bool | None:
        cell = row.values[column]
        read = kind.read(cell)
        if read is None and (cell or "").strip():
            return None
        return holds(read)

    return test


def _predicate(column: str, op: str, value: Any, kind: Kind) -> Callable[[Any], bool]:
    """Whether a read cell (None when empty) meets the condition."""
    if op in {"eq", "ne"}:
        same = _same(_bound(column, value, kind))
        return same if op == "eq" else lambda cell: not same(cell)
    if op in {"in", "not_in"}:
        if not isinstance(value, list):
            raise _bad_value(column, op, "a list")
        any_of = [_same(_bound(column, one, kind)) for one in value]
        return lambda cell: any(same(cell) for same in any_of) is (op == "in")
    if not kind.ordered:
        raise ProviderError(
            f"column '{column}' holds {kind.name}, which has no order", hint=kind.note or "use eq"
        )
    if op == "between":
        if not isinstance(value, list) or len(value) != 2:
            raise _bad_value(column, op, "a list [low, high]")
        low, high = (_bound(column, one, kind) for one in value)
        return lambda cell: _holds("ge", cell, low) and _holds("le", cell, high)
    bound = _bound(column, value, kind)
    return lambda cell: _holds(op, cell, bound)


def _holds(op: str, cell: Any, bound: Any) -> bool:
    return cell is not None and _ORDER[op](_alike(cell, bound), bound)


def _same(bound: Any) -> Callable[[Any], bool]:
    return lambda cell: cell is not None and _alike(cell, bound) == bound


def _alike(cell: Any, bound: Any) -> Any:
    """A moment is compared with a day as the day it falls on, so that bounds are inclusive."""
    if isinstance(cell, datetime) and isinstance(bound, date) and not isinstance(bound, datetime):
        return cell.date()
    return cell


def _bound(column: str, value: Any, kind: Kind) -> Any:
    if isinstance(value, list | dict) or value is None:
        raise _bad_value(column, kind.name, "one value")
    if isinstance(value, bool) and kind.name != "bool":
        raise _bad_value(column, kind.name, f"a {kind.name}")
    day_only = kind.name == "datetime" and len(str(value).strip()) <= 10
    read = Kind("date", kind.dayfirst).read(value) if day_only else kind.read(value)
    if read is None:
        raise ProviderError(
            f"'{str(value)[:80]}' is not a {kind.name}, and column '{column}' holds {kind.name}",
            hint="write dates as YYYY-MM-DD and numbers with digits",
        )
    return read


def _bad_value(column: str, what: str, wanted: str) -> ProviderError:
    return ProviderError(f"column '{column}' ({what}): the value must be {wanted}")
