"""What the reading tools of a repository answer."""

from __future__ import annotations

from base64 import b64encode

from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.changes import shown, version_of
from aicp.toolkits.providers.local.git_command import Git
from aicp.toolkits.providers.local.git_tools import MOST_SHOWN

USUAL = 64 << 10
_DIFF = ("--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=all", "--no-renames")


def commit_of(git: Git, rev: str) -> str:
    """The full id of the commit a name means.

    Raises:
        ProviderError: there is none.
    """
    status, said, _ = git.ask(
        "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}"
    )
    if status != 0:
        raise ProviderError(
            f"there is no commit {shown(rev)}", hint="list branches with git.status"
        )
    return said.decode().strip()


def refs(git: Git) -> list[tuple[str, str, str]]:
    """Every ref: its name, the object, and the ref it stands for when it is a symbolic one."""
    said = git.run("for-each-ref", "--format=%(refname)%00%(objectname)%00%(symref)")
    rows = (line.split("\0") for line in said.decode("utf-8", "surrogateescape").splitlines())
    return [(name, commit, symbolic) for name, commit, symbolic in rows]


def status(git: Git, args: Json) -> Json:  # noqa: ARG001, every read has this form
    """{"branch", "head", "branches": [{"name", "commit", "version"}], "changes": [...]}."""
    code, said, _ = git.ask("symbolic-ref", "--quiet", "--short", "HEAD")
    _, head, _ = git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    lines = git.run(
        "status", "--porcelain=v1", "-z", "--untracked-files=normal", "--ignore-submodules=all", "--no-renames"
    )  # fmt: skip
    changes = [_text(one) for one in lines.split(b"\0") if one][:1000]
    return {
        "branch": _text(said).strip() if code == 0 else "",
        "head": head.decode().strip(),
        "branches": [
            {
                "name": _text(name.removeprefix("refs/heads/").encode("utf-8", "surrogateescape")),
                "commit": commit,
                "version": version_of({"kind": "commit", "id": commit}),
            }
            for name, commit, _ in refs(git)
            if name.startswith("refs/heads/")
        ],
        "changes": [{"state": one[:2].strip(), "path": one[3:]} for one in changes],
    }


def log(git: Git, args: Json) -> Json:
    limit = args.get("limit", 20)
    said = git.head_of(
        "log", f"--max-count={limit}", "--no-show-signature", "-z",
        "--format=%H%x00%an%x00%ae%x00%cI%x00%B", commit_of(git, args.get("ref", "HEAD")), "--",
        most=MOST_SHOWN,
    )  # fmt: skip
    cells, names = _text_cells(said), ("commit", "author", "email", "at", "message")
    rows = list(zip(*(cells[number::5] for number in range(5)), strict=False))
    whole = rows if len(said) <= MOST_SHOWN else rows[:-1]
    return {"commits": [dict(zip(names, row, strict=True)) for row in whole]}


def _text_cells(said: bytes) -> list[str]:
    return [_text(cell).strip() for cell in said.split(b"\0")]


def diff(git: Git, args: Json) -> Json:
    """{"diff", "more"}; from HEAD unless `from` is given, to the working tree unless `to` is."""
    most = args.get("length", USUAL)
    ends = [commit_of(git, args.get("from", "HEAD"))]
    ends += [commit_of(git, args["to"])] if "to" in args else []
    paths = [args["path"]] if "path" in args else []
    said = git.head_of("diff", *_DIFF, *ends, "--", *paths, most=most)
    return {"diff": _text(said[:most]), "more": len(said) > most}


def show(git: Git, args: Json) -> Json:
    """{"path", "commit", "size", "text" or "base64", "more"}."""
    commit, most = commit_of(git, args.get("ref", "HEAD")), args.get("length", USUAL)
    name = f"{commit}:{args['path']}"
    if "\0" in name or "\n" in name:
        raise ProviderError(f"{shown(args['path'])} cannot be looked up in a repository")
    code, said, _ = git.ask("cat-file", "-t", name)
    if code != 0 or said.strip() != b"blob":
        raise ProviderError(f"there is no file {shown(args['path'])} in that commit")
    size, data = int(git.word("cat-file", "-s", name)), git.head_of("cat-file", "blob", name, most=most)  # fmt: skip
    data = data[:most]
    try:
        shape = {"text": data.decode()} if b"\0" not in data else {}
    except UnicodeDecodeError:
        shape = {}
    shape = shape or {"base64": b64encode(data).decode()}
    return {"path": args["path"], "commit": commit, "size": size, "more": size > most, **shape}


def _text(data: bytes) -> str:
    """Text that any store can hold: what is no UTF-8, and NUL, are marked."""
    return data.decode("utf-8", "replace").replace("\0", "\ufffd")
