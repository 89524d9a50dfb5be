"""Payment cards (brand, length, Luhn) and IBANs (country, length, mod 97)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from stdnum import iban, luhn

from aicp.telemetry.redaction.detector import Detector, Span, Text
from aicp.telemetry.redaction.engines import Trigger
from aicp.telemetry.redaction.envelope import blank_uuids

_CARD = re.compile(
    r"\d(?<![0-9A-Za-z]\d)(?<!\d[.-]\d)(?:[ .\-/]{0,2}\d){12,18}(?![0-9A-Za-z]|[.\-]\d)"
)
_NOT_DIGITS = re.compile(r"\D")


def _cards(text: Text) -> Iterator[Span]:
    for found in _CARD.finditer(text.numbers):
        text.spend(2)
        if is_card(_NOT_DIGITS.sub("", found[0])):
            yield Span(*found.span(), "CARD")
        else:
            yield from _inside(found)


def _inside(found: re.Match[str]) -> Iterator[Span]:
    """A card with a number before or after it: its groups end where a card's would."""
    groups = list(re.finditer(r"\d+", found[0]))
    if len(groups) > 7:
        return
    for first in range(min(len(groups), 4)):
        for last in range(first, len(groups)):
            number = "".join(g[0] for g in groups[first : last + 1])
            if len(number) in (14, 15, 16) and is_card(number):
                yield Span(
                    found.start() + groups[first].start(),
                    found.start() + groups[last].end(),
                    "CARD",
                )
                return


def is_card(digits: str) -> bool:
    """Whether digits are a card number of a known brand with a right check digit (ISO/IEC 7812)."""
    return _branded(digits) and luhn.is_valid(digits)


# Leading digits, from and to, and how many digits a number of that brand has.
_BRANDS = (
    ("4", "4", (13, 16)), ("34", "34", (15,)), ("37", "37", (15,)), ("51", "55", (16,)), ("2221", "2720", (16,)),
    ("36", "36", (14,)), ("38", "39", (14,)), ("300", "305", (14,)), ("6011", "6011", (16,)), ("64", "65", (16,)),
    ("3528", "3589", (16,)), ("62", "62", (16, 18, 19)), ("50", "50", (16, 18, 19)), ("56", "58", (16, 18, 19)),
    ("63", "63", (16, 18, 19)), ("67", "67", (16, 18, 19)),
)  # fmt: skip


def _branded(digits: str) -> bool:
    return any(
        low <= digits[: len(low)] <= high and len(digits) in lengths
        for low, high, lengths in _BRANDS
    )


_IBAN = re.compile(r"[A-Za-z](?<![0-9A-Za-z][A-Za-z])[A-Za-z]\d{2}(?:[ \-.]?[0-9A-Za-z]){11,30}")


@cache
def _length(country: str) -> int:
    """Characters of a country's IBAN, 0 when it has none; from the registry that stdnum carries."""
    parts = iban._ibandb.info(country)  # noqa: SLF001  the table has no public reader
    form = parts[0][1].get("bban", "") if parts else ""
    return 4 + sum(int(n) for n in re.findall(r"(\d+)!?[nac]", form)) if form else 0


def _ibans(text: Text) -> Iterator[Span]:
    plain = blank_uuids(text.plain)  # a UUID may begin like one, and one in a hundred checks
    at = 0
    while found := _IBAN.search(plain, at):
        text.spend()
        at = found.start() + 2
        if (end := _end_of_iban(found[0])) and not plain[
            found.start() + end : found.start() + end + 1
        ].isalnum():
            yield Span(found.start(), found.start() + end, "IBAN")
            at = found.start() + end


def _end_of_iban(text: str) -> int:
    """Where the IBAN at the beginning of a text ends; 0 when there is none."""
    need, have, compact = _length(text[:2].upper()), 0, []
    for i, char in enumerate(text):
        if char.isalnum():
            have += 1
            compact.append(char.upper())
            if have == need:
                return i + 1 if _mod97("".join(compact)) else 0
    return 0


def _mod97(compact: str) -> bool:
    """The check of ISO 13616."""
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


DETECTORS = (
    Detector("card", Trigger(shape=r"[0-9](?:[ ./-]{0,2}[0-9]){12}"), _cards),
    Detector("iban", Trigger(shape=r"[a-z]{2}[0-9]{2}(?:[ .-]?[a-z0-9]){11}"), _ibans),
)
