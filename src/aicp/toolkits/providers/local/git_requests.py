"""A merge request as a Markdown file: beside the refs, so that no checkout gets a file it lacks.

In the git folder it travels with the repository, dirties no working tree, and cannot be committed
by accident; the working tree's own `.aicp` may be somebody's data folder.
"""

from __future__ import annotations

from pathlib import Path

from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.changes import shown
from aicp.toolkits.providers.local.files import replace, unreadable
from aicp.toolkits.providers.local.git_command import Git

MOST_COMMITS = 100


def request_text(git: Git, args: Json, tip: str, base: str) -> str:
    """The file's text, the same for the same commits.

    Raises:
        ProviderError: there is nothing to merge.
    """
    if git.word("rev-list", "--count", f"{base}..{tip}") == "0":
        raise ProviderError(
            f"{shown(args['into'])} has everything that {shown(args['branch'])} has",
            hint="commit something on the branch first",
        )
    said = git.run("log", f"--max-count={MOST_COMMITS}", "--format=%h %s", f"{base}..{tip}", "--")
    stat = git.run(
        "diff", "--stat=100,80,200", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all", f"{base}...{tip}", "--"
    )  # fmt: skip
    parts = (
        f"# {args['title']}",
        f"Merge `{args['branch']}` at {tip} into `{args['into']}` at {base}.",
        args.get("body", "").strip(),
        "## Commits",
        _verbatim(said),
        "## Changes",
        _verbatim(stat),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _verbatim(said: bytes) -> str:
    """Indented, so that nothing in it is taken for Markdown."""
    text = said.decode("utf-8", "replace").replace("\0", "\ufffd")
    return "\n".join(f"    {line.strip()}" for line in text.splitlines() if line.strip())


def write_request(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unreadable(path.parent, error) from None
    replace(path, text.encode(), None)
