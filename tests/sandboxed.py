"""Missions with a ready plan on Composio's sandbox: their steps, and people who sign in."""

from __future__ import annotations

from typing import Any

from aicp.missions import consent, define, offer
from aicp.missions.define import NewMission
from aicp.missions.sources import Sources
from aicp.toolkits.sandbox.composio.kit import VERSION
from flight import Flight
from toolkits.world_composio import press

KITS = ("gmail", "hubspot", "slack")
DRAFT = {
    "tool": "gmail.create_email_draft", "account": "gmail",
    "args": {"recipient_email": "ana.silva@acme.example", "subject": "Renewal", "body": "Dear Ana"},
}  # fmt: skip
LABEL = {
    "tool": "gmail.add_label_to_email", "account": "gmail",
    "args": {"message_id": "m-1", "add_label_ids": ["Label_1"]},
}  # fmt: skip
CONTACT = {
    "tool": "hubspot.update_contact", "account": "hubspot",
    "args": {"contactId": "101", "properties": {"phone": "+1 312 555 0147", "lifecyclestage": "opportunity"}},
}  # fmt: skip
POST = {
    "tool": "slack.send_message", "account": "slack",
    "args": {"channel": "C0SALES", "text": "Ana's draft is ready."},
}  # fmt: skip
READ = {
    "tool": "gmail.fetch_message_by_message_id", "account": "gmail", "args": {"message_id": "m-1"},
}  # fmt: skip
FOUR = (DRAFT, LABEL, CONTACT, POST)


def begin(
    desk: Flight, *steps: dict[str, Any], safeguards: list[dict[str, Any]] | None = None
) -> str:
    """A mission with a ready plan, both acknowledgements given."""
    given = steps or FOUR
    plan = {
        "title": "Renew Acme",
        "steps": list(given),
        "safeguards": safeguards or [],
        "reason": "May is near.",
    }
    accounts = [kit for kit in KITS if any(step["account"] == kit for step in given)]
    sources = Sources(connect=tuple(f"composio:{kit}@{VERSION}" for kit in accounts))
    actor = desk.people["riley"]
    with desk.app.transaction(actor) as conn:
        new = NewMission("", sources, plan=offer.read(plan))
        mission = define.create(conn, actor, desk.app.services, new)
    desk.work()
    desk.ack(mission, "riley")
    desk.ack(mission, "gabriela")
    desk.work()
    return mission


def account(desk: Flight, mission: str, kit: str) -> dict[str, Any]:
    return next(c for c in desk.doc(mission)["connections"] if c["account"] == kit)


def sign_in(
    desk: Flight, mission: str, kit: str, decision: str = "approve", *scopes: str
) -> dict[str, Any]:
    """Consent as the owner, follow the link and press; returns the connection."""
    desk.call(consent.give, mission, kit, scopes=sorted(account(desk, mission, kit)["wanted"]))
    desk.work()
    link = account(desk, mission, kit)["link"]
    assert press(link["url"], decision, *scopes).is_success
    desk.clock.advance(seconds=3)
    desk.work()
    return account(desk, mission, kit)


def sign_in_everywhere(desk: Flight, mission: str) -> None:
    for row in desk.doc(mission)["connections"]:
        sign_in(desk, mission, row["account"])
