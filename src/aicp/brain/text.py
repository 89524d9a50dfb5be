"""Words with their exact places in a text: folding, tokens, stems, clauses."""

from __future__ import annotations

import re
from dataclasses import dataclass

WORD = re.compile(r"[^\W\d_]+(?:['’](?!s\b)[^\W\d_]+)*\d*|\d+(?:[.,:]\d+)*|[^\W_]+")
BREAK = re.compile(r"[.;!?\n]+(?=\s|$)|[,;:](?!\d)|\b(?:but|then)\b")


@dataclass(frozen=True, slots=True)
class Token:
    """One word or number; text == source[start:end], `low` is its folded form."""

    text: str
    low: str
    start: int
    end: int

    @property
    def stem(self) -> str:
        return stem(self.low)


def fold(text: str) -> str:
    """Lower case of the same length, so that offsets stay true; typographic quotes made plain."""
    small = (c.lower() if len(c.lower()) == 1 else c for c in text)
    return "".join("'" if c in "’‘" else "-" if c in "‐‑" else c for c in small)


def tokens(text: str) -> tuple[Token, ...]:
    """Every word and number of the text, hyphenated words in their parts."""
    low = fold(text)
    return tuple(
        Token(m.group(), low[m.start() : m.end()], m.start(), m.end()) for m in WORD.finditer(text)
    )


def stem(word: str) -> str:
    """The singular, roughly: enough to meet 'accounts' and 'account', 'companies' and 'company'."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def stems(text: str) -> tuple[str, ...]:
    """The stems of a phrase in order: the key under which phrases meet."""
    return tuple(token.stem for token in tokens(text.replace("_", " ")))


def name_words(name: str) -> tuple[str, ...]:
    """The words of a column name: 'lastTouch_date' gives last, touch, date."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return tuple(token.low for token in tokens(re.sub(r"[_\-./]+", " ", spaced)))


def breaks(low: str) -> tuple[tuple[int, int], ...]:
    """Where clauses end: at commas, full stops, 'but' and 'then'."""
    return tuple(found.span() for found in BREAK.finditer(low))
