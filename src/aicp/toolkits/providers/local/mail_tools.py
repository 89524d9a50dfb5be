"""The declarations of the mail tools."""

from __future__ import annotations

from aicp.toolkits.model import Json, ToolSpec, UndoTier
from aicp.toolkits.providers.local.checked import schema_of

_ADDRESS: Json = {"type": "string", "minLength": 3, "maxLength": 400}
_TO: Json = {
    "anyOf": [_ADDRESS, {"type": "array", "items": _ADDRESS, "minItems": 1, "maxItems": 50}]
}
_SUBJECT: Json = {"type": "string", "minLength": 1, "maxLength": 900}
_BODY: Json = {"type": "string", "maxLength": 1_000_000}
_TIME: Json = {"type": "string", "description": "ISO 8601 with offset"}

FOLDERS = ToolSpec(
    "mail.folders",
    "Count the mails",
    "How many mails are drafted, held and sent.",
    schema_of(),
    mutates=False,
    undo_tier=UndoTier.T0,
    scope="mail:read",
)
DRAFT = ToolSpec(
    "mail.draft",
    "Draft a mail",
    "Write a mail into the drafts; nothing leaves.",
    schema_of(("to", "subject", "body"), to=_TO, subject=_SUBJECT, body=_BODY),
    mutates=True,
    undo_tier=UndoTier.T1,
    scope="mail:draft",
    undo="the draft is discarded, unless somebody edited it",
)
SCHEDULE = ToolSpec(
    "mail.schedule",
    "Hold a draft until its time",
    "Copy a draft to the held mails. It leaves when it is released, not before its time.",
    schema_of(
        ("draft", "to", "not_before"),
        draft={"type": "string", "pattern": "^[0-9a-f]{24}$"},
        to=_TO,
        not_before=_TIME,
    ),
    mutates=True,
    undo_tier=UndoTier.T3,
    scope="mail:send",
    undo="the held mail is taken out; once it has left it cannot be taken back",
)
SEND = ToolSpec(
    "mail.send",
    "Send a mail now",
    "Hand a mail to the SMTP server at once.",
    schema_of(("to", "subject", "body"), to=_TO, subject=_SUBJECT, body=_BODY, date=_TIME),
    mutates=True,
    undo_tier=UndoTier.T5,
    scope="mail:send",
    undo="a mail that has left cannot be taken back",
)
