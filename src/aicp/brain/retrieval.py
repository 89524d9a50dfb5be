"""Which plays are near some words: BM25 over the plays' cards, each hit with its terms shown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from math import log

from aicp.brain.playbook import PlayFile, plays
from aicp.brain.text import stems
from aicp.brain.vocabulary import word_set

K1, B = 1.2, 0.75  # the usual constants of BM25


@dataclass(frozen=True, slots=True)
class Hit:
    """A play, its score, and what each shared word added."""

    play: PlayFile
    score: float
    words: tuple[tuple[str, float], ...]


def nearest(words: str, limit: int = 3) -> tuple[Hit, ...]:
    """The plays whose cards share words with the text, best first; none when nothing is shared."""
    cards = _cards()
    average = sum(sum(c.values()) for _, c in cards) / len(cards)
    asked = set(stems(words)) - word_set("filler")
    hits = [_hit(play, card, asked, average) for play, card in cards]
    found = sorted((h for h in hits if h.score > 0), key=lambda h: (-h.score, h.play.id))
    return tuple(found[:limit])


def _hit(play: PlayFile, card: Counter[str], asked: set[str], average: float) -> Hit:
    length = sum(card.values())
    terms = []
    for word in sorted(asked & set(card)):
        rarity = log(1 + (len(_cards()) - _known_in(word) + 0.5) / (_known_in(word) + 0.5))
        often = card[word] * (K1 + 1) / (card[word] + K1 * (1 - B + B * length / average))
        terms.append((word, round(rarity * often, 3)))
    return Hit(play, round(sum(value for _, value in terms), 3), tuple(terms))


def _known_in(word: str) -> int:
    return sum(1 for _, card in _cards() if word in card)


@cache
def _cards() -> tuple[tuple[PlayFile, Counter[str]], ...]:
    def card(play: PlayFile) -> Counter[str]:
        m = play.match
        said = [play.title, play.summary, *m.strong, *m.verbs, *m.nouns, *m.keywords, *m.examples]
        return Counter(w for text in said for w in stems(text) if w not in word_set("filler"))

    return tuple((play, card(play)) for play in plays())
