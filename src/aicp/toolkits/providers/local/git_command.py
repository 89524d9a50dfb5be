"""The git command in a clean room: no hooks, no prompts, no network, nobody's configuration.

What the repository's own configuration could make git run (filters, monitors, pagers) is blanked.
Names reach git as full object ids or refs, never as a word that could be taken for an option.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from threading import Timer

from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.changes import is_text

SECONDS = 120
_FIXED = {
    "color.ui": "false",
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,
    "core.fsmonitor": "false",
    "core.fsync": "committed,loose-object",  # what a ref names is on the disk before the ref is
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.quotePath": "false",
    "core.useReplaceRefs": "false",
    "diff.mnemonicPrefix": "false",
    "diff.noprefix": "false",
    "gc.auto": "0",
    "i18n.commitEncoding": "utf-8",
    "i18n.logOutputEncoding": "utf-8",
    "log.mailmap": "false",
    "log.showSignature": "false",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "submodule.recurse": "false",
}
# settings of a repository that name programs, or demand one
_PROGRAMS = (
    r"^(filter\..*\.(clean|smudge|process|required)|diff\..*\.(command|textconv)|diff\.external"
    r"|core\.(sshcommand|gitproxy|askpass|editor|alternaterefscommand))$"
)
_NOWHERE = {
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_COMMITTER_NAME": "aicp",  # of ref logs; a commit's own comes from its call
    "GIT_COMMITTER_EMAIL": "aicp@localhost",
    "HOME": "/nonexistent",
    "LC_ALL": "C",
}


class Git:
    """One repository by its git folder and its working tree."""

    def __init__(self, git_dir: Path, work_tree: Path) -> None:
        self._place = (f"--git-dir={git_dir}", f"--work-tree={work_tree}")
        self._work_tree = work_tree
        self._settings = dict(_FIXED)
        self._settings |= {key: _blank(key) for key in self._programs()}

    def ask(
        self, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, str]:
        """Run git; its exit status, what it said, and its complaint in one line.

        Raises:
            ProviderError: git is missing, or did not end in time (then the outcome is unknown).
        """
        try:
            done = subprocess.run(
                self._line(words), input=stdin, env=self._environment(env), cwd=self._work_tree,
                capture_output=True, timeout=SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ProviderError(
                f"git {words[0]} did not end within {SECONDS} seconds", unknown=True
            ) from None
        except OSError as error:
            raise _unstarted(error) from None
        return done.returncode, done.stdout, _complaint(done.stderr)

    def run(self, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:
        """What git said.

        Raises:
            ProviderError: git failed; its own sentence is in it.
        """
        status, said, complaint = self.ask(*words, stdin=stdin, env=env)
        if status != 0:
            raise ProviderError(f"git {words[0]} failed: {complaint or f'status {status}'}")
        return said

    def word(self, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> str:
        return self.run(*words, stdin=stdin, env=env).decode("utf-8", "replace").strip()

    def head_of(self, *words: str, most: int) -> bytes:
        """The first `most` bytes of what git says, and one more when there are more."""
        try:
            with subprocess.Popen(
                self._line(words), env=self._environment(None), cwd=self._work_tree,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            ) as process:  # fmt: skip
                timer = Timer(SECONDS, process.kill)
                timer.start()
                try:
                    assert process.stdout is not None  # noqa: S101, a pipe was asked for
                    said = process.stdout.read(most + 1)
                finally:
                    timer.cancel()
                cut = len(said) > most
                if cut:
                    process.kill()
        except OSError as error:
            raise _unstarted(error) from None
        if process.returncode != 0 and not cut:
            raise ProviderError(f"git {words[0]} failed with status {process.returncode}")
        return said

    def _programs(self) -> set[str]:
        status, said, complaint = self.ask("config", "--null", "--name-only", "--get-regexp", _PROGRAMS)  # fmt: skip
        if status not in (0, 1):
            raise ProviderError(f"the repository's configuration cannot be read: {complaint}")
        return {name for name in said.decode("utf-8", "replace").split("\0") if name}

    def _line(self, words: tuple[str, ...]) -> list[str]:
        if any("\0" in word or not is_text(word) for word in words):
            raise ProviderError(
                f"git {words[0]} was given what no name can hold", hint="correct it"
            )
        return ["git", "--no-pager", *self._place, *words]

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        made = {"PATH": os.environ.get("PATH", os.defpath), **_NOWHERE}
        made["GIT_CONFIG_COUNT"] = str(len(self._settings))
        for number, (key, value) in enumerate(self._settings.items()):
            made |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return made | dict(more or {})


def quoted(path: Path) -> str:
    """A folder as git reads it in a list of folders."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _blank(key: str) -> str:
    return "false" if key.endswith(".required") else ""


def _complaint(stderr: bytes) -> str:
    """The first line of what git complained, without its prefix."""
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    first = next(
        (line for line in lines if line.startswith(("fatal:", "error:"))), "".join(lines[:1])
    )
    plain = first.removeprefix("fatal: ").removeprefix("error: ")
    return "".join(c if c.isprintable() else " " for c in plain)[:300]


def _unstarted(error: OSError) -> ProviderError:
    if isinstance(error, FileNotFoundError):
        return ProviderError("git or the repository's folder is not there", hint="install git, or check the path")  # fmt: skip
    return ProviderError(f"git cannot be started: {error.strerror}")
