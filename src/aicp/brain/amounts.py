"""Numbers as people write them: 50,000 · $50k · 1.5 million · 3 % · twenty."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from price_parser import Price

from aicp.brain.vocabulary import data

WORDS: dict[str, int] = data()["number_words"]
SCALE = {
    "k": 1_000, "thousand": 1_000, "m": 1_000_000, "mio": 1_000_000, "million": 1_000_000,
    "bn": 1_000_000_000, "billion": 1_000_000_000,
}  # fmt: skip
DIGITS = r"[0-9]+(?:[.,'][0-9]+)*"
AMOUNT = (
    rf"(?:[$€£]\s?|(?:usd|eur|gbp)\s)?(?:{DIGITS}|\b(?:{'|'.join(WORDS)})\b)"
    r"(?:\s?(?:k|mio|million|thousand|billion|bn|m)\b)?(?:\s?(?:%|percent\b|[$€£]|usd\b|eur\b|gbp\b))?"
)
COUNT = rf"(?:[0-9]{{1,9}}\b(?![.,:][0-9])|\b(?:{'|'.join(WORDS)})\b)"
MONEY = re.compile(r"[$€£]|\b(?:usd|eur|gbp)\b")


def amount(text: str) -> int | float | None:
    """The number a text of the AMOUNT pattern means, or None when it means none clearly."""
    low = text.strip().lower()
    scale = next((SCALE[s] for s in re.findall(r"(?<=[\d\s.])[a-z]+\b", low) if s in SCALE), 1)
    for word, number in WORDS.items():
        if re.search(rf"\b{word}\b", low):
            return number * scale
    digits = re.search(DIGITS, low)
    return _scaled(digits.group(), scale) if digits else None


def _scaled(digits: str, scale: int) -> int | float | None:
    parsed = Price.fromstring(digits.replace("'", ",")).amount
    try:
        number = (parsed if parsed is not None else Decimal(digits)) * scale
    except InvalidOperation:
        return None
    if abs(number) >= 2**53:  # beyond what JSON numbers hold exactly
        return None
    return int(number) if number == number.to_integral_value() else float(number)


def count(text: str) -> int:
    """The whole number of a COUNT pattern."""
    return WORDS[text] if text in WORDS else int(text)


def is_money(text: str) -> bool:
    return bool(MONEY.search(text.lower()))
