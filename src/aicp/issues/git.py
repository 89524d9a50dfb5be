"""What git knows of the issues file. Every answer is None or False when there is no git."""

from __future__ import annotations

import os
import subprocess


def run(folder: str, *words: str) -> bytes | None:
    """The output of a git command in a folder, or None when it failed."""
    try:
        done = subprocess.run(
            ["git", "-C", folder, *words], capture_output=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def root(folder: str) -> str | None:
    """The top of the working tree a folder is in."""
    at = folder
    while not os.path.isdir(at) and at != os.path.dirname(at):
        at = os.path.dirname(at)
    found = run(at, "rev-parse", "--show-toplevel")
    return os.path.realpath(found.decode().rstrip("\n")) if found else None


def content(path: str, revision: str = "HEAD") -> bytes | None:
    """The file as a revision has it; `:2` and `:3` are the two sides of a merge."""
    top = root(os.path.dirname(path))
    if top is None:
        return None
    name = os.path.relpath(path, top)
    return run(top, "cat-file", "blob", f"{revision}:{name}")


def revisions(path: str) -> list[str]:
    """The commits that changed the file, newest first."""
    top = root(os.path.dirname(path))
    found = run(top, "log", "--format=%H", "--", os.path.relpath(path, top)) if top else None
    return found.decode().split() if found else []


def is_ignored(path: str) -> bool:
    """True when git would never see the file."""
    top = root(os.path.dirname(path))
    return bool(top) and run(str(top), "check-ignore", "-q", path) is not None


def get_config(top: str, key: str) -> str:
    """A setting of the repository, or ""."""
    return (run(top, "config", "--local", "--get", key) or b"").decode().strip()


def set_config(top: str, key: str, value: str) -> bool:
    """Set it; False when git refused."""
    return run(top, "config", "--local", key, value) is not None
