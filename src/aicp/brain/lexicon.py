"""The words a table brings along: its column names and the short values its columns hold.

Values are only ever compared with the user's words. Free prose in cells is not part of it, and a
cell that says a word of the grammar ("all", "send", "not") counts only beside its column's name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from rapidfuzz.distance import OSA

from aicp.brain.text import Token, fold, name_words, stem, stems, tokens
from aicp.brain.vocabulary import data, event_words, reserved, word_set
from aicp.toolkits.model import Column, Resource

UNITS = frozenset({"usd", "eur", "gbp", "date", "at", "on", "is", "has", "flag", "no", "number"})
LONGEST_VALUE = (4, 40)  # words, characters: longer cells are prose, not names
FUZZY_COLUMN, FUZZY_VALUE = 5, 7  # shortest word in which one wrong letter is forgiven
WORDLESS = frozenset({"number", "money", "date", "datetime", "bool", "email", "phone", "url"})


@dataclass(frozen=True, slots=True)
class Entry:
    """What a phrase may mean. `value` is None for a column."""

    column: str
    value: str | None
    rule: str
    exact: str = ""  # only these very letters count (names of single rows)


@dataclass(frozen=True, slots=True)
class Mention:
    """A stretch of the text that means a column or a value; several entries are a question."""

    start: int
    end: int
    entries: tuple[Entry, ...]

    @property
    def is_value(self) -> bool:
        return self.entries[0].value is not None

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(entry.column for entry in self.entries))


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Phrases (as stems) of one table."""

    phrases: dict[tuple[str, ...], tuple[Entry, ...]]
    longest: int
    bound: dict[str, dict[tuple[str, ...], str]]  # column -> values that need its name beside them

    def mentions(self, text: str) -> tuple[Mention, ...]:
        """All mentions, longest phrase first from left to right, none overlapping."""
        return tuple(self._walk(text, tokens(text)))

    def _walk(self, text: str, words: tuple[Token, ...]) -> Iterator[Mention]:
        at = 0
        while at < len(words):
            found = self._longest_at(text, words, at)
            if found is None:
                at += 1
                continue
            size, entries = found
            yield Mention(words[at].start, words[at + size - 1].end, entries)
            at += size

    def _longest_at(
        self, text: str, words: tuple[Token, ...], at: int
    ) -> tuple[int, tuple[Entry, ...]] | None:
        for size in range(min(self.longest, len(words) - at), 0, -1):
            run = words[at : at + size]
            if not _joined(text, run):
                continue
            said = text[run[0].start : run[-1].end]
            entries = self.phrases.get(tuple(w.stem for w in run), ())
            fitting = tuple(e for e in entries if not e.exact or e.exact == said)
            if fitting:
                return size, _best(fitting)
        entries = self._misspelt(words[at])
        return (1, entries) if entries else None

    def _misspelt(self, word: Token) -> tuple[Entry, ...]:
        """One letter off, in words long enough for it to be no other word."""
        if len(word.low) < FUZZY_COLUMN or word.low in reserved() or word.stem in reserved():
            return ()
        near = (
            Entry(e.column, e.value, "spelling_column" if e.value is None else "spelling_value")
            for key, entries in self.phrases.items()
            if len(key) == 1 and abs(len(key[0]) - len(word.stem)) <= 1
            for e in entries
            if e.rule in ("column", "column_part", "value")
            and len(key[0]) >= (FUZZY_COLUMN if e.value is None else FUZZY_VALUE)
            and OSA.distance(key[0], word.stem, score_cutoff=1) == 1
        )
        return _best(tuple(near))

    def bound_value(self, column: str, text: str) -> tuple[int, str] | None:
        """(length, value) of a grammar word that stands as a value right behind its column."""
        words = tokens(text)[:4]
        for size in range(len(words), 0, -1):
            value = self.bound.get(column, {}).get(tuple(w.stem for w in words[:size]))
            if value is not None and not text[: words[0].start].strip(" '\"=:"):
                return words[size - 1].end, value
        return None


def lexicon(table: Resource | None) -> Lexicon:
    """The lexicon of a table, empty without one."""
    found: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    bound: dict[str, dict[tuple[str, ...], str]] = defaultdict(dict)
    for column in table.columns if table else ():
        for key, entry in _column_entries(column):
            found[key].append(entry)
        for key, entry in _value_entries(column, table.rows if table else 0):
            if len(key) == 1 and (key[0] in reserved() or key[0].isdigit()):
                bound[column.name][key] = str(entry.value)
            else:
                found[key].append(entry)
    phrases = {key: tuple(entries) for key, entries in found.items() if key}
    return Lexicon(phrases, max((len(key) for key in phrases), default=1), dict(bound))


def _column_entries(column: Column) -> Iterator[tuple[tuple[str, ...], Entry]]:
    words = name_words(column.name)
    if not words:
        return
    core = tuple(w for w in words if w not in UNITS) or words
    entry = Entry(column.name, None, "column")
    for whole in {words, core}:
        if len(whole) != 1 or whole[0] not in _function_words():
            yield tuple(map(stem, whole)), entry
    if len(words) >= 3:
        yield ("".join(w[0] for w in words),), Entry(column.name, None, "initials")
    parts = [w for w in core if len(w) > 2 and _may_stand_alone(w)] if len(core) > 1 else []
    for part in parts:
        yield (stem(part),), Entry(column.name, None, "column_part")
    for group in data()["synonyms"]:
        if set(group) & set(words):
            for word in set(group) - set(words):
                yield stems(word), Entry(column.name, None, "synonym")


def _function_words() -> frozenset[str]:
    """Words no column can claim: 'the', 'not', 'accounts', 'best', 'ten'."""
    return (
        reserved() - word_set("verbs") - event_words() | word_set("filler") | word_set("entities")
    )


def _may_stand_alone(word: str) -> bool:
    """'email' may name contact_email; 'activity' belongs to the dates, 'last' to nobody."""
    return word not in reserved() or (
        word in word_set("verbs") and word not in word_set("entities")
    )


def _value_entries(column: Column, rows: int) -> Iterator[tuple[tuple[str, ...], Entry]]:
    if column.kind in WORDLESS or not column.values:
        return
    names = [value for value in column.values if _is_name(value)]
    if column.kind == "text" and len(names) < 0.8 * len(column.values):
        return  # mostly prose: notes, descriptions
    single = column.kind == "id" or (column.kind == "text" and len(names) > max(12, rows // 3))
    for value in names:
        yield stems(value), Entry(column.name, value, "value", exact=value if single else "")
    if not single and set(name_words(column.name)) & {"owner", "rep", "manager", "assignee"}:
        yield from _first_and_last_names(column.name, names)


def _first_and_last_names(column: str, names: list[str]) -> Iterator[tuple[tuple[str, ...], Entry]]:
    for value in names:
        parts = stems(value)
        if 1 < len(parts) <= 3:
            for part in {parts[0], parts[-1]} - reserved():
                yield (part,), Entry(column, value, "value_part")


def _is_name(value: str) -> bool:
    words, letters = LONGEST_VALUE
    short = len(value) <= letters and 0 < len(value.split()) <= words and len(value.strip()) > 1
    return short and not re.search(r"[\r\n\t<>{};!?@]|[.:]\s|\.$", value)


def _joined(text: str, run: tuple[Token, ...]) -> bool:
    gaps = (text[a.end : b.start] for a, b in pairwise(run))
    return all(re.fullmatch(r"[\s\-_&/.'‐‑]{0,3}", gap) for gap in gaps)


def _best(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """A whole name beats a part, a part beats a synonym; equals stay side by side."""
    order = ("value", "column", "value_part", "initials", "column_part", "synonym")
    for rule in (*order, "spelling_column", "spelling_value"):
        same = tuple(dict.fromkeys(e for e in entries if e.rule == rule))
        if same:
            return same
    return ()


def same_words(a: str, b: str) -> bool:
    """Whether two texts say the same, apart from case and number."""
    return stems(fold(a)) == stems(fold(b))
