"""The declarations of the git tools."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import join

from aicp.toolkits.model import Json, ToolSpec, UndoTier
from aicp.toolkits.providers.local.checked import schema_of

MOST_SHOWN = 1 << 20  # bytes one read gives
_REV: Json = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_./~^@+-]{0,199}$",
    "description": "a branch, tag or commit id",
}
_BRANCH: Json = {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9_./+-]{0,119}$"}
_PATH: Json = {"type": "string", "minLength": 1, "maxLength": 4000}
_LENGTH: Json = {"type": "integer", "minimum": 1, "maximum": MOST_SHOWN}
_VERSION: Json = {"type": "string", "pattern": "^([0-9a-f]{20}|absent)$"}
_LINE: Json = {"type": "string", "minLength": 1, "maxLength": 300, "pattern": r"^[^\x00-\x1f]+$"}
_AUTHOR: Json = {
    "type": "string",
    "pattern": r"^[^<>\x00-\x1f]{1,100} <[^<>\s\x00-\x1f]{3,200}>$",
    "description": "as in Riley <riley@example.com>",
}


_DIFF: Json = {"from": _REV, "to": _REV, "path": _PATH, "length": _LENGTH}
_FROM: Json = {"branch": _BRANCH, "from": _REV}


def _read(name: str, title: str, text: str, schema: Json, *, untrusted: bool) -> ToolSpec:
    return ToolSpec(
        f"git.{name}", title, text, schema,
        mutates=False, undo_tier=UndoTier.T0, scope="git:read",
        sensitive=tuple(n for n in ("path",) if n in schema["properties"]), untrusted=untrusted,
    )  # fmt: skip


READS = (
    _read(
        "status",
        "Status of the checkout",
        "The current commit and branch, all branches, and what differs in the working tree.",
        schema_of(),
        untrusted=False,
    ),
    _read(
        "log",
        "List commits",
        "The newest commits of a branch: id, author, time, message.",
        schema_of(ref=_REV, limit={"type": "integer", "minimum": 1, "maximum": 1000}),
        untrusted=True,
    ),
    _read(
        "diff",
        "Compare",
        "The unified diff between two commits, or from a commit to the working tree.",
        schema_of((), **_DIFF),
        untrusted=True,
    ),
    _read(
        "show",
        "Show a file",
        "One file as it is in a commit: as text where it is UTF-8, else as base64.",
        schema_of(("path",), ref=_REV, path=_PATH, length=_LENGTH),
        untrusted=True,
    ),
)
CREATE_BRANCH = ToolSpec(
    "git.create_branch",
    "Make a branch",
    "A new branch at a commit; nothing is checked out.",
    schema_of(("branch", "from"), **_FROM),
    mutates=True,
    undo_tier=UndoTier.T1,
    scope="git:write",
    undo="the branch is deleted while it is still where it was made",
    sensitive=("branch", "from"),
)
APPLY_PATCH = ToolSpec(
    "git.apply_patch",
    "Commit a patch on a branch",
    "One commit with a unified diff on a branch that nobody has checked out; no working tree is touched.",
    schema_of(
        ("branch", "patch", "message", "author", "date"),
        branch=_BRANCH,
        patch={"type": "string", "minLength": 1, "maxLength": 1_000_000},
        message={"type": "string", "minLength": 1, "maxLength": 10_000},
        author=_AUTHOR,
        date={"type": "string", "description": "ISO 8601 with offset"},
        expect_version=_VERSION,
    ),
    mutates=True,
    undo_tier=UndoTier.T2,
    scope="git:write",
    undo="the branch goes back to the commit before, while ours is its newest",
    residue="the commit stays unreachable in the object store, and in the branch's log, until git gc",
    sensitive=("branch", "author"),
)
MERGE_REQUEST = ToolSpec(
    "git.open_merge_request",
    "Write a merge request",
    "A Markdown file in the repository's git folder that asks to merge one branch into another; "
    "nothing is pushed.",
    schema_of(
        ("branch", "into", "title"),
        branch=_BRANCH,
        into=_BRANCH,
        title=_LINE,
        body={"type": "string", "maxLength": 20_000},
    ),
    mutates=True,
    undo_tier=UndoTier.T1,
    scope="git:write",
    undo="the file is taken away, unless somebody edited it",
    sensitive=("branch", "into"),
)


def run_tests(command: Sequence[str]) -> ToolSpec:
    """The tool that runs what the repository's owner declared; the declaration names the command."""
    return ToolSpec(
        "git.run_tests",
        "Run the tests of a branch",
        f"Run `{join(command)}` on a throw-away copy of a commit, without network and without "
        "write access to anything else.",
        schema_of(("ref",), ref=_REV),
        mutates=True,  # it runs a stranger's code: never without an approval
        undo_tier=UndoTier.T2,
        scope="git:run",
        undo="the report is taken away",
        residue="the time it took; what ran could read files of this machine, and reach services that "
        "listen on a socket file outside the usual folders",
        sensitive=("ref",),
        untrusted=True,
    )
