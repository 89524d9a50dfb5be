"""Running a real `bd` as a user does."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any


class Bd:
    """Runs `bd` in one folder."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder = folder
        self.env = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(tools),
            "BD_ACTOR": "ann",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "ann",
            "GIT_AUTHOR_EMAIL": "ann@example.com",
            "GIT_COMMITTER_NAME": "ann",
            "GIT_COMMITTER_EMAIL": "ann@example.com",
            "LC_ALL": "C.UTF-8",
        }

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bd", *words],
            cwd=self.folder,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def __call__(self, *words: str, stdin: str = "") -> str:
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *words: str, stdin: str = "") -> Any:
        return json.loads(self(*words, "--json", stdin=stdin))

    def fails(self, code: int, *words: str, stdin: str = "") -> str:
        done = self.run(*words, stdin=stdin)
        assert done.returncode == code, (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stderr

    def git(self, *words: str) -> str:
        return subprocess.run(
            ["git", *words],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    @property
    def file(self) -> Path:
        return self.folder / ".beads/issues.jsonl"

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", "issues")
