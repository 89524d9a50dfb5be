"""What each changing tool of a repository makes of which ref or file, found without an effect."""

from __future__ import annotations

from collections.abc import Callable

from aicp.kernel.canonical import sha256
from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.changes import Place, State, shown
from aicp.toolkits.providers.local.git_command import Git
from aicp.toolkits.providers.local.git_reads import commit_of, refs
from aicp.toolkits.providers.local.git_requests import request_text

HEADS = "refs/heads/"


def look(git: Git, name: str) -> State:
    """The state of one ref; None when it is not there."""
    for found, object_id, symbolic in refs(git):
        if found == name:
            return {"kind": "symbolic ref" if symbolic else "commit", "id": object_id}
    return None


def branch(git: Git, name: str) -> Json:
    """The state of a branch.

    Raises:
        ProviderError: there is none of that name, or it only stands for another one.
    """
    state = look(git, HEADS + name)
    if state is None or state["kind"] != "commit":
        raise ProviderError(
            f"there is no branch {shown(name)}", hint="make it with git.create_branch"
        )
    return state


def checked_out(git: Git, name: str) -> str:
    """The checkout that has a branch, or nothing."""
    said = git.run("for-each-ref", "--format=%(refname)%00%(worktreepath)", name)
    rows = (line.split("\0") for line in said.decode("utf-8", "replace").splitlines())
    return next((where for found, where in rows if found == name), "")


def new_branch(git: Git, args: Json) -> Place:
    name = HEADS + args["branch"]
    if git.ask("check-ref-format", name)[0] != 0:
        raise ProviderError(f"{shown(args['branch'])} cannot be the name of a branch")
    for taken, _, _ in refs(git):
        if taken == name or taken.startswith(f"{name}/") or name.startswith(f"{taken}/"):
            raise ProviderError(
                f"the branch {shown(taken.removeprefix(HEADS))} is there already",
                hint="choose another name",
            )
    return Place(name, None, {"kind": "commit", "id": commit_of(git, args["from"])}, {})


def new_commit(git: Git, args: Json, committed: Callable[[str, Json], str]) -> Place:
    """A branch with one commit more; `committed` makes it on top of a tip, without keeping it."""
    name, was = HEADS + args["branch"], branch(git, args["branch"])
    if where := checked_out(git, name):
        raise ProviderError(
            f"the branch {shown(args['branch'])} is checked out in {shown(where)}",
            hint="make a branch of its own first, with git.create_branch",
        )
    return Place(name, was, {"kind": "commit", "id": committed(was["id"], args)}, {})


def new_request(git: Git, args: Json, name: str) -> Place:
    tip, base = branch(git, args["branch"])["id"], branch(git, args["into"])["id"]
    text = request_text(git, args, tip, base)
    becomes = {"kind": "file", "sha256": sha256(text.encode())}
    return Place(name, None, becomes, {"text": text, "tip": tip})
