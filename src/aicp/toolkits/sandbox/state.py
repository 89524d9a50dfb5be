"""One hash over everything in a sandbox that a mission can touch."""

from __future__ import annotations

from pathlib import Path

from aicp.kernel.canonical import digest, sha256

PARTS = ("accounts.csv", "calendar.ics", "mail", "inbox")


def state_hash(root: Path) -> str:
    """SHA-256 over the names and bytes of the table, the calendar, all mails and the inbox."""
    return digest(
        {
            str(path.relative_to(root)): sha256(path.read_bytes())
            for part in PARTS
            for path in _files(root / part)
        }
    )


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
