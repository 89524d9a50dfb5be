"""A calendar in an .ics file: events read and free times found, events added and cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace as with_fields
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from aicp.kernel.canonical import sha256
from aicp.toolkits.model import (
    BeforeImage,
    Call,
    Found,
    Json,
    Outcome,
    Reconciled,
    Resource,
    ToolSpec,
    UndoResult,
    UndoStatus,
)
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.local import busy, ics_file
from aicp.toolkits.providers.local.calendar_tools import TOOLS
from aicp.toolkits.providers.local.checked import checked
from aicp.toolkits.providers.local.done import Done
from aicp.toolkits.providers.local.files import (
    Stamp,
    locked,
    private_folder,
    read_bytes,
    remove,
    replace,
    stamp,
)
from aicp.toolkits.providers.local.ics_file import Ics
from aicp.toolkits.providers.local.messages import call_id, moment

ABSENT = "absent"


class LocalCalendar:
    """The calendar file of one connection; a file that is missing is an empty calendar."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        path = Path(str(connection.config.get("path", "")))
        if not path.is_absolute():
            raise ProviderError("the calendar connection needs 'path', an absolute path")
        self._path = path.resolve()
        self._done = Done(connection.work_dir, str(self._path))
        self._seen: tuple[Stamp | None, Ics] | None = None

    def tools(self) -> tuple[ToolSpec, ...]:
        return TOOLS

    def describe(self) -> Resource:
        ics = self._ics()
        return Resource(
            toolkit="calendar",
            account=self.connection.account,
            title=f"{self.connection.account}: {len(ics.blocks)} events",
            version=self.state_hash(),
            tools=tuple(tool.name for tool in TOOLS),
            rows=len(ics.blocks),
            key="uid",
            facts={"exists": stamp(self._path) is not None},
        )

    def read(self, call: Call) -> Json:
        checked(TOOLS, call, mutates=False)
        events = [block.event for block in self._ics().blocks if block.event.get("DTSTART")]
        if call.tool == "calendar.free":
            return {"slots": busy.free_slots(events, call.args)}
        zone = busy.zone_called(call.args.get("zone", "UTC"))
        first, last = busy.day_called(call.args["start"]), busy.day_called(call.args["end"])
        low = datetime.combine(first, time(0), zone)
        high = datetime.combine(last, time(0), zone) + timedelta(days=1)
        return {"events": [_shown(slot) for slot in busy.occurrences(events, low, high, zone)]}

    def before(self, call: Call) -> BeforeImage:
        checked(TOOLS, call, mutates=True)
        ics, uid = self._ics(), _uid(call)
        there = ics.of(uid)
        data: Json = {"uid": uid, "file": stamp(self._path) is not None, "image": []}
        if call.tool == "calendar.add":
            if there:
                raise ProviderError(
                    f"there is an event '{uid[:80]}' already", hint="use another uid"
                )
            _event_fields(call)
            return BeforeImage(ABSENT, data)
        if not there:
            raise ProviderError(f"there is no event '{uid[:80]}'", hint="list the events first")
        return BeforeImage(_version(ics, uid), data | {"image": ics_file.images(ics, uid)})

    def execute(self, call: Call, before: BeforeImage) -> Outcome:
        checked(TOOLS, call, mutates=True)
        known = self._done.outcome(call)
        if known is not None:
            return known
        uid = before.data["uid"]
        with locked(self.connection.work_dir, str(self._path)):
            ics = self._ics()
            if _version(ics, uid) == before.version:
                self._write(_changed(ics, call, uid))
            elif not self._is_after(call, before):
                raise ProviderError(
                    f"event '{uid[:80]}' was changed by somebody else since it was read",
                    hint="read the calendar again and plan the change anew",
                )
            outcome = self._outcome(before)
        self._done.remember(call, outcome)
        return outcome

    def verify(self, call: Call, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:
        checked(TOOLS, call, mutates=True)
        now = _version(self._ics(), before.data["uid"])
        if now in {outcome.version, self._intended(call)}:
            return ()
        return (f"event '{before.data['uid']}' is not as the call left it",)

    def reconcile(self, call: Call, before: BeforeImage) -> Reconciled:
        checked(TOOLS, call, mutates=True)
        known = self._done.outcome(call)
        if known is not None:
            return Reconciled(Found.DONE, known)
        if self._is_after(call, before):
            return Reconciled(Found.DONE, self._outcome(before))
        if _version(self._ics(), before.data["uid"]) == before.version:
            return Reconciled(Found.NOT_DONE)
        why = f"event '{before.data['uid']}' is neither what it was nor what the call would make it"
        return Reconciled(Found.UNCLEAR, why=why)

    def undo(self, call: Call, before: BeforeImage, outcome: Outcome) -> UndoResult:
        checked(TOOLS, call, mutates=True)
        with locked(self.connection.work_dir, str(self._path)):
            result = self._undo(call, before, outcome)
        if result.status is not UndoStatus.CONFLICT:
            self._done.forget(call)
        return result

    def release(self, call: Call, outcome: Outcome) -> Outcome:  # noqa: ARG002, the protocol's form
        raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")

    def reconcile_release(self, call: Call, outcome: Outcome) -> Reconciled:  # noqa: ARG002
        raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")

    def state_hash(self) -> str:
        return sha256(read_bytes(self._path) if stamp(self._path) else b"")

    @contextmanager
    def rehearsal(self) -> Iterator[LocalCalendar]:
        with private_folder(self.connection.work_dir) as folder:
            copy = folder / self._path.name
            if stamp(self._path):
                copy.write_bytes(read_bytes(self._path))
            config = {**self.connection.config, "path": str(copy)}
            yield LocalCalendar(with_fields(self.connection, config=config, work_dir=folder))

    def _ics(self) -> Ics:
        now = stamp(self._path)
        if self._seen is None or self._seen[0] != now:
            data = read_bytes(self._path) if now else ics_file.EMPTY
            self._seen = (now, ics_file.parse(data, self._path.name))
        return self._seen[1]

    def _write(self, data: bytes) -> None:
        ics = ics_file.parse(data, self._path.name)  # nothing unsound is ever written
        seen = replace(self._path, data, self._seen[0] if self._seen else None)
        self._seen = (seen, ics)

    def _intended(self, call: Call) -> str:
        """The version of the event once the call is done."""
        if call.tool == "calendar.cancel":
            return ABSENT
        raw = ics_file.event_bytes(_event_fields(call), ics_file.newline_of(self._ics().data))
        return sha256(raw)[:20]

    def _is_after(self, call: Call, before: BeforeImage) -> bool:
        return _version(self._ics(), before.data["uid"]) == self._intended(call)

    def _outcome(self, before: BeforeImage) -> Outcome:
        uid = before.data["uid"]
        return Outcome({"uid": uid}, _version(self._ics(), uid))

    def _undo(self, call: Call, before: BeforeImage, outcome: Outcome) -> UndoResult:
        ics, uid = self._ics(), before.data["uid"]
        now = _version(ics, uid)
        if now == before.version:
            return UndoResult(UndoStatus.ALREADY)
        if now not in {outcome.version, self._intended(call)}:
            theirs = {"field": uid, "ours": outcome.version, "theirs": now}
            why = f"event '{uid}' was changed by somebody else since; nothing was touched"
            return UndoResult(UndoStatus.CONFLICT, (theirs,), why=why)
        if call.tool == "calendar.cancel":
            self._write(ics_file.put_back(ics.data, self._path.name, before.data["image"]))
        else:
            self._take_out(ics, uid, existed=before.data["file"])
        return UndoResult(UndoStatus.RESTORED)

    def _take_out(self, ics: Ics, uid: str, *, existed: bool) -> None:
        """Without the event; a file that the call made, and that holds nothing else, goes too."""
        data = ics_file.removed(ics, uid)
        if data == ics_file.EMPTY and not existed:
            remove(self._path)
            self._seen = None
        else:
            self._write(data)


def _changed(ics: Ics, call: Call, uid: str) -> bytes:
    if call.tool == "calendar.cancel":
        return ics_file.removed(ics, uid)
    newline = ics_file.newline_of(ics.data)
    return ics_file.added(ics, ics_file.event_bytes(_event_fields(call), newline))


def _version(ics: Ics, uid: str) -> str:
    """20 digits over the bytes of all events with the UID."""
    blocks = ics.of(uid)
    return sha256(b"".join(ics.data[b.start : b.end] for b in blocks))[:20] if blocks else ABSENT


def _uid(call: Call) -> str:
    if call.tool == "calendar.cancel" or call.args.get("uid"):
        return call.args["uid"]
    return f"{call_id(call)}@aicp"


def _event_fields(call: Call) -> Json:
    start, end = _edge(call.args["start"]), _edge(call.args["end"])
    if isinstance(start, datetime) is not isinstance(end, datetime) or end <= start:
        raise ProviderError(
            "the event does not end after it starts",
            hint="give two times, or two days (end excluded)",
        )
    stamped = start if isinstance(start, datetime) else datetime.combine(start, time(0), UTC)
    # DTSTAMP is required; the clock is not ours, and the same call must give the same bytes.
    return {
        "uid": _uid(call),
        "dtstamp": stamped,
        "dtstart": start,
        "dtend": end,
        "summary": call.args["summary"],
        "description": call.args.get("description"),
    }


def _edge(text: str) -> date:
    return busy.day_called(text) if len(text) == 10 else moment(text).astimezone(UTC)


def _shown(slot: busy.Slot) -> Json:
    event = slot.event
    texts = {
        name: str(event.get(name.upper(), "")) if event else ""
        for name in ("uid", "summary", "description", "location")
    }
    return {**texts, "start": slot.start.isoformat(), "end": slot.end.isoformat()}
