"""Say something on an issue; evidence and timelines are comments."""

from __future__ import annotations

from aicp.issues.errors import BadInput
from aicp.issues.events import event
from aicp.issues.jsontext import dumps
from aicp.issues.stamps import to_text
from aicp.issues.store import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from aicp.issues.snapshot import Snapshot


def comment(
    snapshot: Snapshot,
    issue_id: str,
    text: str,
    *,
    by: str,
    at: int,
    randomness: Callable[[int], bytes],
) -> tuple[dict[str, Any], Change]:
    """The comment {id, issue_id, author, text, created_at} and its write.

    Its id is a random number: older readers take only numbers, and a counter would give the same
    number to two comments made in two clones.
    """
    if not text.strip():
        raise BadInput("the comment is empty", hint='bd comment ID "what happened"')
    record = snapshot.record(issue_id)
    entry = {
        "id": int.from_bytes(randomness(8), "big") >> 11,
        "issue_id": record.id,
        "author": by,
        "text": text,
        "created_at": to_text(at),
    }
    record.set_items("comments", [*record.items("comments"), dumps(entry)])
    record.touch(at)
    return entry, Change([record], [event(at, by, "commented", record.id, {"text": (None, text)})])
