"""A folder with odd names, modes and times, a link, and a file twice; and the calls that change it."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

from aicp.toolkits.model import Call
from aicp.toolkits.providers.base import Connection
from toolkits.worlds import Outside, World

LETTER = "Dear Zoë,\r\nyour card 4111 1111 1111 1111 was lost.\r\nDear Zoë\n".encode()
WRITES = (
    Call("files.write", {"path": "notes/new ünïcode.txt", "text": "first\r\nline\n"}, "f1"),
    Call("files.write", {"path": "letter.txt", "base64": b64encode(bytes(range(256))).decode()}, "f2"),
    Call("files.folder", {"path": "archive"}, "f3"),
    Call("files.move", {"path": "notes/old\nname", "to": "archive/old name"}, "f4"),
    Call("files.archive", {"to": "archive/notes.zip", "paths": ["notes", "twin-b"]}, "f5"),
    Call("files.delete", {"path": "twin-b"}, "f6"),
    Call("files.redact", {"path": "statement.txt", "strings": ["Zoë", "4111 1111 1111 1111"]}, "f7"),
    Call("files.mode", {"path": "twin-a", "mode": "0640"}, "f8"),
    Call("files.move", {"path": "notes", "to": "archive/notes"}, "f9"),
)  # fmt: skip
READS = (
    Call("files.list", {"path": "", "recursive": True}),
    Call("files.read", {"path": "letter.txt", "length": 10}),
    Call("files.stat", {"path": "notes"}),
    Call("files.duplicates", {}),
)
TIMES = {"letter.txt": 1_111_111_111_111_111_111, "twin-a": 1_700_000_000_000_000_001}


def make(root: Path) -> None:
    (root / "notes" / "deep").mkdir(parents=True)
    for name, data in {
        "letter.txt": LETTER,
        "statement.txt": LETTER,
        "twin-a": b"same\0bytes",
        "twin-b": b"same\0bytes",
        "empty": b"",
        "notes/old\nname": b"x",
        "notes/deep/a": b"a" * 70_000,
    }.items():
        (root / name).write_bytes(data)
    (root / os.fsdecode(b"no\xfftext")).write_bytes(b"?")
    (root / "link").symlink_to("letter.txt")
    (root / "twin-b").chmod(0o604)
    for name, moment in TIMES.items():
        os.utime(root / name, ns=(moment, moment))


def world(kind: str, folder: Path, _outside: Outside) -> World:
    root = folder.resolve() / "files"
    make(root)

    def meddle(call: Call) -> None:
        path = root / call.args.get("to", call.args.get("path"))
        if path.is_dir():
            (path / f"theirs {call.key}").write_bytes(b"theirs")
        else:
            path.write_bytes(b"theirs")

    connection = Connection("files", "files", {"path": str(root)}, folder / "work")
    return World(kind, connection, WRITES, READS, meddle)
