"""The word somebody probably meant."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """One sentence: the nearest known word, or all of them."""
    choices = list(known)
    best = nearest(word, choices)
    return f"did you mean {best}?" if best else "one of: " + " ".join(choices)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word at most a third of its letters away, or ""."""
    word = word.lower()
    scored = sorted((_distance(word, one.lower()), one) for one in known)
    if scored and scored[0][0] <= max(1, (len(word) + 1) // 3):
        return scored[0][1]
    started = [one for one in known if word and one.startswith(word)]
    return started[0] if started else ""


def _distance(left: str, right: str) -> int:
    """Edits from one word to the other, a swap of neighbours counting once."""
    before, row = [0] * (len(right) + 1), list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(right, 1):
            row.append(min(row[-1] + 1, before[j] + 1, before[j - 1] + (a != b)))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                row[-1] = min(row[-1], older[j - 2] + 1)
    return row[-1]
