"""The sandbox: the same for the same day, and full of what missions are about."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from aicp.errors import BadInput
from aicp.toolkits.model import Call
from aicp.toolkits.providers import open_provider
from aicp.toolkits.providers.base import Connection, Provider
from aicp.toolkits.sandbox import create, state_hash
from aicp.toolkits.sandbox.accounts import INJECTION, last_second_quarter

DAYS = [
    date(2026, 11, 23),
    date(2026, 7, 1),
    date(2026, 6, 30),
    date(2027, 1, 1),
    date(2028, 2, 29),
]


def opened(root: Path, today: date) -> dict[str, Provider]:
    made = create(root, today=today, smtp_port=2525)
    return {
        kind: open_provider(Connection(kind, one["account"], one["config"], root.parent / "work"))
        for kind, one in made["connections"].items()
    }


@pytest.mark.parametrize("today", DAYS)
def test_the_quarter_has_forty_quiet_makers_four_of_them_not_to_be_contacted(
    today: date, tmp_path: Path
) -> None:
    table = opened(tmp_path / "box", today)["table"]
    begin, end = last_second_quarter(today)
    where = [
        {"column": "industry", "op": "eq", "value": "manufacturing"},
        {"column": "arr", "op": "gt", "value": 50_000},
        {"column": "last_activity", "op": "between", "value": [begin.isoformat(), end.isoformat()]},
    ]
    flagged = [{"column": "do_not_contact", "op": "eq", "value": True}]
    found = table.read(Call("table.select", {"where": where, "exclude": flagged}))
    assert (found["matched"], found["excluded"], found["unreadable"]) == (40, 4, 0)
    newest = max(
        row["values"]["last_activity"] for row in table.read(Call("table.select", {}))["rows"]
    )
    assert end < today or today.month < 7
    assert newest <= max(today, end + timedelta(days=1)).isoformat()


def test_the_columns_are_what_they_seem_and_every_domain_is_reserved(tmp_path: Path) -> None:
    table = opened(tmp_path / "box", DAYS[0])["table"]
    kinds = {column.name: column.kind for column in table.describe().columns}
    assert kinds == {
        "id": "id", "name": "text", "industry": "enum", "owner": "enum", "owner_email": "email",
        "contact": "enum", "email": "email", "phone": "phone", "country": "enum",
        "timezone": "timezone", "arr": "money", "last_activity": "date", "do_not_contact": "bool",
        "notes": "text",
    }  # fmt: skip
    text = (tmp_path / "box" / "accounts.csv").read_text()
    assert set(re.findall(r"@[\w.]+\.(\w+)", text)) == {"example", "test"}
    assert text.count(INJECTION) == 1
    assert len(table.read(Call("table.duplicates", {"columns": ["email"]}))["groups"]) == 3


def test_the_same_day_makes_the_same_sandbox_and_every_part_counts(tmp_path: Path) -> None:
    root = tmp_path / "box"
    made = create(root, today=DAYS[0], smtp_port=2525)
    first = state_hash(root)
    seen = {first}
    for path in (
        root / "accounts.csv",
        root / "calendar.ics",
        root / "mail/drafts/x.eml",
        root / "inbox/new/x",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as out:
            out.write(b"x")
        seen.add(state_hash(root))
    assert len(seen) == 5
    assert create(root, today=DAYS[0], smtp_port=2525) == made
    assert state_hash(root) == first


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "accounts.csv").write_text("mine")
    with pytest.raises(BadInput, match="not a sandbox"):
        create(tmp_path, today=DAYS[0], smtp_port=2525)
    assert (tmp_path / "accounts.csv").read_text() == "mine"


def test_the_calendar_has_two_events(tmp_path: Path) -> None:
    assert opened(tmp_path / "box", DAYS[0])["calendar"].describe().rows == 2
