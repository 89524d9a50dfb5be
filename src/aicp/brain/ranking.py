"""How many rows and in which order: '20 best', 'top 5 by ARR', 'the oldest invoices'."""

from __future__ import annotations

import re

from aicp.brain.amounts import COUNT, count
from aicp.brain.reading import TAKEN, Part, Range, Reading, entity_words
from aicp.brain.vocabulary import data, one_of

SUPERLATIVE = one_of(data()["superlatives"])
TOP = re.compile(
    rf"\b(?P<n1>{COUNT})\s+(?:of\s+(?:our|the|my|their)\s+)?(?P<s1>{SUPERLATIVE})\b"
    rf"|\b(?P<s2>{SUPERLATIVE}|first)\s+(?P<n2>{COUNT})(?!\s*(?:days|weeks|months|years|%))"
    rf"|\b(?:our|the|my|their)\s+(?P<s3>{SUPERLATIVE})\b(?!\s+{COUNT})"
)
WITH = re.compile(
    r"\bwith\s+(?:the\s+)?(?P<s>highest|most|largest|biggest|lowest|least|smallest|fewest)\s+"
)
UP = frozenset({"lowest", "least", "smallest", "fewest"})
KINDS = {"money": ("money",), "size": ("money", "number"), "date": ("date", "datetime")}


def read_limit(r: Reading) -> list[tuple[int | None, str, Part]]:
    """(limit, superlative, part) of each 'top N'; two different ones are a question."""
    tops: list[tuple[int | None, str, Part]] = []
    for m in r.find(TOP):
        n, word = m["n1"] or m["n2"], m["s1"] or m["s2"] or m["s3"]
        part = Part(m.group(), (m.span(),), ("limit",))
        tops.append((count(n) if n else None, word, part))
    numbered = {n for n, _, _ in tops if n is not None}
    if len(numbered) > 1:
        _ask(r, [part for n, _, part in tops if n is not None])
        return []
    if 0 in numbered:
        r.ask("A mission for 0 rows does nothing. How many rows are meant?", tops[0][2].ranges[0])
        return []
    for _, _, part in tops:
        r.take(*part.ranges)
    return tops


def _ask(r: Reading, parts: list[Part]) -> None:
    first, last = parts[0].ranges[0], parts[-1].ranges[0]
    said = r.said(*first), r.said(*last)
    r.ask(f"'{said[0]}' and '{said[1]}' do not go together. Which one holds?",
          (first[0], last[1]), said)  # fmt: skip


def settle_order(r: Reading, tops: list[tuple[int | None, str, Part]]) -> None:
    """After the filters are known: set limit and order, each with its rule."""
    f = r.filters
    f.limit = next((n for n, _, _ in tops if n is not None), None)
    named = _named_order(r, tops)
    if named:
        return
    for _, word, part in tops:
        if word == "first":
            f.parts.append(Part(part.text, part.ranges, ("first_rows",)))
            return
        kind, descending = data()["superlatives"][word]
        column, rule = _fitting(r, kind)
        if not column:
            f.limit = None
            r.ask(f"The table has no column that '{word}' could order by. Order by which column?",
                  part.ranges[0], [f"by {c.name}" for c in r.columns if c.kind != "text"][:6])  # fmt: skip
            return
        f.order_by, f.descending = column, descending
        same = tuple(span for _, _, other in tops for span in other.ranges)
        f.parts.append(Part(part.text, same, (rule,)))
        return


def _named_order(r: Reading, tops: list[tuple[int | None, str, Part]]) -> bool:
    f = r.filters
    for m in r.free_mentions():
        if m.is_value or len(m.columns) != 1:
            continue
        lead = r.open_text()[: m.start]
        by = (
            re.search(r"\b(?:ordered\s+|sorted\s+|ranked\s+)?by\s+(?:the\s+)?$", lead)
            if tops
            else None
        )
        most = re.search(WITH.pattern + r"$", lead)
        found = by or most
        if not found:
            continue
        at: Range = (found.start(), m.end)
        f.order_by = m.columns[0]
        word = most["s"] if most else tops[0][1]
        rising = word in UP or not data()["superlatives"].get(word, ["", True])[1]
        f.descending = not rising
        r.take(at)
        extra = tuple(span for _, _, part in tops for span in part.ranges)
        f.parts.append(Part(r.said(*at), (at, *extra), ("order_named", m.entries[0].rule)))
        return True
    return False


def _fitting(r: Reading, kind: str) -> tuple[str, str]:
    """(column, rule) a superlative orders by: the compared one, the only one, else a guess."""
    kinds = KINDS[kind]
    compared = [c.column for c in r.filters.where if r.column(c.column).kind in kinds]
    fitting = [c.name for k in kinds for c in r.columns if c.kind == k]
    if not fitting and kind == "money":
        fitting = [c.name for c in r.columns if c.kind == "number"]
    if compared:
        return compared[0], "order_same"
    if not fitting:
        return "", ""
    strong = [c.name for c in r.columns if c.kind == kinds[0]]
    only = len(fitting) == 1 or len(strong) == 1
    return (strong or fitting)[0], "order_only" if only else "order_guess"


def plain_limit(r: Reading) -> None:
    """'write to 15 accounts': a number before the rows' noun, when no superlative said it."""
    nouns = one_of(entity_words(r.table))
    pattern = re.compile(rf"\b(?P<n>{COUNT})\s+(?:[\w\-]+\s+|{TAKEN}+\s+){{0,3}}?(?:{nouns})\b")
    for m in pattern.finditer(r.open_text()):
        at = m.span("n")
        if not r.free(*at) or m.group().count("\n"):
            continue
        if r.filters.limit is not None and r.filters.limit != count(m["n"]):
            r.ask(f"'{m['n']}' is a second number of rows. Which one holds?", at)
            return
        r.filters.limit = count(m["n"])
        r.take(at)
        r.filters.parts.append(Part(m["n"], (at,), ("plain_limit",)))
