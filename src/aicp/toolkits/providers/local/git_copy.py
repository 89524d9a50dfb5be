"""A repository with the same refs that borrows the objects of another: made in a moment, any size."""

from __future__ import annotations

import shutil
from pathlib import Path

from aicp.toolkits.providers.local.files import unreadable
from aicp.toolkits.providers.local.git_command import Git, quoted
from aicp.toolkits.providers.local.git_reads import refs

_OWN = ("aicp/merge-requests", "aicp/tests")


def copied(git: Git, git_dir: Path, common: Path, folder: Path) -> Path:
    """The git folder of the copy, in `folder`; it dies with the original's objects.

    Raises:
        ProviderError: the disk failed.
    """
    twin, form = folder / ".git", git.word("rev-parse", "--show-object-format")
    try:
        for name in ("refs", "objects/info", "objects/pack"):
            (twin / name).mkdir(parents=True)
        (twin / "config").write_text(_config(form))
        (twin / "objects/info/alternates").write_text(f"{quoted(common / 'objects')}\n")
        shutil.copyfile(git_dir / "HEAD", twin / "HEAD")
        for source in (git_dir / "index", common / "shallow"):
            if source.is_file():
                shutil.copyfile(source, twin / source.name)
        _copy_refs(git, twin)
        for name in _OWN:
            if (common / name).is_dir():
                shutil.copytree(common / name, twin / name)
    except OSError as error:
        raise unreadable(folder, error) from None
    return twin


def _copy_refs(git: Git, twin: Path) -> None:
    plain: list[bytes] = []
    for name, object_id, symbolic in refs(git):
        if symbolic:
            path = twin / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"ref: {symbolic}\n")
        else:
            plain.append(f"{object_id} {name}\n".encode("utf-8", "surrogateescape"))
    (twin / "packed-refs").write_bytes(b"".join(plain))


def _config(form: str) -> str:
    if form == "sha1":
        return "[core]\n\trepositoryformatversion = 0\n\tbare = false\n"
    return f"[core]\n\trepositoryformatversion = 1\n\tbare = false\n[extensions]\n\tobjectFormat = {form}\n"
