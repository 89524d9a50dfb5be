"""Ready plans over the sandbox: a table row, a mail and an event, as somebody would write them."""

from __future__ import annotations

import csv
from typing import Any

from flight import Flight

Json = dict[str, Any]


def rows(flight: Flight) -> list[dict[str, str]]:
    with (flight.sandbox / "accounts.csv").open(encoding="utf-8-sig", newline="") as table:
        return list(csv.DictReader(table))


def key_of(row: dict[str, str]) -> str:
    return next(iter(row.values()))


def mail_account(flight: Flight) -> str:
    return f"smtp 127.0.0.1:{flight.smtp.port}"


def update(flight: Flight, row: int = 0, note: str = "called") -> Json:
    key = key_of(rows(flight)[row])
    args = {"key": key, "set": {"notes": note}}
    return {"tool": "table.update", "account": "accounts.csv", "args": args}


def draft(flight: Flight, to: str = "Kim <kim@acme.example>") -> Json:
    letter = {"to": to, "subject": "Hello", "body": "Shall we talk?"}
    return {
        "tool": "mail.draft",
        "account": mail_account(flight),
        "args": letter,
        "zone": "Europe/Berlin",
    }


def hold(flight: Flight, drafted: int, to: str = "Kim <kim@acme.example>") -> Json:
    return {
        "tool": "mail.schedule", "account": mail_account(flight), "zone": "Europe/Berlin",
        "args": {"to": to, "not_before": "2026-11-24T10:00:00+01:00"},
        "refs": {"draft": {"step": drafted, "path": "draft", "domain": {"type": "string", "minLength": 24, "maxLength": 24}}},
    }  # fmt: skip


def event(summary: str = "Call Kim") -> Json:
    times = {"start": "2026-11-26T10:00:00+01:00", "end": "2026-11-26T10:30:00+01:00"}
    return {
        "tool": "calendar.add",
        "account": "calendar.ics",
        "args": {**times, "summary": summary},
    }


WINDOW = {
    "kind": "window", "text": "Tue to Thu, 9 to 17 at their place",
    "params": {"weekdays": [2, 3, 4], "from": "09:00", "until": "17:00", "zone": "recipient"},
}  # fmt: skip


def a_plan(flight: Flight, *steps: Json, **given: Any) -> Json:
    """Four calls on three accounts unless others are given."""
    usual = (update(flight), draft(flight), hold(flight, 2), event())
    plan = {"title": "Write to Kim", "steps": list(steps or usual), "safeguards": [WINDOW],
            "reason": "Kim asked for it."}  # fmt: skip
    return plan | given
