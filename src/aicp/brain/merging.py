"""Items for merging duplicates: one row survives, takes over what it lacks, the others go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from aicp.brain import slots as fills
from aicp.brain.binding import Context, Item
from aicp.brain.rows import CONTROL, Skipped, common
from aicp.brain.slots import Slot
from aicp.brain.text import name_words
from aicp.trust.plan import Provenance

Row = Mapping[str, Any]
BORN = ("created", "joined", "since", "registered", "opened")


def merge_items(ctx: Context, notes: list[str]) -> list[Item]:
    """An item for each completed survivor and one for each row that goes."""
    known = {str(row["key"]): row for row in ctx.rows}
    keep, skipped = str(ctx.params.get("keep") or "most complete"), Skipped()
    items: list[Item] = []
    merged = 0
    for group in _groups(ctx):
        rows = [known[str(r["key"])] for r in group if str(r["key"]) in known]
        if len(rows) < 2 or not _safe(ctx, rows, skipped):
            continue
        survivor = _survivor(ctx, rows, keep)
        items += _merged(ctx, survivor, [r for r in rows if r is not survivor])
        merged += 1
    if merged:
        notes.append(f"Of {merged} groups the {keep} row survives; where two rows say different things, "
                     "the surviving row is right.")  # fmt: skip
    notes += skipped.notes()
    return items


def _groups(ctx: Context) -> list[Sequence[Row]]:
    groups = ctx.reads.get("groups", {}).get("groups", [])
    return [g["rows"] if isinstance(g, Mapping) else g for g in groups]


def _safe(ctx: Context, rows: Sequence[Row], skipped: Skipped) -> bool:
    """Rows that differ in a yes/no column (do not contact!) are for a person to decide."""
    keys = ", ".join(str(r["key"]) for r in rows)
    if any(CONTROL.search(str(r["key"])) for r in rows):
        skipped.add("a key holds control characters", repr(keys))
        return False
    for column in (c.name for c in ctx.table.columns if c.kind == "bool"):
        said = {str(r["values"].get(column) or "").strip().lower() for r in rows}
        if len(said) > 1:
            skipped.add(f"they disagree in {column} and a person has to decide", f"({keys})")
            return False
    return True


def _survivor(ctx: Context, rows: Sequence[Row], keep: str) -> Row:
    if keep == "first":
        return rows[0]
    if keep == "last":
        return rows[-1]
    column = _born(ctx)
    if keep in ("oldest", "newest") and column:
        dated = [r for r in rows if _day(r["values"].get(column))]
        if dated:
            pick = min if keep == "oldest" else max
            return pick(dated, key=lambda r: (_day(r["values"][column]), str(r["key"])))
    return min(rows, key=lambda r: (-_filled(r), str(r["key"])))


def _born(ctx: Context) -> str:
    dated = [c.name for c in ctx.table.columns if c.kind in ("date", "datetime")]
    named = [c for w in BORN for c in dated if w in name_words(c)]
    return (named or dated or [""])[0]


def _day(cell: Any) -> str:
    try:
        return datetime.fromisoformat(str(cell).strip()).isoformat()
    except ValueError:
        return ""


def _filled(row: Row) -> int:
    return sum(1 for value in row["values"].values() if str(value or "").strip())


def _merged(ctx: Context, survivor: Row, others: Sequence[Row]) -> list[Item]:
    account, key = ctx.table.account, str(survivor["key"])
    values: dict[str, Any] = {}
    inner: list[tuple[str, Provenance]] = []
    for column, own in survivor["values"].items():
        if column == ctx.table.key or str(own or "").strip():
            continue
        giver = next((o for o in others if str(o["values"].get(column) or "").strip()), None)
        if giver:
            values[column] = giver["values"][column]
            inner.append((column, fills.cell(account, str(giver["key"]), column, "").source))
    items: list[Item] = []
    if values:
        item = common(ctx, survivor)
        whole = Provenance(source="cell", where=f"duplicates of {account} row {key}", trusted=False)
        item["set.merged"] = Slot(values, whole, tuple(inner))
        item["columns"] = fills.formula("columns the surviving row lacks", ", ".join(values))
        items.append(item)
    for other in others:
        gone = common(ctx, survivor)
        there = common(ctx, other)
        gone["gone.key"], gone["gone.version"] = there["row.key"], there["row.version"]
        items.append(gone)
    return items
