"""Which rows are the same thing, after spelling differences are taken away."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

from rapidfuzz import fuzz

from aicp.toolkits.model import Json
from aicp.toolkits.providers.local.kinds import Kind, e164
from aicp.toolkits.providers.local.rows import Row
from aicp.toolkits.providers.local.selection import Kinds, refuse_unknown

FUZZY = {"text", "enum"}


def duplicates(rows: Sequence[Row], kinds: Kinds, columns: Sequence[str], args: Json) -> Json:
    """Groups of rows that agree in all of the given columns.

    E-mail addresses agree without regard to case, phones in E.164 (`region` for local numbers),
    names when their folded words are at least `threshold` per cent alike. Empty cells never agree.

    Returns:
        {"groups": [{"rows": [{"key", "version", "values"}]}], "rows": n rows in groups}.
    """
    asked = args["columns"]
    refuse_unknown(columns, asked)
    exact = [name for name in asked if kinds(name).name not in FUZZY]
    fuzzy = [name for name in asked if kinds(name).name in FUZZY]
    blocks: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        sure = tuple(_same(kinds(c), row.values[c], args.get("region")) for c in exact)
        hints = tuple(folded(row.values[c])[:3] for c in fuzzy)
        if all(sure) and all(hints):
            blocks[sure + hints].append(row)
    groups = [g for block in blocks.values() for g in _alike(block, fuzzy, args)]
    shown = [[_shown(row, asked) for row in group] for group in groups if len(group) > 1]
    return {"groups": [{"rows": g} for g in shown], "rows": sum(map(len, shown))}


def _shown(row: Row, columns: Sequence[str]) -> Json:
    values = {column: row.values[column] for column in columns}
    return {"key": row.key, "version": row.version, "values": values}


def _same(kind: Kind, cell: str | None, region: str | None) -> str:
    text = (cell or "").strip()
    if kind.name == "phone" and text:
        return e164(text, region) or re.sub(r"\D", "", text)
    read = kind.read(text)
    return "" if read is None else str(read)


def _alike(block: list[Row], fuzzy: list[str], args: Json) -> list[list[Row]]:
    """Each row joins the first group whose first row it resembles."""
    if not fuzzy:
        return [block]
    groups: list[tuple[list[str], list[Row]]] = []
    for row in block:
        words = [folded(row.values[column]) for column in fuzzy]
        for first, group in groups:
            if all(
                fuzz.ratio(a, b) >= args.get("threshold", 92)
                for a, b in zip(first, words, strict=True)
            ):
                group.append(row)
                break
        else:
            groups.append((words, [row]))
    return [group for _, group in groups]


def folded(text: str | None) -> str:
    """Words in lower case, without accents and punctuation, in alphabetical order."""
    plain = unicodedata.normalize("NFKD", text or "").casefold()
    bare = "".join(ch for ch in plain if not unicodedata.combining(ch))
    return " ".join(sorted(re.findall(r"\w+", bare)))
