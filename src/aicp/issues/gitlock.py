"""Whether git is changing the working tree: it holds `index.lock` from its check to its last write.

bd never takes that lock. It waits for it before it writes, and looks again afterwards.
"""

from __future__ import annotations

import os
import time

from aicp.issues.errors import TimedOut

SECONDS = 10.0
_PAUSE = 0.02


class GitLock:
    """The lock of the repository around a folder; no repository, or a call from git itself: never held."""

    __slots__ = ("_path",)

    def __init__(self, folder: str) -> None:
        inside = (
            "GIT_INDEX_FILE" in os.environ or "GIT_DIR" in os.environ
        )  # a hook or a driver of git's
        found = "" if inside else _git_folder(os.path.realpath(folder))
        self._path = f"{found}/index.lock" if found else ""

    def held(self) -> bool:
        """Whether git may be about to rewrite files. One that waits for a commit's message is not."""
        if not self._path:
            return False
        try:
            since = os.stat(self._path).st_mtime_ns
        except OSError:
            return False
        return not self._edits_message(since)

    def wait(self, *, written: bool = False) -> None:
        """Until git does not hold it.

        Args:
            written: whether a change is in the file already, which git may have replaced.

        Raises:
            TimedOut: it was held for ten seconds.
        """
        deadline = time.monotonic() + SECONDS
        while self.held():
            if time.monotonic() > deadline:
                told = (
                    "whether the change was kept is not known" if written else "nothing was written"
                )
                raise TimedOut(
                    f"git has held {self._path} for {SECONDS:g} s; {told}",
                    hint="let git end, or remove that file if no git runs; then look, and try again",
                )
            time.sleep(_PAUSE)

    def _edits_message(self, since: int) -> bool:
        """Whether a commit has its editor open: it writes the message after it took the lock."""
        try:
            return os.stat(f"{os.path.dirname(self._path)}/COMMIT_EDITMSG").st_mtime_ns >= since
        except OSError:
            return False


def _git_folder(folder: str) -> str:
    """Where the repository around a folder keeps its index: `.git`, or what a `.git` file points at."""
    while True:
        place = f"{folder}/.git"
        if os.path.isdir(place):
            return place
        if os.path.isfile(place):
            with open(place, encoding="utf-8", errors="replace") as file:
                told = file.read().removeprefix("gitdir:").strip()
            return os.path.join(folder, told)
        up = os.path.dirname(folder)
        if up == folder:
            return ""
        folder = up
