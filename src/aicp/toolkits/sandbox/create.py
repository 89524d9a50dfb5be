"""Makes a sandbox folder: everything in it is real, nothing in it belongs to anybody."""

from __future__ import annotations

import mailbox
import shutil
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from aicp.errors import BadInput
from aicp.toolkits.model import Json
from aicp.toolkits.providers.local.ics_file import EMPTY, added, event_bytes, parse
from aicp.toolkits.sandbox.accounts import accounts_csv
from aicp.toolkits.sandbox.state import PARTS

MARK = ".aicp-sandbox"
SENDER = "Riley Chen <riley@ourside.example>"


def create(root: Path, *, today: date, smtp_port: int) -> Json:
    """Make (or make anew) the sandbox in `root`; the same day gives the same table and calendar.

    Returns:
        the paths made, and for each toolkit a connection: {"accounts", "calendar", "mail",
        "inbox", "connections": {"table" | "mail" | "calendar": {"account", "config"}}}.

    Raises:
        BadInput: the folder has something in it and is not a sandbox.
    """
    root = root.resolve()
    _clear(root)
    accounts, calendar, mail, inbox = (root / part for part in PARTS)
    accounts.write_bytes(accounts_csv(today))
    calendar.write_bytes(_calendar(today))
    mail.mkdir()
    mailbox.Maildir(inbox, create=True)
    return {
        "accounts": str(accounts),
        "calendar": str(calendar),
        "mail": str(mail),
        "inbox": str(inbox),
        "connections": _connections(root, f"127.0.0.1:{smtp_port}"),
    }


def _connections(root: Path, smtp: str) -> Json:
    accounts, calendar, mail, inbox = (str(root / part) for part in PARTS)
    post = {
        "folder": mail,
        "smtp": smtp,
        "sender": SENDER,
        "delivered": inbox,
        "hold_seconds": 900,
    }
    return {
        "table": {"account": "accounts.csv", "config": {"path": accounts}},
        "mail": {"account": f"smtp {smtp}", "config": post},
        "calendar": {"account": "calendar.ics", "config": {"path": calendar}},
    }


def _clear(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    mark = root / MARK
    if any(root.iterdir()) and not mark.exists():
        raise BadInput(
            f"{root} is not empty and not a sandbox, so it is left alone",
            hint="name a new folder",
        )
    mark.touch()
    for part in PARTS:
        path = root / part
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _calendar(today: date) -> bytes:
    """Two meetings in the week to come."""
    monday = today + timedelta(days=7 - today.weekday())
    data = EMPTY
    for uid, days, hour, title in (
        ("planning", 1, 8, "Team planning"),
        ("review", 2, 13, "Review"),
    ):
        start = datetime.combine(monday + timedelta(days=days), time(hour), UTC)
        fields = {
            "uid": f"{uid}@ourside.example",
            "dtstamp": start,
            "dtstart": start,
            "dtend": start + timedelta(hours=1),
            "summary": title,
        }
        data = added(parse(data, "calendar.ics"), event_bytes(fields, b"\r\n"))
    return data
