"""One small real world for each provider, with the calls that change it and those that only read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable
from typing import Any

import psycopg

from aicp.toolkits.model import Call
from aicp.toolkits.providers import open_provider
from aicp.toolkits.providers.base import Connection, Provider
from aicp.toolkits.providers.local.messages import call_id
from toolkits.web_server import Shop

COPYING = (  # rehearse on a copy
    "csv", "sqlite", "postgres", "mail", "calendar", "inbox", "files", "git", "mcp_notes", "mcp_files",
)  # fmt: skip
COMPOSIO = ("gmail", "hubspot", "slack", "linear")
KINDS = (*COPYING, *COMPOSIO)  # undo restores every byte
LEAVING = ("webhook", "bare webhook")  # T4, T5: what happened elsewhere stays
EVERY = (*KINDS, *LEAVING, "check")
TABLES = ("csv", "sqlite", "postgres")
SENDER = "Riley <riley@ourside.example>"

CSV = (
    b"\xef\xbb\xbfid;name;note\r\n"
    b'1;Acme;"two\r\nlines"\r\n'
    b"\r\n"
    b'2;"Bolt ""&"" Co";plain\r\n'
    b"3;Crown;\xc3\xa9t\xc3\xa9"
)
ROWS = [(1, "Acme", "two\r\nlines"), (2, 'Bolt "&" Co', "plain"), (3, "Crown", "été")]
CREATE = "create table {} (id integer primary key, name text not null, note text)"
ICS = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//someone//else//EN\r\n"
    b"BEGIN:VEVENT\r\nUID:one@x.example\r\nDTSTAMP:20260701T080000Z\r\n"
    b"DTSTART:20260701T080000Z\r\nDTEND:20260701T090000Z\r\nSUMMARY:A long sum\r\n mary folded oddly\r\n"
    b"BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\n"
    b"BEGIN:VEVENT\r\nUID:two@x.example\r\nDTSTAMP:20260702T080000Z\r\n"
    b"DTSTART:20260702T080000Z\r\nDTEND:20260702T090000Z\r\nSUMMARY:Two\r\nX-ODD:kept\r\nEND:VEVENT\r\n"
    b"END:VCALENDAR\r\n"
)


@dataclass(frozen=True)
class Outside:
    """The servers of the test session."""

    smtp: str
    inbox: Path
    postgres: str
    shop: Shop
    composio: Any  # world_composio.Box


@dataclass
class World:
    kind: str
    connection: Connection
    writes: tuple[Call, ...]  # each can be made after those before it
    reads: tuple[Call, ...]
    meddle: Callable[[Call], None]  # somebody else changes what the call just touched
    bound: bool = True  # approvals are bound to the whole state; not where it changes all day
    final: tuple[Call, ...] = ()  # what nothing takes back; each can be made after the writes
    state: Callable[[], str] | None = None  # of the other side, where its provider cannot see it

    def truth(self) -> str:
        """What is really there."""
        return self.state() if self.state else self.open().state_hash()

    def open(self) -> Provider:
        """A provider as another process would have it: nothing remembered."""
        return open_provider(self.connection)

    def stranger(self) -> Provider:
        """Somebody else's provider, with a work folder of its own."""
        other = self.connection.work_dir.with_name("stranger")
        return open_provider(replace(self.connection, work_dir=other))


def world(kind: str, folder: Path, outside: Outside) -> World:
    if kind in COMPOSIO:
        from toolkits import world_composio

        return world_composio.world(kind, folder, outside.composio)
    if kind.startswith("mcp_"):
        from toolkits import world_mcp

        return world_mcp.world(kind, folder)
    from toolkits import world_files, world_git
    from toolkits.world_inbox import inbox_world
    from toolkits.world_web import web_world

    if kind in ("webhook", "bare webhook", "check"):
        return web_world(kind, folder, outside.shop)
    if kind == "inbox":
        return inbox_world(kind, folder)
    own = {"mail": _mail, "calendar": _calendar, "files": world_files.world, "git": world_git.world}
    return own.get(kind, _table)(kind, folder, outside)


def _table(kind: str, folder: Path, outside: Outside) -> World:
    config = {"csv": _csv, "sqlite": _sqlite, "postgres": _postgres}[kind](folder, outside)
    made = World(
        kind, Connection("table", kind, config, folder / "work"), _TABLE_WRITES, _TABLE_READS, print
    )

    def meddle(call: Call) -> None:
        key = call.args.get("key") or call.args["values"]["id"]
        if call.tool == "table.delete":
            theirs = Call(
                "table.insert", {"values": {"id": key, "name": "Theirs"}}, f"theirs {key}"
            )
        else:
            theirs = Call("table.update", {"key": key, "set": {"name": "Theirs"}}, f"theirs {key}")
        apply(made.stranger(), theirs)

    made.meddle = meddle
    return made


_TABLE_WRITES = (
    Call("table.update", {"key": "2", "set": {"name": 'a;b"c\nd', "note": None}}, "w1"),
    Call("table.insert", {"values": {"id": "9", "name": "Nova"}}, "w2"),
    Call("table.delete", {"key": "3"}, "w3"),
    Call("table.delete", {"key": "1"}, "w4"),
)
_TABLE_READS = (
    Call("table.select", {"where": [{"column": "name", "op": "contains", "value": "o"}]}),
    Call("table.duplicates", {"columns": ["name"]}),
)


def _csv(folder: Path, outside: Outside) -> dict[str, Any]:
    (folder / "t.csv").write_bytes(CSV)
    return {"path": str(folder / "t.csv")}


def _sqlite(folder: Path, outside: Outside) -> dict[str, Any]:
    base = sqlite3.connect(folder / "t.sqlite")
    base.execute(CREATE.format("t"))
    base.executemany("insert into t values (?, ?, ?)", ROWS)
    base.commit()
    base.close()
    return {"path": str(folder / "t.sqlite"), "table": "t"}


def _postgres(folder: Path, outside: Outside) -> dict[str, Any]:
    with psycopg.connect(outside.postgres, autocommit=True) as base:
        base.execute("drop schema if exists odd cascade; create schema odd")
        base.execute(CREATE.format('odd."T 1"'))
        base.cursor().executemany('insert into odd."T 1" values (%s, %s, %s)', ROWS)
    os.environ["TEST_POSTGRES_URL"] = outside.postgres
    return {"url_setting": "TEST_POSTGRES_URL", "table": "odd.T 1"}


def _mail(kind: str, folder: Path, outside: Outside) -> World:
    config = {
        "folder": str(folder / "mail"),
        "smtp": outside.smtp,
        "sender": SENDER,
        "delivered": str(outside.inbox),
    }
    letter = {"to": "Zoë <zoe@acme.example>", "subject": "Grüße", "body": "Hello\n.\nZoë"}
    draft = Call("mail.draft", letter, f"d-{folder}")
    held = {"draft": call_id(draft), "to": letter["to"], "not_before": "2026-07-01T09:00:00+02:00"}

    def meddle(call: Call) -> None:
        box = "drafts" if call.tool == "mail.draft" else "held"
        for path in (folder / "mail" / box).glob("*.eml"):
            path.write_bytes(path.read_bytes() + b"theirs\r\n")

    return World(
        kind,
        Connection("mail", "post", config, folder / "work"),
        (draft, Call("mail.schedule", held, f"s-{folder}")),
        (Call("mail.folders", {}),),
        meddle,
    )


def _calendar(kind: str, folder: Path, outside: Outside) -> World:
    path = folder / "c.ics"
    path.write_bytes(ICS)
    times = {"start": "2026-07-03T09:00:00+02:00", "end": "2026-07-03T10:00:00+02:00"}
    add = Call("calendar.add", {**times, "summary": "Grüße, " * 20}, "a1")
    days = {"start": "2026-07-01", "end": "2026-07-03"}

    def meddle(call: Call) -> None:
        if call.tool == "calendar.add":
            path.write_bytes(
                path.read_bytes().replace(b"END:VEVENT\r\nEND:VC", b"X-T:1\r\nEND:VEVENT\r\nEND:VC")
            )
        else:
            event = {**times, "summary": "Theirs", "uid": call.args["uid"]}
            apply(open_provider(made.connection), Call("calendar.add", event, "theirs"))

    made = World(
        kind,
        Connection("calendar", "c.ics", {"path": str(path)}, folder / "work"),
        (add, Call("calendar.cancel", {"uid": "one@x.example"}, "a2")),
        (Call("calendar.events", days), Call("calendar.free", {**days, "minutes": 30, "count": 3})),
        meddle,
    )
    return made


def apply(provider: Provider, call: Call) -> tuple[Call, Any, Any]:
    """Make a call as the control plane does; what undo needs."""
    before = provider.before(call)
    outcome = provider.execute(call, before)
    assert provider.verify(call, before, outcome) == ()
    return call, before, outcome


@contextmanager
def smtp_server(maildir: Path) -> Iterator[str]:
    """The sandbox's own server in a process of its own; its host:port."""
    words = [
        executable,
        "-m",
        "aicp.toolkits.sandbox.smtp",
        "--maildir",
        str(maildir),
        "--port",
        "0",
    ]
    with Popen(words, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()
        assert process.wait(10) == 0
