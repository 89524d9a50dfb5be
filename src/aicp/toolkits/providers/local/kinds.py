"""What a column holds, found from its cells, and how a cell of that kind is read for comparing.

The header is only a hint where the cells allow two readings. Nothing is ever evaluated, and what
cannot be read without guessing (a date that may be day-first or month-first) stays text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

import phonenumbers
from dateutil import parser as dates
from email_validator import EmailNotValidError, validate_email
from price_parser import Price

SAMPLE = 400  # distinct cells looked at, spread evenly over the column
ENOUGH = 0.95  # this share of the filled cells must be of the kind; the rest counts as unreadable
NOTHING = frozenset({"", "-", "—", "n/a", "na", "null", "none", "tbd", "unknown"})

_YES, _NO = frozenset({"true", "yes", "y", "t", "1"}), frozenset({"false", "no", "n", "f", "0"})
_FLAG = re.compile(
    r"^(is|has|do|can|opt|allow)[ _-]|_(flag|ok)$|contact|active|enabled", re.IGNORECASE
)
_MONEY = re.compile(
    r"\b(m|a)rr\b|amount|price|revenue|budget|balance|spend|cost|salary|value", re.IGNORECASE
)
_PHONE = re.compile(r"phone|mobile|cell|tel\b|fax", re.IGNORECASE)
_ID = re.compile(r"(^|[ _-])(id|uid|uuid|key|code|sku|nr|no|ref|number)$|^id|Id$", re.IGNORECASE)
_ID_CELL = re.compile(
    r"^([A-Za-z]{1,6}[-_ ]?\d+|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$"
)
_PLAIN = re.compile(r"^[+-]?(0|[1-9]\d{0,14}|\d{1,3}(,\d{3})+)(\.\d+)?$")
_SIMPLE = re.compile(r"^(?:[$€£¥]|[A-Z]{3}\s?)?((?:0|[1-9]\d{0,14}|\d{1,3}(?:,\d{3})+)(?:\.\d+)?)$")
_PRICE = re.compile(r"^\D{0,4}[\s-]*\d[\d.,'\s\u00a0]*\s*(k|m|mn|bn|b)?\s*\D{0,4}$", re.IGNORECASE)
_SCALE = re.compile(r"\d\s*(k|mn|m|bn|b)\b", re.IGNORECASE)
_SCALES = {"k": 3, "m": 6, "mn": 6, "b": 9, "bn": 9}
_ISO = re.compile(r"^\d{4}-\d\d-\d\d")
_DATE = re.compile(r"^(?=.*\d{4}|.*[-./]\d\d\b)(?=(.*\d){3})[\w\s:,.+/-]{6,40}$")
_URL = re.compile(r"^https?://[^\s/]+\.[^\s]+$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind and how its cells are read."""

    name: str  # text enum number money date datetime bool email phone timezone url id
    dayfirst: bool = False
    note: str = ""  # what could not be decided, one sentence

    @property
    def ordered(self) -> bool:
        return self.name in {"number", "money", "date", "datetime"}

    def read(self, cell: Any) -> Any:
        """The comparable value of a cell, or None when the cell is empty or not of this kind."""
        text = str(cell).strip() if cell is not None else ""
        if text.lower() in NOTHING and self.name not in {"text", "enum", "id"}:
            return None
        return _READERS.get(self.name, _folded)(text, self.dayfirst)


def kind_of(name: str, cells: Iterable[str | None]) -> Kind:
    """The kind of a column from its header (a hint) and its cells."""
    filled = [cell for cell in cells if cell is not None and cell.strip().lower() not in NOTHING]
    distinct = list(dict.fromkeys(filled))
    if not distinct:
        return Kind("text")
    sample = distinct[:: max(1, len(distinct) // SAMPLE)]
    unique = len(distinct) == len(filled) and len(filled) > 1
    return (
        _flag(name, filled) or _kind(name, sample, unique) or _wordy(name, filled, distinct, unique)
    )


def _kind(name: str, sample: list[str], unique: bool) -> Kind | None:
    if unique and _most(sample, _ID_CELL.match):
        return Kind("id")
    numeric = _most(sample, lambda cell: _plain_number(cell.strip()) is not None)
    if numeric and not _PHONE.search(name):
        if unique and _ID.search(name):
            return Kind("id")
        return Kind("money" if _MONEY.search(name) else "number")
    return _dated(sample) or _shaped(name, sample)


def _shaped(name: str, sample: list[str]) -> Kind | None:
    if _most(sample, _email):
        return Kind("email")
    if _most(sample, lambda cell: _URL.match(cell.strip())):
        return Kind("url")
    if _most(sample, lambda cell: cell.strip() in _zones()):
        return Kind("timezone")
    if _most(sample, lambda cell: _amount(cell.strip(), False) is not None):
        priced = _MONEY.search(name) or any(Price.fromstring(c).currency for c in sample)
        if not _PHONE.search(name):
            return Kind("money" if priced else "number")
    hinted = bool(_PHONE.search(name))
    if _most(sample, lambda cell: _phone_like(cell, hinted=hinted)):
        return Kind("phone")
    return None


def _wordy(name: str, filled: list[str], distinct: list[str], unique: bool) -> Kind:
    if unique and _ID.search(name):
        return Kind("id")
    short = sum(map(len, distinct)) / len(distinct) < 40
    repeated = len(distinct) <= max(2, len(filled) // 2) and len(distinct) <= 200
    note = ""
    if _most(distinct[:50], lambda c: _date(c, True) and _date(c, False)):
        note = "may be day-first or month-first dates; write them as YYYY-MM-DD to compare them"
    return Kind("enum" if short and repeated and not note else "text", note=note)


def _most(sample: list[str], test: Callable[[str], Any]) -> bool:
    return sum(1 for cell in sample if test(cell)) >= ENOUGH * len(sample)


def _flag(name: str, filled: list[str]) -> Kind | None:
    """Yes and no; zeros and ones only when the header says so. All cells count, not distinct ones."""
    words = [cell.strip().lower() for cell in filled]
    known = [word for word in words if word in _YES | _NO]
    if len(known) < ENOUGH * len(words) or len(set(words)) > 10:
        return None
    return Kind("bool") if set(known) - {"0", "1"} or _FLAG.search(name) else None


def _dated(sample: list[str]) -> Kind | None:
    """A date column, when the cells leave one reading only."""
    if not _most(sample, lambda cell: _DATE.match(cell.strip())):
        return None
    readings = {
        first: [_date(cell, first) for cell in sample]
        for first in (True, False)
        if _most(sample, lambda cell, first=first: _date(cell, first) is not None)
    }
    if len(readings) == 2 and readings[True] != readings[False]:
        return None
    for first, cells in readings.items():
        timed = any(c is not None and c.time() != time(0) for c in cells)
        return Kind("datetime" if timed else "date", dayfirst=first)
    return None


@lru_cache(maxsize=65536)
def _date(text: str, dayfirst: bool) -> datetime | None:
    """A complete calendar date, with its time when it has one; None when a part is missing."""
    text = text.strip()
    if _ISO.match(text):
        try:
            return _utc(datetime.fromisoformat(text))
        except ValueError:
            return None
    if not _DATE.match(text):
        return None
    try:
        one = dates.parse(text, default=datetime(2000, 1, 1), dayfirst=dayfirst)  # noqa: DTZ001
        two = dates.parse(text, default=datetime(2003, 2, 2), dayfirst=dayfirst)  # noqa: DTZ001
    except (ValueError, OverflowError):
        return None
    if one != two or not _honoured(text, one, dayfirst):
        return None
    return _utc(one)


def _honoured(text: str, found: datetime, dayfirst: bool) -> bool:
    """Whether the parser kept the asked order: it swaps silently when the order is impossible."""
    pair = re.match(r"^(\d{1,2})[-./](\d{1,2})[-./]", text)
    if pair is None:
        return True
    day, month = (int(part) for part in (pair.groups() if dayfirst else reversed(pair.groups())))
    return (found.day, found.month) == (day, month)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _plain_number(text: str) -> Decimal | None:
    if not _PLAIN.match(text) or (text.startswith("+") and len(text) > 8):
        return None  # a plus and many digits is a phone number
    try:
        return Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None


def _amount(text: str, _dayfirst: bool) -> Decimal | None:
    """An amount with or without currency, thousands marks and k, m, bn."""
    plain = _plain_number(text)
    if plain is not None:
        return plain
    simple = _SIMPLE.match(text)  # the common forms need no library, which is 20 times slower
    if simple:
        return Decimal(simple[1].replace(",", ""))
    if not _PRICE.match(text) or re.match(r"^0\d", text):
        return None
    found = Price.fromstring(text).amount
    if found is None:
        return None
    scale = _SCALE.search(text)
    sign = -1 if re.match(r"^\W*-", text) and found > 0 else 1
    return sign * found * 10 ** (_SCALES[scale[1].lower()] if scale else 0)


def _moment(text: str, dayfirst: bool) -> datetime | None:
    return _date(text, dayfirst)


def _day(text: str, dayfirst: bool) -> date | None:
    found = _date(text, dayfirst)
    return found.date() if found else None


def _truth(text: str, _dayfirst: bool) -> bool | None:
    word = text.lower()
    return True if word in _YES else False if word in _NO else None


@lru_cache(maxsize=65536)
def _email(text: str) -> str | None:
    if "@" not in text:
        return None
    try:
        return validate_email(
            text.strip(),
            check_deliverability=False,
            globally_deliverable=False,
            test_environment=True,
        ).normalized.casefold()
    except EmailNotValidError:
        return None


def _phone_like(cell: str, *, hinted: bool) -> bool:
    digits = sum(ch.isdigit() for ch in cell)
    if not 7 <= digits <= 17 or re.search(r"[^\d\s()+./x-]", cell, re.IGNORECASE):
        return False
    return hinted or e164(cell, "US") is not None


@lru_cache(maxsize=65536)
def e164(text: str, region: str | None = None) -> str | None:
    """The E.164 form of a phone number; `region` (ISO 3166) serves numbers without a country."""
    text = re.sub(r"^\s*00", "+", text)
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _folded(text: str, _dayfirst: bool) -> str:
    return text.casefold()


def _exact(text: str, _dayfirst: bool) -> str:
    return text


def _phone(text: str, _dayfirst: bool) -> str:
    return e164(text) or re.sub(r"\D", "", text)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


_READERS: dict[str, Callable[[str, bool], Any]] = {
    "number": _amount,
    "money": _amount,
    "date": _day,
    "datetime": _moment,
    "bool": _truth,
    "phone": _phone,
    "id": _exact,
    "timezone": _exact,
}
