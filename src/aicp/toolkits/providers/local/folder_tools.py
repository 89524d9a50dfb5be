"""The declarations of the files tools."""

from __future__ import annotations

from aicp.toolkits.model import Json, ToolSpec, UndoTier
from aicp.toolkits.providers.local.checked import schema_of

MOST_READ = 1 << 20  # bytes one read gives
_PATH: Json = {
    "type": "string",
    "minLength": 1,
    "maxLength": 4000,
    "description": "from the connected folder down, as in notes/today.txt",
}
_FOLDER: Json = {**_PATH, "minLength": 0, "description": "a folder; empty: the connected one"}
_VERSION: Json = {"type": "string", "pattern": "^([0-9a-f]{20}|absent)$"}
_BASE64: Json = {"type": "string", "maxLength": 1_400_000, "pattern": "^[A-Za-z0-9+/]*={0,2}$"}
_COUNT: Json = {"type": "integer", "minimum": 1, "maximum": 10_000}


def _read(name: str, title: str, text: str, schema: Json, *, untrusted: bool = False) -> ToolSpec:
    return ToolSpec(
        f"files.{name}", title, text, schema,
        mutates=False, undo_tier=UndoTier.T0, scope="files:read",
        sensitive=("path",), untrusted=untrusted,
    )  # fmt: skip


def _write(
    name: str, title: str, text: str, schema: Json, undo: str,
    sensitive: tuple[str, ...] = ("path",),
) -> ToolSpec:  # fmt: skip
    return ToolSpec(
        f"files.{name}", title, text, schema,
        mutates=True, undo_tier=UndoTier.T1, scope="files:write", undo=undo, sensitive=sensitive,
    )  # fmt: skip


TOOLS = (
    _read(
        "list",
        "List a folder",
        "What a folder holds, in the order of names; links are shown and never followed.",
        schema_of(
            path=_FOLDER,
            recursive={"type": "boolean"},
            match={"type": "string", "maxLength": 200, "description": "as in *.log"},
            limit=_COUNT,
        ),
    ),
    _read(
        "read",
        "Read a file",
        "A stretch of one file: as text where it is UTF-8, else as base64.",
        schema_of(
            ("path",),
            path=_PATH,
            offset={"type": "integer", "minimum": 0},
            length={"type": "integer", "minimum": 1, "maximum": MOST_READ},
        ),
        untrusted=True,
    ),
    _read(
        "stat",
        "Look at one entry",
        "Kind, size, mode, time, SHA-256 and version of what is at a path.",
        schema_of(("path",), path=_PATH),
    ),
    _read(
        "duplicates",
        "Find files with the same bytes",
        "Groups of files that agree in every byte; further names of one file are not counted.",
        schema_of(path=_FOLDER, min_size={"type": "integer", "minimum": 0}),
    ),
    _write(
        "write",
        "Write a file",
        "Make a file, or replace all of its bytes, by text or by base64.",
        schema_of(
            ("path",),
            path=_PATH,
            text={"type": "string", "maxLength": 1_000_000},
            base64=_BASE64,
            expect_version=_VERSION,
        ),
        "the old bytes, mode and time are put back, or the new file is taken away",
    ),
    _write(
        "folder",
        "Make a folder",
        "Make one empty folder in a folder that is there.",
        schema_of(("path",), path=_PATH),
        "the folder is taken away while it is still empty",
    ),
    _write(
        "move",
        "Move or rename",
        "Give a file or a folder another name or place; nothing is ever overwritten.",
        schema_of(("path", "to"), path=_PATH, to=_PATH, expect_version=_VERSION),
        "it gets its old name back",
        ("path", "to"),
    ),
    _write(
        "archive",
        "Pack files into a zip",
        "Make one zip of files and folders; what is packed stays where it is.",
        schema_of(
            ("to", "paths"),
            to={**_PATH, "pattern": r"\.zip$"},
            paths={"type": "array", "items": _PATH, "minItems": 1, "maxItems": 1000},
        ),
        "the zip is taken away",
        ("to", "paths"),
    ),
    _write(
        "delete",
        "Delete a file",
        "Take a file away; its bytes are kept in the trash of the data folder.",
        schema_of(("path",), path=_PATH, expect_version=_VERSION),
        "the file is put back from the trash with its bytes, mode and time",
    ),
    _write(
        "redact",
        "Redact a text file",
        "Replace every occurrence of the given strings in a UTF-8 text file; the unredacted bytes "
        "are kept in the trash of the data folder.",
        schema_of(
            ("path", "strings"),
            path=_PATH,
            strings={
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": 10_000},
                "minItems": 1,
                "maxItems": 200,
            },
            by={"type": "string", "maxLength": 100, "description": "[redacted] when left out"},
            expect_version=_VERSION,
        ),
        "the unredacted bytes, mode and time are put back",
    ),
    _write(
        "mode",
        "Change who may read a file",
        "Set the permission bits of a file, as in 0640.",
        schema_of(
            ("path", "mode"),
            path=_PATH,
            mode={"type": "string", "pattern": "^0[0-7]{3}$"},
            expect_version=_VERSION,
        ),
        "the old permission bits are put back",
        ("path", "mode"),
    ),
)
