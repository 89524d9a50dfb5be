"""When the events of a calendar take place, and which times are free between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rruleset, rrulestr
from icalendar import Event

from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    start: datetime
    end: datetime
    event: Event | None = None


def occurrences(
    events: Sequence[Event], start: datetime, end: datetime, zone: tzinfo
) -> list[Slot]:
    """Every occurrence that touches [start, end), repeated events included, in order of time.

    Floating times and whole days are taken in `zone`.
    """
    overridden = {
        (str(event.get("UID")), _moment(_when(event, "RECURRENCE-ID"), zone))
        for event in events
        if event.get("RECURRENCE-ID")
    }
    found = []
    for event in events:
        length = _length(event, zone)
        for begin in _starts(event, start - length, end, zone):
            replaced = (str(event.get("UID")), begin) in overridden
            touches = begin < end and begin + max(length, timedelta(seconds=1)) > start
            if touches and (event.get("RECURRENCE-ID") or not replaced):
                found.append(Slot(begin, begin + length, event))
    return sorted(found, key=lambda slot: (slot.start, slot.end))


def _starts(event: Event, low: datetime, high: datetime, zone: tzinfo) -> Iterator[datetime]:
    first = _moment(_when(event, "DTSTART"), zone)
    if not event.get("RRULE") and not event.get("RDATE"):
        yield first
        return
    # Repetition is counted in wall time, so that 09:00 stays 09:00 when the clocks change.
    local = first.tzinfo
    days: Any = rruleset()
    if event.get("RRULE"):
        rule = _rule(event)
        days.rrule(rrulestr(_wall_until(rule, local), dtstart=first.replace(tzinfo=None)))
    else:
        days.rdate(first.replace(tzinfo=None))
    for name, add in (("RDATE", days.rdate), ("EXDATE", days.exdate)):
        for one in _dates(event.get(name)):
            add(_moment(one, zone).astimezone(local).replace(tzinfo=None))
    window = (edge.astimezone(local).replace(tzinfo=None) for edge in (low, high))
    for day in days.between(*window, inc=True):
        yield day.replace(tzinfo=local)


def _when(event: Any, name: str) -> Any:
    """The date, time or duration of a property."""
    return event[name].dt


def _rule(event: Any) -> str:
    return event["RRULE"].to_ical().decode()


def _wall_until(rule: str, local: tzinfo | None) -> str:
    """UNTIL is in UTC for events with a zone; the rule is counted in wall time."""
    parts = dict(part.split("=", 1) for part in rule.split(";"))
    until = parts.get("UNTIL", "")
    if until.endswith("Z"):
        there = datetime.strptime(until, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).astimezone(local)
        parts["UNTIL"] = there.strftime("%Y%m%dT%H%M%S")
    return ";".join(f"{name}={value}" for name, value in parts.items())


def _dates(field: Any) -> Iterator[date]:
    for group in field if isinstance(field, list) else [field] if field else []:
        for one in group.dts:
            yield one.dt


def _length(event: Event, zone: tzinfo) -> timedelta:
    if event.get("DTEND"):
        return _moment(_when(event, "DTEND"), zone) - _moment(_when(event, "DTSTART"), zone)
    if event.get("DURATION"):
        return _when(event, "DURATION")
    whole_day = not isinstance(_when(event, "DTSTART"), datetime)
    return timedelta(days=1) if whole_day else timedelta(0)


def _moment(value: date, zone: tzinfo) -> datetime:
    if not isinstance(value, datetime):
        return datetime.combine(value, time(0), tzinfo=zone)
    return value if value.tzinfo else value.replace(tzinfo=zone)


def free_slots(events: Sequence[Event], args: Json) -> list[Json]:
    """The first `count` slots of `minutes` within the working hours that no event touches."""
    zone = zone_called(args.get("zone", "UTC"))
    first, last = day_called(args["start"]), day_called(args["end"])
    opens, closes = (
        time.fromisoformat(args.get(*x)) for x in (("from", "09:00"), ("until", "17:00"))
    )
    length = timedelta(minutes=args["minutes"])
    low, high = (datetime.combine(d, time(0), zone) for d in (first, last + timedelta(days=1)))
    taken = [slot for slot in occurrences(events, low, high, zone) if _blocks(slot.event)]
    slots: list[Json] = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        if day.isoweekday() not in args.get("weekdays", [1, 2, 3, 4, 5]):
            continue
        at, until = (datetime.combine(day, edge, zone).astimezone(UTC) for edge in (opens, closes))
        for slot in _gaps(taken, at, until, length):
            slots.append(
                {
                    "start": slot.start.astimezone(zone).isoformat(),
                    "end": slot.end.astimezone(zone).isoformat(),
                }
            )
            if len(slots) == args["count"]:
                return slots
    return slots


def _gaps(taken: list[Slot], at: datetime, until: datetime, length: timedelta) -> Iterator[Slot]:
    while at + length <= until:
        clash = next((s for s in taken if s.start < at + length and s.end > at), None)
        if clash is None:
            yield Slot(at, at + length)
            at += length
        else:
            at = clash.end.astimezone(UTC)


def _blocks(event: Event | None) -> bool:
    if event is None:
        return False
    free = str(event.get("TRANSP", "")).upper() == "TRANSPARENT"
    return not free and str(event.get("STATUS", "")).upper() != "CANCELLED"


def zone_called(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ProviderError(
            f"'{name[:60]}' is not a time zone", hint="use an IANA name such as Europe/Berlin"
        ) from None


def day_called(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ProviderError(f"'{text[:40]}' is not a day", hint="write it as YYYY-MM-DD") from None
