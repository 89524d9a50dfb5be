"""The worlds of Composio's provider, on the sandbox in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable
from typing import Any

import httpx

from aicp.toolkits.model import Call
from aicp.toolkits.providers import Where, named, open_provider
from aicp.toolkits.providers.base import Connection
from aicp.toolkits.providers.composio.provider import ComposioProvider
from aicp.toolkits.sandbox.composio.kit import VERSION
from toolkits.worlds import World

KEY = "aicp-sandbox"


@dataclass(frozen=True)
class Box:
    """A sandbox that is being served."""

    url: str
    folder: Path
    process: Popen[str]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(
            method, f"{self.url}{path}", json=body, headers={"x-api-key": KEY}, trust_env=False
        )
        assert answer.is_success, answer.text
        return answer.json()

    def reset(self) -> None:
        self.control("POST", "/sandbox/reset")

    def knobs(self, *rules: dict[str, Any]) -> None:
        self.control("PUT", "/sandbox/knobs", {"rules": list(rules)})

    def edit(self, value: Any, *path: str) -> None:
        """Somebody else changes a record behind the provider's back; None removes it."""
        self.control("POST", "/sandbox/edit", {"path": list(path), "value": value})

    def data(self, toolkit: str) -> Any:
        return self.control("GET", "/sandbox/state")["data"][toolkit]

    def connection(self, target: str, work: Path, **more: Any) -> Connection:
        """What `--connect composio:TARGET` makes, before anybody signed in."""
        made = named("composio", target, Where(Path, work, {"composio_url": self.url}))
        return Connection(
            made.toolkit, made.account, {**made.config, **more}, work, provider=made.provider
        )

    def signed_in(self, target: str, work: Path, *scopes: str, **more: Any) -> Connection:
        """The same after a person followed the Connect Link and approved; all scopes by default."""
        before = self.connection(target, work, **more)
        provider = composio(before)
        asked = scopes or tuple(provider.scopes_for(tuple(spec.name for spec in provider.tools())))
        link = provider.start_link(asked, metadata={"tenant": "t1", "mission": "m1"})
        press(link.url, "approve")
        return Connection(
            before.toolkit, before.account, {**before.config, "auth_ref": link.ref}, work,
            provider="composio",
        )  # fmt: skip


def composio(connection: Connection) -> ComposioProvider:
    provider = open_provider(connection)
    assert isinstance(provider, ComposioProvider)
    return provider


def press(url: str, decision: str, *scopes: str) -> httpx.Response:
    """What a person does on the page of a Connect Link."""
    form = {"decision": decision, "scope": list(scopes)}
    return httpx.post(url, data=form, trust_env=False)


@contextmanager
def sandbox(folder: Path, port: int = 0) -> Iterator[Box]:
    """The sandbox in a process of its own."""
    words = [executable, "-m", "aicp.toolkits.sandbox.composio.serve"]
    words += ["--dir", str(folder), "--port", str(port)]
    own = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSIO_")}
    with Popen(words, stdout=PIPE, text=True, env=own) as process:
        assert process.stdout is not None
        yield Box(process.stdout.readline().strip(), folder, process)
        process.terminate()
        process.wait(10)


def world(kind: str, folder: Path, box: Box) -> World:
    """The world of one toolkit, its records as they were in the beginning."""
    box.reset()
    made = {"gmail": _gmail, "hubspot": _hubspot, "slack": _slack, "linear": _linear}[kind](box)
    made.connection = box.signed_in(f"{kind}@{VERSION}", folder / "work")
    return made


def _world(
    kind: str, writes: list[Call], final: list[Call], reads: list[Call], meddle: Any
) -> World:
    nowhere = Connection(kind, kind)
    return World(kind, nowhere, tuple(writes), tuple(reads), meddle, False, tuple(final))


LETTER = {
    "recipient_email": "zoe@acme.example",
    "subject": "Grüße",
    "body": "Hello\n.\nZoë",
}


def a_draft(key: str, to: str) -> dict[str, Any]:
    """A draft as Gmail keeps it."""
    headers = [{"name": "To", "value": to}, {"name": "Subject", "value": f"Seeded {key}"}]
    payload = {"mimeType": "text/plain", "headers": headers, "body": {"data": "SGVsbG8="}}
    message = {"id": f"m{key}", "threadId": f"m{key}", "labelIds": ["DRAFT"], "payload": payload}
    return {"id": key, "message": message}


def _gmail(box: Box) -> World:
    for key in ("r-1", "r-2"):
        box.edit(a_draft(key, f"{key}@acme.example"), "gmail", "drafts", key)
    draft = Call("gmail.create_email_draft", LETTER, "g1")
    labels = {"message_id": "m-1", "add_label_ids": ["Label_1"], "remove_label_ids": ["UNREAD"]}

    def meddle(call: Call) -> None:
        if call.tool == "gmail.add_label_to_email":
            box.edit(["INBOX", "UNREAD", "Label_1"], "gmail", "messages", "m-1", "labelIds")
            return
        key = max(box.data("gmail")["drafts"], key=lambda name: int(name[2:]))
        theirs = {"data": "VGhlaXJz"}
        box.edit(theirs, "gmail", "drafts", key, "message", "payload", "body")

    return _world(
        "gmail",
        [draft, Call("gmail.add_label_to_email", labels, "g2")],
        [
            Call("gmail.send_draft", {"draft_id": "r-1"}, "g3"),
            Call("gmail.delete_draft", {"draft_id": "r-2"}, "g4"),
            Call("gmail.send_email", {**LETTER, "subject": "Now"}, "g5"),
        ],
        [
            Call("gmail.fetch_emails", {"query": "acme", "max_results": 5}),
            Call("gmail.fetch_message_by_message_id", {"message_id": "m-1"}),
            Call("gmail.list_labels", {}),
            Call("gmail.list_drafts", {"verbose": True}),
            Call("gmail.get_draft", {"draft_id": "r-1"}),
        ],
        meddle,
    )


def _named(name: str, value: str) -> dict[str, Any]:
    return {"filters": [{"propertyName": name, "operator": "EQ", "value": value}]}


def _hubspot(box: Box) -> World:
    person = {"email": "nova@nova.example", "firstname": "Nova", "phone": "+1 212 555 0101"}
    contact = {"contactId": "101", "properties": {"phone": "+1 212 555 0199", "company": "Acme"}}
    deal = {"dealname": "Nova pilot", "amount": "1200"}
    stage = {"dealId": "201", "properties": {"dealstage": "closedwon", "amount": 53000}}

    def meddle(call: Call) -> None:
        what = "contacts" if "contact" in call.tool else "deals"
        known = box.data("hubspot")[what]
        own = call.args.get("contactId") or call.args.get("dealId")
        field = "phone" if what == "contacts" else "amount"
        key = own or max(known, key=int)
        box.edit("7", "hubspot", what, key, "properties", field)

    return _world(
        "hubspot",
        [
            Call("hubspot.create_contact", person, "h1"),
            Call("hubspot.update_contact", contact, "h2"),
            Call("hubspot.create_deal", deal, "h3"),
            Call("hubspot.update_deal", stage, "h4"),
        ],
        [
            Call("hubspot.archive_contact", {"contactId": "103"}, "h5"),
            Call("hubspot.archive_deals", {"dealId": "202"}, "h6"),
        ],
        [
            Call("hubspot.list_contacts", {"limit": 2}),
            Call("hubspot.read_contact", {"contactId": "101", "properties": ["email"]}),
            Call(
                "hubspot.search_contacts_by_criteria",
                {"filterGroups": [_named("email", "ana.silva@acme.example")]},
            ),
            Call("hubspot.search_deals", {"filterGroups": [_named("dealname", "Acme renewal")]}),
            Call("hubspot.list_deals", {}),
            Call("hubspot.get_deal", {"dealId": "201"}),
        ],
        meddle,
    )


def _slack(box: Box) -> World:
    own = {"type": "message", "ts": "1778000001.000001", "user": "U0RILEY", "text": "Old"}
    box.edit(own, "slack", "messages", "C0SALES", own["ts"])
    post = {"channel": "C0SALES", "text": "The Acme renewal is signed."}

    def meddle(call: Call) -> None:
        newest = max(box.data("slack")["messages"]["C0SALES"])
        box.edit("Theirs", "slack", "messages", "C0SALES", newest, "text")

    return _world(
        "slack",
        [Call("slack.send_message", post, "s1")],
        [
            Call(
                "slack.deletes_a_message_from_a_chat", {"channel": "C0SALES", "ts": own["ts"]}, "s2"
            )
        ],
        [
            Call("slack.list_all_channels", {}),
            Call("slack.fetch_conversation_history", {"channel": "C0GENERAL"}),
        ],
        meddle,
    )


def _linear(box: Box) -> World:
    new = {"team_id": "t-ops", "title": "Call Acme", "description": "Before Friday.", "priority": 2}
    close = {"issueId": "i-1", "stateId": "s-done", "title": "Rotate all keys"}

    def meddle(call: Call) -> None:
        key = call.args.get("issueId") or max(
            box.data("linear")["issues"], key=lambda i: int(i[2:])
        )
        box.edit("Theirs", "linear", "issues", key, "title")

    return _world(
        "linear",
        [
            Call("linear.create_linear_issue", new, "l1"),
            Call("linear.update_issue", close, "l2"),
        ],
        [Call("linear.delete_linear_issue", {"issue_id": "i-2"}, "l3")],
        [
            Call("linear.list_linear_teams", {}),
            Call("linear.list_linear_states", {"team_id": "t-ops"}),
            Call("linear.list_linear_issues", {"first": 1}),
            Call("linear.get_linear_issue", {"issue_id": "i-1"}),
        ],
        meddle,
    )
