"""The owner's test command on a throw-away copy of a commit, and the report it leaves.

The command is declared in `aicp.toml` in the git folder: it is no part of any commit, so no patch
can change what is run. It is frozen in the connection, and named in the tool's declaration.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from aicp.kernel.canonical import digest
from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local import confined
from aicp.toolkits.providers.local.files import read_bytes, replace, unreadable
from aicp.toolkits.providers.local.git_command import Git

MOST_OUTPUT = 64 << 10
_FORM = 'write [tests] with command = ["make", "test"] and seconds = 600'


@dataclass(frozen=True, slots=True)
class Declared:
    command: tuple[str, ...]
    seconds: int


def declared(git_dir: Path) -> Declared | None:
    """What the repository's owner lets be run; None when nothing is declared.

    Raises:
        ProviderError: the declaration is not of its form.
    """
    path = git_dir / "aicp.toml"
    if not path.exists():
        return None
    try:
        tests = tomllib.loads(read_bytes(path).decode()).get("tests", {})
        command, seconds = tests["command"], tests.get("seconds", 600)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ProviderError(f"{path} cannot be read: {error!r}", hint=_FORM) from None
    sound = isinstance(command, list) and command and all(isinstance(w, str) and w for w in command)
    if not sound or not isinstance(seconds, int) or not 0 < seconds <= 3600:
        raise ProviderError(f"{path} declares no command that can be run", hint=_FORM)
    return Declared(tuple(command), seconds)


def require_confinement(work_dir: Path) -> None:
    """Refuse to run anybody's code where it could change something.

    Raises:
        ProviderError: this machine cannot confine a command.
    """
    with _folder(work_dir) as folder:
        if not confined.possible(Path(folder), _environment()):
            raise ProviderError(
                "this machine cannot confine the test command, so it is not run",
                hint="Linux with user namespaces and `unshare` (util-linux) is needed",
            )


def run(git: Git, commit: str, tests: Declared, work_dir: Path) -> Json:
    """{"commit", "passed", "exit", "output"}; the output is its last 64 KiB."""
    with _folder(work_dir) as folder:
        checkout = Path(folder) / "checkout"
        checkout.mkdir()
        env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git.run("read-tree", commit, env=env)
        git.run("checkout-index", "--all", f"--prefix={checkout}/", env=env)
        # the data folder around the work folder holds tokens: the command sees it empty
        status, output = _confined(checkout, work_dir.resolve().parent, tests)
    return {"commit": commit, "passed": status == 0, "exit": status, "output": output}


def _confined(checkout: Path, hidden: Path, tests: Declared) -> tuple[int, str]:
    """Exit status (-1: out of time) and output; what is still running at the end is killed."""
    with tempfile.TemporaryFile(dir=checkout.parent) as said:
        try:
            process = subprocess.Popen(
                _line(checkout, hidden, tests), env=_environment(), cwd=checkout,
                stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise ProviderError(f"the test command cannot be started: {error.strerror}") from None
        late: list[bool] = []
        timer = Timer(tests.seconds, _stop, (process.pid, late))
        timer.start()
        try:
            status = process.wait()
        finally:
            timer.cancel()
        said.seek(max(0, said.seek(0, os.SEEK_END) - MOST_OUTPUT))
        output = said.read().decode("utf-8", "replace").replace("\0", "\ufffd")
    return (-1, f"{output}\nstopped after {tests.seconds} seconds") if late else (status, output)


def _line(checkout: Path, hidden: Path, tests: Declared) -> list[str]:
    """With a last resort: should this process die, the command still ends."""
    late = ("timeout", "--signal=KILL", str(tests.seconds + 30))
    return [*late, *confined.line(checkout, hidden, tests.command)]


def _stop(group: int, late: list[bool]) -> None:
    late.append(True)
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _environment() -> Mapping[str, str]:
    """Nothing of the worker's own: its settings may hold secrets."""
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8", "CI": "1"}  # noqa: S108, private there


def write_report(path: Path, report: Json) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unreadable(path.parent, error) from None
    sealed = {"report": report, "sha256": digest(report)}
    replace(path, json.dumps(sealed, indent=2).encode(), None)


def read_report(path: Path) -> Json | None:
    """A report as it was written; None when there is none.

    Raises:
        ProviderError: somebody edited it.
    """
    if not path.exists():
        return None
    try:
        sealed = json.loads(read_bytes(path))
        sound = digest(sealed["report"]) == sealed["sha256"]
    except (ValueError, KeyError, TypeError):
        sound, sealed = False, {}
    if not sound:
        raise ProviderError(f"the test report {path.name} was edited", hint="take it away by hand")
    return sealed["report"]


def _folder(work_dir: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix="tests-", dir=work_dir.resolve())
    except OSError as error:
        raise unreadable(work_dir, error) from None


def words_of(config: Sequence[str], seconds: int) -> Declared | None:
    return Declared(tuple(config), seconds) if config else None
