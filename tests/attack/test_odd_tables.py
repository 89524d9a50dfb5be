"""Odd cells in a table: each row is used or left out with a reason; none spoils the others."""

from __future__ import annotations

import csv
import io

from flight import Flight

ODD = [
    '"Eve, X" <eve@evil.test>, bob@b.example',
    "a@b.example;eve@evil.test",
    "ünïcode@bücher.example",
    "c@d.example\r\nBcc: eve@evil.test",
]


def table_of(emails: list[str]) -> str:
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["id", "company", "email", "industry", "timezone"])
    for number, email in enumerate(emails, 1):
        industry = "Retail" if email in ODD or number <= 2 else "Software"
        rows.writerow([number, f"Firm {number}", email, industry, "Europe/Berlin"])
    return out.getvalue()


def test_addresses_no_mail_can_go_to_are_left_out_and_the_rest_is_planned(flight: Flight):
    path = flight.sandbox / "mine.csv"
    path.write_text(
        table_of([f"p{i}@ok{i}.example" for i in range(300)] + ODD), encoding="utf-8", newline=""
    )
    mission = flight.to_approve("Email all retail accounts", data=(str(path),))
    steps = flight.doc(mission)["approval"]["steps"]
    to = {s["args"]["to"] for s in steps if s["tool"].startswith("mail.draft")}
    assert to == {"p0@ok0.example", "p1@ok1.example"}
    assert "4 row" in " ".join(flight.doc(mission)["approval"]["notes"])
