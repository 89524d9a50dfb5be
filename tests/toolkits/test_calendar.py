"""The calendar file: what is in it, when it is free, and that it goes as it came."""

from __future__ import annotations

from pathlib import Path

import pytest

from aicp.toolkits.model import Call, UndoStatus
from aicp.toolkits.providers import open_provider
from aicp.toolkits.providers.base import Connection, Provider, ProviderError
from toolkits.worlds import ICS, apply

ADD = {"start": "2026-03-30T09:00:00+02:00", "end": "2026-03-30T10:00:00+02:00", "summary": "Call"}
WEEKLY = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//x//EN
BEGIN:VEVENT
UID:w@x.example
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:20260323T090000
DTEND;TZID=Europe/Berlin:20260323T120000
RRULE:FREQ=WEEKLY;UNTIL=20260420T215959Z
EXDATE;TZID=Europe/Berlin:20260406T090000
SUMMARY:Weekly
END:VEVENT
BEGIN:VEVENT
UID:w@x.example
RECURRENCE-ID;TZID=Europe/Berlin:20260413T090000
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:20260413T140000
DTEND;TZID=Europe/Berlin:20260413T150000
SUMMARY:Weekly, moved
END:VEVENT
BEGIN:VEVENT
UID:d@x.example
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20260331
SUMMARY:Fair
TRANSP:TRANSPARENT
END:VEVENT
END:VCALENDAR
"""


def calendar(folder: Path, data: bytes | None) -> Provider:
    if data is not None:
        (folder / "c.ics").write_bytes(data)
    return open_provider(
        Connection("calendar", "c", {"path": str(folder / "c.ics")}, folder / "work")
    )


def test_a_missing_file_is_an_empty_calendar_and_goes_again_with_the_last_undo(
    tmp_path: Path,
) -> None:
    provider = calendar(tmp_path, None)
    assert (provider.describe().rows, provider.describe().facts) == (0, {"exists": False})
    start = provider.state_hash()
    steps = [apply(provider, Call("calendar.add", ADD, key)) for key in ("a", "b")]
    assert provider.describe().rows == 2
    for step in reversed(steps):
        assert provider.undo(*step).status is UndoStatus.RESTORED
    assert not (tmp_path / "c.ics").exists()
    assert provider.state_hash() == start


def test_repeated_moved_and_excepted_events_are_seen_where_they_take_place(tmp_path: Path) -> None:
    found = calendar(tmp_path, WEEKLY.encode()).read(
        Call(
            "calendar.events", {"start": "2026-03-23", "end": "2026-04-30", "zone": "Europe/Berlin"}
        )
    )
    assert [(e["start"], e["summary"]) for e in found["events"]] == [
        ("2026-03-23T09:00:00+01:00", "Weekly"),
        ("2026-03-30T09:00:00+02:00", "Weekly"),
        ("2026-03-31T00:00:00+02:00", "Fair"),
        ("2026-04-13T14:00:00+02:00", "Weekly, moved"),
        ("2026-04-20T09:00:00+02:00", "Weekly"),
    ]


def test_free_slots_keep_to_hours_days_zone_and_events(tmp_path: Path) -> None:
    args = {"start": "2026-03-28", "end": "2026-03-31", "minutes": 90, "count": 4, "zone": "Europe/Berlin",
            "from": "11:00", "until": "15:30"}  # fmt: skip
    found = calendar(tmp_path, WEEKLY.encode()).read(Call("calendar.free", args))
    assert [slot["start"] for slot in found["slots"]] == [
        "2026-03-30T12:00:00+02:00",
        "2026-03-30T13:30:00+02:00",
        "2026-03-31T11:00:00+02:00",
        "2026-03-31T12:30:00+02:00",
    ]


def test_cancelling_a_series_takes_all_of_it_and_undo_puts_it_back_in_place(tmp_path: Path) -> None:
    provider = calendar(tmp_path, WEEKLY.encode())
    step = apply(provider, Call("calendar.cancel", {"uid": "w@x.example"}, "k"))
    assert b"w@x.example" not in (tmp_path / "c.ics").read_bytes()
    apply(calendar(tmp_path, None), Call("calendar.add", ADD | {"uid": "other"}, "theirs"))
    assert provider.undo(*step).status is UndoStatus.RESTORED
    after = (tmp_path / "c.ics").read_bytes()
    assert b"UID:other" in after
    assert after.startswith(WEEKLY.encode().removesuffix(b"END:VCALENDAR\n"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\n", "empty"),
        (ICS[:300], "breaks off"),
        (ICS.replace(b"END:VALARM", b"END:VTODO"), "line 14 ends what was not begun"),
        (b"hello", "breaks off"),
    ],
)
def test_a_broken_calendar_is_refused_and_left_alone(
    data: bytes, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ProviderError, match=words) as refused:
        calendar(tmp_path, data).describe()
    assert refused.value.hint
    assert (tmp_path / "c.ics").read_bytes() == data


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"end": ADD["start"]}, "does not end after"),
        ({"start": "2026-03-30T09:00:00"}, "not a time with its offset"),
        ({"start": "2026-03-30"}, "does not end after"),
        ({"summary": ""}, "summary"),
    ],
)
def test_an_event_that_makes_no_sense_is_refused(change, words: str, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=words):
        calendar(tmp_path, ICS).before(Call("calendar.add", ADD | change))


def test_text_cannot_smuggle_properties_into_the_file(tmp_path: Path) -> None:
    provider = calendar(tmp_path, ICS)
    apply(provider, Call("calendar.add", ADD | {"summary": "x\r\nEND:VEVENT\r\nATTENDEE:eve"}, "k"))
    assert provider.describe().rows == 3
    assert b"\r\nATTENDEE" not in (tmp_path / "c.ics").read_bytes()
