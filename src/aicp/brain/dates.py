"""Times people name, as inclusive day ranges: Q2, May, last month, the last 90 days, 30 November.

A period without a year is the last completed one before `now` (or the next, looking ahead).
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import dateparser

from aicp.brain.amounts import COUNT, count

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
SHORT = {m[:3]: n for n, m in enumerate(MONTHS, 1)} | {"sept": 9}
MONTH_NUMBERS = {m: n for n, m in enumerate(MONTHS, 1)} | SHORT
MONTH = rf"(?:{'|'.join(MONTHS)}|sept|{'|'.join(m[:3] for m in MONTHS if m != 'may')})\b\.?"
YEAR = r"(?:19|20)[0-9]{2}"
UNIT = r"(?:days?|weeks?|months?|quarters?|years?)"
DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DURATION = rf"{COUNT}\s+{UNIT}|(?:a|one)\s+(?:day|week|month|quarter|year)"
DAY = (
    rf"{YEAR}-[0-9]{{1,2}}-[0-9]{{1,2}}|[0-9]{{1,2}}[./][0-9]{{1,2}}[./]{YEAR}"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{MONTH}(?:,?\s+{YEAR})?"
    rf"|{MONTH}\s+[0-9]{{1,2}}(?:st|nd|rd|th)?\b(?!:)(?:,?\s+{YEAR})?"
    r"|today|tomorrow|yesterday"
)
PERIOD = (
    rf"q[1-4]\b(?:\s*(?:of\s+)?{YEAR})?|(?:first|second|third|fourth)\s+quarter(?:\s+(?:of\s+)?{YEAR})?"
    rf"|{MONTH}(?:\s+(?:of\s+)?{YEAR})?|(?:last|previous|this|next)\s+(?:week|month|quarter|year)"
    rf"|{YEAR}\b"
)
WHEN = rf"(?:{DAY}|{PERIOD})"


@dataclass(frozen=True, slots=True)
class Range:
    """First and last day, both inside. `sure` is False when the year was filled in."""

    low: date
    high: date
    sure: bool = True

    @property
    def iso(self) -> tuple[str, str]:
        return self.low.isoformat(), self.high.isoformat()


def read(text: str, now: datetime, *, ahead: bool = False) -> Range | None:
    """The range a WHEN text means, or None when it is no date or an ambiguous one (1/6/2026)."""
    low = text.strip().rstrip(".,").lower()
    try:
        return _period(low, now, ahead=ahead) or _day(low, now, ahead=ahead)
    except (ValueError, OverflowError):
        return None


def back(text: str, now: datetime) -> date | None:
    """The day a DURATION before now."""
    return _shifted(text, now.date(), -1)


def forward(text: str, now: datetime) -> date | None:
    """The day a DURATION after now."""
    return _shifted(text, now.date(), 1)


def _shifted(text: str, day: date, sign: int) -> date | None:
    head, unit = text.lower().split()[:2]
    size = sign * (1 if head in ("a", "one") else count(head))
    months = {"month": 1, "quarter": 3, "year": 12}.get(unit.rstrip("s"))
    try:
        if months is None:
            return day + timedelta(days=size * (7 if unit.startswith("week") else 1))
        return _month_later(day, size * months)
    except (OverflowError, ValueError):
        return None


def _month_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _period(low: str, now: datetime, *, ahead: bool) -> Range | None:
    year = re.search(rf"\b{YEAR}\b", low)
    ordinal = {"first": 1, "second": 2, "third": 3, "fourth": 4}
    if quarter := re.fullmatch(r"(?:q([1-4])|(\w+)\s+quarter)\b.*", low):
        number = int(quarter[1]) if quarter[1] else ordinal.get(quarter[2])
        if number:
            return _months(number * 3 - 2, 3, year and int(year.group()), now, ahead=ahead)
    if re.fullmatch(rf"{MONTH}(?:\s+(?:of\s+)?{YEAR})?", low):
        month = MONTH_NUMBERS[re.split(r"[\s.]", low)[0]]
        return _months(month, 1, year and int(year.group()), now, ahead=ahead)
    if re.fullmatch(YEAR, low):
        return Range(date(int(low), 1, 1), date(int(low), 12, 31))
    if relative := re.fullmatch(r"(last|previous|this|next)\s+(week|month|quarter|year)", low):
        step = {"last": -1, "previous": -1, "this": 0, "next": 1}[relative[1]]
        return _around(relative[2], step, now.date())
    return None


def _months(start: int, size: int, year: int | None, now: datetime, *, ahead: bool) -> Range:
    at = year or now.year
    if year is None:
        ended = _month_later(date(at, start, 1), size) <= now.date()
        if not ahead and not ended:
            at -= 1
        elif ahead and ended:
            at += 1
    first = date(at, start, 1)
    return Range(first, _month_later(first, size) - timedelta(days=1), year is not None)


def _around(unit: str, step: int, today: date) -> Range:
    if unit == "week":
        monday = today - timedelta(days=today.weekday()) + timedelta(weeks=step)
        return Range(monday, monday + timedelta(days=6))
    size = {"month": 1, "quarter": 3, "year": 12}[unit]
    first = date(today.year, (today.month - 1) // size * size + 1, 1)
    first = _month_later(first, step * size)
    return Range(first, _month_later(first, size) - timedelta(days=1))


def _day(low: str, now: datetime, *, ahead: bool) -> Range | None:
    numeric = re.fullmatch(rf"([0-9]{{1,2}})([./])([0-9]{{1,2}})[./]{YEAR}", low)
    small = numeric and int(numeric[1]) <= 12 and int(numeric[3]) <= 12
    if numeric and small and numeric[2] == "/" and numeric[1] != numeric[3]:
        return None  # day and month could change places
    order = "DMY" if (numeric and int(numeric[1]) > 12) or "." in low else "MDY"
    found = dateparser.parse(
        low,
        languages=["en"],
        settings={
            "RELATIVE_BASE": now.replace(tzinfo=None),
            "PREFER_DATES_FROM": "future" if ahead else "past",
            "DATE_ORDER": "YMD" if re.match(YEAR + "-", low) else order,
            "TIMEZONE": "UTC",
            "RETURN_AS_TIMEZONE_AWARE": False,
        },
    )
    if found is None:
        return None
    fixed = bool(re.search(YEAR, low)) or low in ("today", "tomorrow", "yesterday")
    return Range(found.date(), found.date(), sure=fixed or ahead)


def coming(text: str, now: datetime) -> date | None:
    """The next day a weekday name means, today included when it is today."""
    day = next((i for i, name in enumerate(DAY_NAMES) if name.startswith(text[:3])), None)
    if day is None:
        return None
    return now.date() + timedelta(days=(day - now.weekday()) % 7)
