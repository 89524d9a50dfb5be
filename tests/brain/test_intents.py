"""Intents over three tables: what each is read as, and what is asked instead of guessed."""

from __future__ import annotations

import pytest

from aicp.brain.intake import understand
from brain.tables import CLUB, CRM, INVOICES, NOW

# (table, intent, where, exclude)
ROWS = [
    (CRM, "Win back manufacturing accounts", ["industry eq Manufacturing"], []),
    (CRM, "Win back accounts in Germany or Austria", ["country in ['Germany', 'Austria']"], []),
    (CRM, "Win back accounts not in Germany", [], ["country eq Germany"]),
    (CRM, "Win back all accounts except Germany, Austria and France", [], ["country in ['Germany', 'Austria', 'France']"]),
    (CRM, "Win back accounts owned by Dana", ["owner eq Dana Fox"], []),
    (CRM, "Win back accounts with ARR at least 10,000", ["arr_usd ge 10000"], []),
    (CRM, "Win back accounts with arr between 10k and 50k", ["arr_usd between [10000, 50000]"], []),
    (CRM, "Win back firms with less than 3 employees", ["employees lt 3"], []),
    (CRM, "Win back firms with 10-50 employees", ["employees between [10, 50]"], []),
    (CRM, "Win back firms with 200+ employees", ["employees ge 200"], []),
    (CRM, "Win back accounts above $1.5 million", ["arr_usd gt 1500000"], []),
    (CRM, "Win back accounts with no activity for 90 days", ["last_activity le 2026-08-25"], []),
    (CRM, "Win back accounts quiet since March", ["last_activity lt 2026-03-01"], []),
    (CRM, "Win back accounts that went quiet in May 2025", ["last_activity between ['2025-05-01', '2025-05-31']"], []),
    (CRM, "Win back accounts not contacted in the last 30 days", [], ["last_activity ge 2026-10-24"]),
    (CRM, "Win back accounts last active before 2026-02-01", ["last_activity lt 2026-02-01"], []),
    (CRM, "Win back accounts without a phone number", ["phone empty None"], []),
    (CRM, "Win back retail accounts, but skip the do not contact list", ["industry eq Retail"], ["do_not_contact eq True"]),
    (CRM, "Win back health care accounts; skip kim@acme.example", ["industry eq Health Care"], ["contact_email eq kim@acme.example"]),
    (CRM, "Win back non-manufacturing accounts", [], ["industry eq Manufacturing"]),
    (CRM, "Normalise the phone numbers of accounts in France", ["country eq France"], []),
    (CRM, "Reassign Dana's logistics accounts to Kim", ["industry eq Logistics", "owner eq Dana Fox"], []),
    (INVOICES, "Remind customers with unpaid invoices", ["paid eq False"], []),
    (INVOICES, "Send a reminder for invoices overdue by more than 14 days", ["due_date le 2026-11-09"], []),
    (INVOICES, "Send polite reminders for open invoices due before 2026-11-01", ["due_date lt 2026-11-01", "status eq Open"], []),
    (INVOICES, "Remind everyone whose invoice is not disputed", [], ["status eq Disputed"]),
    (INVOICES, "Remind customers over €1.200,50", ["amount_eur gt 1200.5"], []),
    (INVOICES, "Remind customers with fewer than 3 reminders", ["reminders lt 3"], []),
    (INVOICES, "Remind customers about invoices issued in Q1", ["issued_on between ['2026-01-01', '2026-03-31']"], []),
    (INVOICES, "Remind written off and disputed invoices", ["status in ['Written off', 'Disputed']"], []),
    (CLUB, "Write to all members of the chess team", ["team eq Chess"], []),
    (CLUB, "Write to members who joined before 2020-01-01", ["joined lt 2020-01-01"], []),
    (CLUB, "Write to junior or senior members", ["level in ['Junior', 'Senior']"], []),
    (CLUB, "Mail members of the table tennis team with age over 40", ["age gt 40", "team eq Table Tennis"], []),
    (CLUB, "Write to members without a mobile", ["mobile empty None"], []),
    (CLUB, "Write to inactive members", ["active eq False"], []),
    (CLUB, "Normalise the mobile numbers of rowing members", ["team eq Rowing"], []),
]  # fmt: skip


def said(conditions):
    return sorted(f"{c.column} {c.op} {c.value}" for c in conditions)


@pytest.mark.parametrize(("table", "intent", "where", "exclude"), ROWS, ids=[r[1] for r in ROWS])
def test_the_rows_are_read_from_the_words(table, intent, where, exclude):
    brief = understand(intent, [table], now=NOW)
    assert [q.text for q in brief.questions] == []
    assert brief.audience is not None
    assert said(brief.audience.where) == sorted(where)
    assert said(brief.audience.exclude) == sorted(exclude)


ORDERS = [
    (CRM, "Win back the 10 largest accounts", "arr_usd", True, 10),
    (CRM, "Win back the top 5 accounts by employees", "employees", True, 5),
    (CRM, "Win back 15 accounts with the lowest ARR", "arr_usd", False, 15),
    (CLUB, "Write to the 3 oldest members by joined", "joined", False, 3),
    (INVOICES, "Remind 8 customers", "", True, 8),
]


@pytest.mark.parametrize(("table", "intent", "column", "descending", "limit"), ORDERS)
def test_order_and_limit_are_read(table, intent, column, descending, limit):
    brief = understand(intent, [table], now=NOW)
    a = brief.audience
    assert a is not None
    assert (brief.questions, a.order_by, a.descending, a.limit) == ((), column, descending, limit)


WINDOWS = [
    ("send only Tue–Thu 9–17 recipient time", [2, 3, 4], "09:00", "17:00", "recipient"),
    ("weekdays before noon Berlin time", [1, 2, 3, 4, 5], "00:00", "12:00", "Europe/Berlin"),
    ("send on Monday and Wednesday 9:30-11:00 UTC", [1, 3], "09:30", "11:00", "UTC"),
    ("only on Fridays 2–5 pm New York time", [5], "14:00", "17:00", "America/New_York"),
    (
        "never on weekends, 8am to 6pm Europe/Vienna",
        [1, 2, 3, 4, 5],
        "08:00",
        "18:00",
        "Europe/Vienna",
    ),
    ("during business hours, local time", [1, 2, 3, 4, 5], "09:00", "17:00", "recipient"),
]


@pytest.mark.parametrize(("words", "days", "start", "until", "zone"), WINDOWS)
def test_send_windows_are_read(words, days, start, until, zone):
    brief = understand(f"Win back retail accounts, {words}", [CRM], now=NOW)
    window = next(s.params for s in brief.safeguards if s.kind == "window")
    assert brief.questions == ()
    assert (window["weekdays"], window["from"], window["until"], window["zone"]) == (
        days,
        start,
        until,
        zone,
    )


GUARDS = [
    ("at most 10 mails", "budget", {"max_recipients": 10}),
    ("max 5 per hour", "rate", {"toolkit": "mail", "per_minute": 1, "count": 5, "seconds": 3600}),
    ("no more than 100 calls", "budget", {"max_calls": 100}),
    (
        "no more than 60 calls per minute",
        "rate",
        {"toolkit": "table", "per_minute": 60, "count": 60, "seconds": 60},
    ),
]


@pytest.mark.parametrize(("words", "kind", "params"), GUARDS)
def test_caps_are_read(words, kind, params):
    brief = understand(f"Win back retail accounts, {words}", [CRM], now=NOW)
    assert brief.questions == ()
    assert next(s.params for s in brief.safeguards if s.kind == kind) == params


def test_tone_measure_and_deadline_are_read():
    words = "Win back retail accounts by Friday, friendly and without jargon or emojis, reply rate ≥ 3 %"
    brief = understand(words, [CRM], now=NOW)
    tone = next(s.params for s in brief.safeguards if s.kind == "tone")
    assert brief.questions == ()
    assert tone["want"] == ["friendly"]
    assert {"synergy", "🚀"} <= set(tone["forbid"])
    assert brief.chips_of("kpi")[0].data == {
        "metric": "reply rate",
        "op": "ge",
        "value": 3,
        "unit": "percent",
    }
    assert brief.chips_of("timeline")[0].data == {"due": "2026-11-27"}


ASKED = [
    (CRM, "Win back retail accounts and delete the others", "delete"),
    (CRM, "Win back retail accounts, not the weird ones", "not"),
    (CRM, "Win back retail accounts 77", "77"),
    (CRM, "Win back dormant accounts", "dormant"),
    (CRM, "Win back retail accounts, only Tue, never Tuesday", "only Tue, never Tuesday"),
    (CRM, "Win back our top 20 accounts, top 5", "top 20 accounts, top 5"),
    (CRM, "Win back accounts with arr over 50k and arr under 10k", "arr over 50k and arr under 10k"),
    (CRM, "Win back retail accounts with no activity since 1/6/2026", "1/6/2026"),
    (CRM, "Win back retail accounts without mentioning Borealis", "without"),
    (INVOICES, "Remind customers from 2026", "from 2026"),
    (INVOICES, "Remind customers, at most 7 llamas", "7"),
    (CRM, "Win back manufacturing accounts or accounts in Germany", "or"),
    (CRM, "Reassign retail accounts", "Reassign"),
    (CRM, "Win back retail accounts, escalate surprises to #ops", "escalate"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "intent", "about"), ASKED, ids=[a[1] for a in ASKED])
def test_what_could_turn_the_mission_is_asked_not_guessed(table, intent, about):
    brief = understand(intent, [table], now=NOW)
    assert any(q.span and about in q.span.text for q in brief.questions), brief.questions


def test_words_that_change_nothing_are_listed_only():
    brief = understand("Win back purple retail accounts", [CRM], now=NOW)
    assert (brief.questions, [s.text for s in brief.not_understood]) == ((), ["purple"])


def test_two_owners_of_one_name_are_a_question():
    from dataclasses import replace

    owner = next(c for c in CRM.columns if c.name == "owner")
    twins = replace(owner, values=("Dana Fox", "Dana Reyes"))
    table = replace(CRM, columns=tuple(twins if c is owner else c for c in CRM.columns))
    brief = understand("Win back accounts owned by Dana", [table], now=NOW)
    assert brief.questions[0].options == ("owner is Dana Fox", "owner is Dana Reyes")


def test_the_table_is_chosen_by_the_words():
    resources = [CRM, INVOICES, CLUB]
    assert (
        understand("Write to the chess team", resources, now=NOW).audience.account
        == "members.sqlite"
    )
    assert (
        understand("Remind unpaid invoices", resources, now=NOW).audience.account == "invoices.csv"
    )


def test_without_a_table_nothing_is_assumed():
    brief = understand("Win back accounts in Germany", [], now=NOW)
    assert brief.audience is None
    assert "No table" in brief.questions[0].text
