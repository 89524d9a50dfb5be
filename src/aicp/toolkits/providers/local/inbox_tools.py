"""The declarations of the inbox tools."""

from __future__ import annotations

from aicp.toolkits.model import Json, ToolSpec, UndoTier
from aicp.toolkits.providers.local.checked import schema_of

# the labels that a Maildir keeps, by the letter in a mail's name
LABELS = {"answered": "R", "flagged": "F", "forwarded": "P", "trashed": "T"}
SEEN, DRAFT_FLAG = "S", "D"
DRAFTS = "Drafts"

_ID: Json = {"type": "string", "pattern": r"^[^/:\x00-\x1f.][^/:\x00-\x1f]{0,200}$(?!\n)"}
# no slash, and no leading or double dot: a folder is never a path
_FOLDER: Json = {
    "type": "string",
    "pattern": r"^[^./\x00-\x1f\x7f]+(\.[^./\x00-\x1f\x7f]+){0,8}$(?!\n)",
    "maxLength": 120,
}
_LABELS: Json = {
    "type": "array",
    "items": {"enum": sorted(LABELS)},
    "uniqueItems": True,
    "maxItems": len(LABELS),
}
_ADDRESS: Json = {"type": "string", "minLength": 3, "maxLength": 400}


def _reads(name: str, title: str, description: str, schema: Json) -> ToolSpec:
    return ToolSpec(
        f"inbox.{name}", title, description, schema, mutates=False, undo_tier=UndoTier.T0,
        scope="inbox:read", sensitive=_sensitive(schema), untrusted=True,
    )  # fmt: skip


def _writes(
    name: str, title: str, description: str, schema: Json, scope: str, undo: str
) -> ToolSpec:
    return ToolSpec(
        f"inbox.{name}", title, description, schema, mutates=True, undo_tier=UndoTier.T1,
        scope=scope, undo=undo, sensitive=_sensitive(schema),
    )  # fmt: skip


def _sensitive(schema: Json) -> tuple[str, ...]:
    return tuple(name for name in ("to", "folder") if name in schema["properties"])


_BACK = "the mail's file gets its name and place back, unless somebody changed it since"

LIST = _reads(
    "list", "List mails", "The newest mails of a folder: who, what about, when, and their labels.",
    schema_of(
        folder=_FOLDER, unseen={"type": "boolean"}, limit={"type": "integer", "minimum": 1, "maximum": 200}
    ),
)  # fmt: skip
READ = _reads(
    "read", "Read a mail", "Headers, text and the names of what is attached; it stays unseen.",
    schema_of(("id",), id=_ID),
)  # fmt: skip
MARK = _writes(
    "seen", "Mark a mail as seen", "Or as not seen.",
    schema_of(("id",), id=_ID, seen={"type": "boolean"}), "inbox:triage", _BACK,
)  # fmt: skip
LABEL = _writes(
    "label", "Label a mail", f"Add or remove labels: {', '.join(sorted(LABELS))}.",
    schema_of(("id",), id=_ID, add=_LABELS, remove=_LABELS), "inbox:triage", _BACK,
)  # fmt: skip
MOVE = _writes(
    "move", "Move a mail", "To a folder, which is created if it is not there.",
    schema_of(("id", "folder"), id=_ID, folder=_FOLDER), "inbox:triage",
    f"{_BACK}; a folder made for it goes again when it is empty",
)  # fmt: skip
DRAFT = _writes(
    "draft", "Draft an answer", f"Write an answer into {DRAFTS}; nothing leaves.",
    schema_of(
        ("id", "to", "body"), id=_ID,
        to={"type": "array", "items": _ADDRESS, "minItems": 1, "maxItems": 50},
        body={"type": "string", "maxLength": 1_000_000},
        subject={"type": "string", "minLength": 1, "maxLength": 900},
    ),
    "inbox:draft", "the draft is discarded, unless somebody edited it",
)  # fmt: skip
TOOLS = (LIST, READ, MARK, LABEL, MOVE, DRAFT)
