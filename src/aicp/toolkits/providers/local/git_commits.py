"""A commit made from a patch without a working tree: a private index, and a fixed author and date."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.changes import shown
from aicp.toolkits.providers.local.files import unreadable
from aicp.toolkits.providers.local.git_command import Git, quoted


def commit(git: Git, tip: str, args: Json, work_dir: Path, objects: Path, *, keep: bool) -> str:
    """The id of the commit that the patch makes on top of `tip`; the same each time.

    Args:
        objects: the repository's object store.
        keep: whether the new objects go there, or are only tried in a place of their own.

    Raises:
        ProviderError: the patch does not apply, or changes nothing.
    """
    with _private(work_dir) as folder:
        env = {"GIT_INDEX_FILE": str(folder / "index")}
        if not keep:
            (folder / "objects").mkdir()
            env |= {
                "GIT_OBJECT_DIRECTORY": str(folder / "objects"),
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": quoted(objects),
            }
        git.run("read-tree", tip, env=env)
        status, _, why = git.ask(
            "apply", "--cached", "--whitespace=nowarn", "-", stdin=args["patch"].encode(), env=env
        )
        if status != 0:
            raise ProviderError(
                f"the patch does not apply to {shown(args['branch'])}: {why}",
                hint="make it anew against the branch's newest commit",
            )
        tree = git.word("write-tree", env=env)
        if tree == git.word("rev-parse", "--verify", f"{tip}^{{tree}}"):
            raise ProviderError(f"the patch changes nothing on {shown(args['branch'])}")
        message = args["message"].rstrip("\n") + "\n"
        words = ("commit-tree", tree, "-p", tip, "-F", "-")
        return git.word(*words, stdin=message.encode(), env=env | _signed(args))


def _signed(args: Json) -> dict[str, str]:
    """Author and committer as the call names them: nothing of this machine is in the commit."""
    name, _, rest = args["author"].rpartition(" <")
    moment = _moment(args["date"])
    when = f"@{int(moment.timestamp())} {moment.strftime('%z')}"
    return {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", name), ("EMAIL", rest.rstrip(">")), ("DATE", when))
    }


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.timestamp() < 0:
        raise ProviderError(
            f"{shown(text)} is no moment a commit can have", hint="write 2026-07-01T09:00:00+02:00"
        )
    return moment


@contextmanager
def _private(work_dir: Path) -> Iterator[Path]:
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="git-", dir=work_dir.resolve()) as folder:
            yield Path(folder)
    except OSError as error:
        raise unreadable(work_dir, error) from None
