"""A small Maildir with mails in every state, and the triage of it."""

from __future__ import annotations

from pathlib import Path

from aicp.toolkits.model import Call
from aicp.toolkits.providers.base import Connection
from toolkits.worlds import World

MAIL = (
    "From: Kim Vo <kim@acme.example>\r\nTo: us@ourside.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    "Message-ID: <{name}@acme.example>\r\nDate: Wed, 01 Jul 2026 09:00:00 +0200\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\nHello {name}\r\n"
)
# what lies where: new, seen, with flags out of order, with the info of another standard
LAID = {
    "new/1.a.host": "one",
    "cur/2.b.host:2,S": "two",
    "cur/3.c.host:2,SF": "three",
    "cur/4.d.host:1,x": "four",
    ".Old/cur/5.e.host:2,": "five",
}


def lay(root: Path, mails: dict[str, str] = LAID) -> Path:
    for name in (root, root / ".Old"):
        for box in ("cur", "new", "tmp"):
            (name / box).mkdir(parents=True, exist_ok=True)
    for place, name in mails.items():
        (root / place).write_bytes(MAIL.format(name=name).encode())
    return root


def inbox_world(kind: str, folder: Path) -> World:
    root = lay(folder / "mails")

    def meddle(call: Call) -> None:
        """Their mail client flags or edits what the call just touched."""
        touched = [
            path for path in root.rglob("*.host*") if path.name.split(":")[0] == call.args["id"]
        ]
        if call.tool == "inbox.draft":
            draft = next((root / ".Drafts/cur").iterdir())
            draft.write_bytes(draft.read_bytes() + b"theirs\r\n")
        elif touched:
            base, _, flags = touched[0].name.partition(":2,")
            touched[0].rename(touched[0].with_name(f"{base}:2,{flags}a"))

    writes = (
        Call("inbox.seen", {"id": "1.a.host"}, "i1"),
        Call("inbox.label", {"id": "3.c.host", "add": ["answered"], "remove": ["flagged"]}, "i2"),
        Call("inbox.move", {"id": "2.b.host", "folder": "Billing"}, "i3"),
        Call("inbox.label", {"id": "4.d.host", "add": ["flagged"]}, "i4"),
        Call("inbox.move", {"id": "5.e.host", "folder": "INBOX"}, "i5"),
        Call("inbox.draft", {"id": "1.a.host", "to": ["kim@acme.example"], "body": "Grüße"}, "i6"),
    )
    reads = (Call("inbox.list", {"limit": 3}), Call("inbox.read", {"id": "3.c.host"}))
    return World(kind, Connection("inbox", "mails", {"path": str(root)}, folder / "work"), writes, reads, meddle)  # fmt: skip
