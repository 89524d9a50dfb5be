"""demo --composio: one real mission on mail, contacts and chat, behind Composio's protocol.

The accounts are fictional and live in a sandbox of this machine; everything else is as in real use: the
same server, worker and SDK, a consent before each sign-in, links that a person follows, and grants that
are taken back at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
import httpx

from aicp.cli.demo import PATIENCE, Doc, Printer, Stage, counted, until
from aicp.errors import Conflict, TimedOut

KEY = "aicp-sandbox"  # opens every sandbox and nothing else
KITS = ("gmail", "hubspot", "slack")
PLAN: Doc = {
    "title": "Follow up on the Acme renewal",
    "reason": "Ana wrote that her budget round ends in May, and that she has a new number.",
    "steps": [
        {"tool": "gmail.create_email_draft", "account": "gmail", "subject": "Ana Silva", "args": {
            "recipient_email": "ana.silva@acme.example", "subject": "Your renewal",
            "body": "Dear Ana, shall we talk before your budget round ends? Riley"}},
        {"tool": "gmail.add_label_to_email", "account": "gmail", "subject": "her mail", "args": {
            "message_id": "m-1", "add_label_ids": ["Label_1"]}},
        {"tool": "hubspot.update_contact", "account": "hubspot", "subject": "Ana Silva", "args": {
            "contactId": "101", "properties": {"lifecyclestage": "opportunity", "phone": "+1 312 555 0188"}}},
        {"tool": "slack.send_message", "account": "slack", "subject": "#sales", "args": {
            "channel": "C0SALES", "text": "A draft for Ana at Acme waits in Riley's drafts."}},
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What the sandbox held: a hash of its records, and its connected accounts."""

    records: str
    accounts: dict[str, str]  # toolkit -> state


def fly(stage: Stage, out: Printer) -> str:
    """The mission, from a ready plan to undone, with proof; returns its id."""
    before = _look(stage)
    mission = _give(stage, out)
    asked = until(stage, mission, lambda d: d["readiness"] == "needs_auth")
    unasked = _look(stage)
    granted = _sign_in(stage, mission, asked, out)
    _plan(stage, mission, out)
    _approve(stage, mission, out)
    doc = _execute(stage, mission, out)
    changed = _look(stage)
    doc = _undo(stage, mission, out)
    bundles = stage.owner.post(f"/api/missions/{mission}/evidence/verification")
    out.heading("PROOF")
    _prove(
        out,
        [
            (unasked == before and not before.accounts, "nothing was connected before anybody consented"),
            (all(c["sandbox"] for c in granted), f"{len(granted)} accounts, each of a SANDBOX"),
            (all(c["scopes"]["requested"] == c["scopes"]["granted"] for c in granted)
             and all(set(c["scopes"]["used"]) <= set(c["scopes"]["requested"]) for c in doc["connections"]),
             "scopes granted = requested, and no other used"),
            (all(s["state"] == "done" for s in doc["run"]["steps"]) and changed.records != before.records,
             f"{len(doc['run']['steps'])} approved calls, each made once"),
            (all(s["status"] in ("restored", "already") for s in doc["undo"][0]["steps"]),
             f"{len(doc['undo'][0]['steps'])} steps taken back"),
            ([s["seq"] for s in doc["undo"][0]["steps"] if s["residue"]] == [4],
             "the one that only can be made up for (T4) names what stays"),
            (_look(stage).records == before.records, f"records before = after: {before.records[:16]}…"),
            (set(_look(stage).accounts.values()) <= {"REVOKED"}, "every grant is taken back, there too"),
            (bool(bundles) and not any(b["damage"] for b in bundles), f"{len(bundles)} evidence bundles re-hashed, no byte changed"),
            (not doc["findings"], f"findings: {len(doc['findings'])}"),
        ],
    )  # fmt: skip
    return mission


def _give(stage: Stage, out: Printer) -> str:
    out.line("composio", f"SANDBOX of Composio's protocol at {stage.composio}: fictional accounts")
    connect = [f"composio:{kit}" for kit in KITS]
    made = stage.owner.post("/api/missions", {"intent": "", "plan": PLAN, "connect": connect})
    mission = str(made["id"])
    until(stage, mission, lambda d: d["brief"] is not None)
    out.heading("DEFINE", f"{mission}   a ready plan: “{PLAN['title']}”")
    for who, name in ((stage.owner, "owner"), (stage.delegate, "governance delegate")):
        who.post(f"/api/missions/{mission}/acknowledgements")
        out.line("ack", f"safeguards acknowledged by the {name}")
    return mission


def _sign_in(stage: Stage, mission: str, doc: Doc, out: Printer) -> list[Doc]:
    """Consent to each account's scopes, then follow the links as a person would."""
    out.heading("PREPARE", "three accounts must be signed in to; nothing is asked before a consent")
    for row in doc["connections"]:
        out.always(row["account"], f"SANDBOX · {row['title']} would be allowed to")
        for scope, words in sorted(row["wanted"].items()):
            out.line("", f"{scope:<24} {words}")
        body = {"account": row["account"], "scopes": sorted(row["wanted"])}
        stage.owner.post(f"/api/missions/{mission}/consents", body)
        out.line("consent", "by the owner, to exactly this")
    doc = until(stage, mission, lambda d: all(c["link"] for c in d["connections"]), blocked=True)
    for row in doc["connections"]:
        out.line("link", f"{row['account']}: {row['link']['url']}")
        _press(row["link"]["url"])
        out.line("pressed", "“Approve all”, as the person at the page would")
    doc = until(
        stage, mission, lambda d: all(c["auth"] == "active" for c in d["connections"]), blocked=True
    )
    for row in doc["connections"]:
        scopes = row["scopes"]
        out.line("requested", f"{row['account']}: {', '.join(scopes['requested'])}")
        out.line("granted", f"{row['account']}: {', '.join(scopes['granted'])}")
    return doc["connections"]


def _press(url: str) -> None:
    """Read the page of a link and press its first button.

    Raises:
        Conflict: it is not a page of the sandbox.
    """
    page = httpx.get(url, trust_env=False)
    if "SANDBOX" not in page.text or 'value="approve"' not in page.text:
        raise Conflict("the link does not lead to the sandbox's page")
    httpx.post(url, data={"decision": "approve"}, trust_env=False).raise_for_status()


def _plan(stage: Stage, mission: str, out: Printer) -> None:
    doc = until(stage, mission, lambda d: bool(d["plays"]), blocked=True)
    offer = doc["plays"][0]
    rehearsal = offer["rehearsal"]
    out.heading("PLAN", f"the plan as it was given: {len(offer['play']['steps'])} calls")
    out.always(
        "rehearsed",
        f"{rehearsal.get('dry', 0)} of {rehearsal['steps']} steps checked only, not tried:"
        " nobody can copy such an account",
    )
    stage.owner.post(f"/api/missions/{mission}/plan", {"rank": 1})


def _approve(stage: Stage, mission: str, out: Printer) -> None:
    doc = until(stage, mission, lambda d: d["approval"] is not None)
    sheet = doc["approval"]
    out.heading("APPROVE", f"needs the {' and the '.join(sheet['approval']['required'])}")
    for step in sheet["steps"]:
        out.line(
            f"{step['seq']:>3} {step['undo_tier']}",
            f"{step['tool'].split('@')[0]:<27} {step['undo']}",
        )
    out.line("scopes", ", ".join(sheet["scopes"]))
    out.line("undo", counted(sheet["undo"]["tiers"]))
    out.always("digest", sheet["approval"]["digest"])
    for who, name in ((stage.owner, "owner"), (stage.delegate, "governance delegate")):
        body = {"digest": sheet["approval"]["digest"], "rationale": "read in full"}
        answer = who.post(f"/api/missions/{mission}/approval", body)
        out.line("approved", f"by the {name}")
        if answer["complete"]:
            return


def _execute(stage: Stage, mission: str, out: Printer) -> Doc:
    doc = until(stage, mission, lambda d: d["stage"] == "Reflect")
    out.heading("EXECUTE", "every call through the gate, one after the other, read back")
    for step in doc["run"]["steps"]:
        out.line(
            f"{step['seq']:>3} {step['undo_tier']}",
            f"{step['tool']:<27} {step['subject']:<12} {step['ms']:>6} ms",
        )
    for row in doc["connections"]:
        out.line("used", f"{row['account']}: {', '.join(row['scopes']['used'])}")
    return doc


def _undo(stage: Stage, mission: str, out: Printer) -> Doc:
    stage.owner.post(f"/api/missions/{mission}/undo", {"reason": "the demo takes everything back"})
    over = ("undone", "undo_stopped")
    doc = until(
        stage, mission, lambda d: d["run_state"] in over and len(d["bundles"]) > 1, blocked=True
    )
    out.heading("UNDO", f"{len(doc['undo'][0]['steps'])} steps taken back, last first")
    for step in doc["undo"][0]["steps"]:
        stays = f"; stays: {step['residue']}" if step["residue"] else ""
        out.line(f"{step['seq']:>3}", f"{step['status']}{stays}")
    doc = until(
        stage, mission, lambda d: all(c["link"]["status"] == "revoked" for c in d["connections"])
    )
    out.line("grants", f"taken back: {', '.join(c['account'] for c in doc['connections'])}")
    return doc


def _prove(out: Printer, checks: list[tuple[bool, str]]) -> None:
    """Each line is a measurement; one that fails fails the demo."""
    for held, text in checks:
        out.always(
            click.style("holds", fg="green") if held else click.style("FAILS", fg="red"), text
        )
    if not all(held for held, _ in checks):
        raise Conflict("the demo's proof does not hold")


def _look(stage: Stage) -> Seen:
    """Ask the sandbox itself, past the system."""
    from aicp.toolkits.sandbox.composio.store import records_hash

    state = _patiently(lambda: _state(stage.composio))
    accounts = {str(one["toolkit"]): str(one["status"]) for one in state["accounts"].values()}
    return Seen(records_hash(state["data"]), accounts)


def _state(url: str) -> Doc:
    answer = httpx.get(f"{url}/sandbox/state", headers={"x-api-key": KEY}, trust_env=False)
    return answer.raise_for_status().json()


def _patiently(ask: Callable[[], Any]) -> Any:
    """The answer of a server that may still be starting.

    Raises:
        TimedOut: it does not answer.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            return ask()
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimedOut("the sandbox does not answer")
