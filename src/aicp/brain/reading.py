"""The scratch pad of one understanding: which letters of the intent are taken, by which part."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aicp.brain.brief import Audience, Condition, Question, Span
from aicp.brain.lexicon import Lexicon, Mention
from aicp.brain.text import breaks, fold, tokens
from aicp.brain.vocabulary import data, one_of, word_set
from aicp.toolkits.model import Column, Resource

TAKEN = "\x00"  # neither a blank nor a part of a word: no pattern reaches across it
NEGATION = re.compile(rf"\b(?:{one_of(data()['exclusions'])})\b")
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """One thing a reader found: what it says, from which letters, and how sure it may be."""

    text: str
    ranges: tuple[Range, ...]
    rules: tuple[str, ...]
    value: Any = None


@dataclass(slots=True)
class Filters:
    """The audience while it is being read."""

    parts: list[Part] = field(default_factory=list)
    where: list[Condition] = field(default_factory=list)
    exclude: list[Condition] = field(default_factory=list)
    excluded: list[tuple[Condition, Part]] = field(default_factory=list)
    where_at: list[tuple[Condition, Part]] = field(default_factory=list)
    order_by: str = ""
    descending: bool = True
    limit: int | None = None

    def add(self, condition: Condition, part: Part, *, out: bool) -> None:
        """File a condition; the same one twice counts once."""
        self.parts.append(part)
        into, at = (self.exclude, self.excluded) if out else (self.where, self.where_at)
        at.append((condition, part))
        if condition not in into:
            into.append(condition)

    def audience(self, account: str) -> Audience:
        return Audience(
            account=account,
            where=tuple(self.where),
            exclude=tuple(self.exclude),
            order_by=self.order_by,
            descending=self.descending,
            limit=self.limit,
        )


@dataclass(slots=True)
class Reading:
    """State of one pass over an intent. Readers take letters; nothing is taken twice."""

    intent: str
    now: datetime
    table: Resource | None
    lexicon: Lexicon
    low: str = ""
    taken: bytearray = field(default_factory=bytearray)
    questions: list[Question] = field(default_factory=list)
    asked: list[Range] = field(default_factory=list)
    filters: Filters = field(default_factory=Filters)
    mentions: tuple[Mention, ...] = ()
    breaks: tuple[Range, ...] = ()

    def __post_init__(self) -> None:
        self.low = fold(self.intent)
        self.taken = bytearray(len(self.intent))
        self.mentions = self.lexicon.mentions(self.intent)
        self.breaks = breaks(self.low)

    def clause(self, at: int) -> Range:
        """Bounds of the clause around a place."""
        after = bisect_right(self.breaks, at, key=lambda b: b[0])
        start = self.breaks[after - 1][1] if after else 0
        end = self.breaks[after][0] if after < len(self.breaks) else len(self.low)
        return min(start, at), end

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.table.columns if self.table else ()

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)

    def open_text(self) -> str:
        """The folded intent with taken letters blotted out: patterns cannot reach across them."""
        return "".join(TAKEN if t else c for c, t in zip(self.low, self.taken, strict=True))

    def find(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Matches in letters nobody has taken yet, each checked again when it is handed out."""
        for found in pattern.finditer(self.open_text()):
            if self.free(found.start(), found.end()):
                yield found

    def free(self, start: int, end: int) -> bool:
        return not any(self.taken[start:end])

    def take(self, *ranges: Range) -> None:
        for start, end in ranges:
            self.taken[start:end] = b"\x01" * (end - start)

    def free_mentions(self) -> Iterator[Mention]:
        return (m for m in self.mentions if self.free(m.start, m.end))

    def negation_before(self, at: int) -> Range | None:
        """The nearest untaken 'not', 'skip', 'without' whose scope reaches `at` in its clause."""
        start, _ = self.clause(at)
        marks = [m for m in NEGATION.finditer(self.low, start, at) if m.end() <= at]
        for mark in reversed(marks):
            between = self.low[mark.end() : at]
            if re.search(r"\b(?:only|but|who did|that did)\b", between):
                return None
            if self.free(mark.start(), mark.end()) or self.scope_open(mark.start(), mark.end()):
                return mark.span()
        return None

    def scope_open(self, start: int, end: int) -> bool:
        """A marker already taken by an exclusion still covers what follows in its clause."""
        return any((start, end) in part.ranges for _, part in self.filters.excluded)

    def ask(self, text: str, at: Range | None, options: Iterable[str] = ()) -> None:
        """A question; the words it is about count as heard, so they are not asked about twice."""
        span = self.span(*at) if at else None
        number = len(self.questions) + 1
        self.questions.append(
            Question(id=f"question-{number}", text=text, span=span, options=tuple(options))
        )
        if at:
            self.asked.append(at)
            self.take(at)

    def span(self, start: int, end: int) -> Span:
        return Span(start=start, end=end, text=self.intent[start:end])

    def spans(self, ranges: Iterable[Range]) -> tuple[Span, ...]:
        """Sorted spans; ranges that touch across blanks are shown as one."""
        merged: list[list[int]] = []
        for start, end in sorted(set(ranges)):
            if merged and not self.intent[merged[-1][1] : start].strip():
                merged[-1][1] = max(end, merged[-1][1])
            elif start < end:
                merged.append([start, end])
        return tuple(self.span(start, end) for start, end in merged)

    def said(self, start: int, end: int) -> str:
        return self.intent[start:end]


def entity_words(table: Resource | None) -> frozenset[str]:
    """Nouns for rows: the common ones and those of the table itself."""
    return word_set("entities") | title_words(table)


def title_words(table: Resource | None) -> frozenset[str]:
    """The words of a table's title and file name, singular and plural."""
    names = f"{table.title} {table.account}" if table else ""
    own = {w for t in tokens(names.replace("_", " ")) for w in (t.low, t.stem)}
    own |= {f"{w}s" for w in own}
    own -= {"csv", "csvs", "db", "dbs", "sqlite", "sqlites", "postgres"}
    return frozenset(word for word in own if word.isalpha())
