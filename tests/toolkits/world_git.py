"""A repository whose owner has work in progress in the checkout, and the calls that change its refs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from aicp.toolkits.model import Call
from aicp.toolkits.providers.base import Connection
from toolkits.worlds import Outside, World

WHO = {"author": "Riley Chen <riley@ourside.example>", "date": "2026-07-01T09:00:00+02:00"}
PATCH = """\
--- a/greet.py
+++ b/greet.py
@@ -1,2 +1,2 @@
 def greet(name):
-    return "Helo " + name
+    return "Hello " + name
"""
CHANGE = {"branch": "fix/greeting", "patch": PATCH, "message": "Greet: mend a word\n\nGrüße", **WHO}
WRITES = (
    Call("git.create_branch", {"branch": "fix/greeting", "from": "main"}, "g1"),
    Call("git.apply_patch", CHANGE, "g2"),
    Call(
        "git.open_merge_request",
        {"branch": "fix/greeting", "into": "main", "title": "Mend a word", "body": "Please."},
        "g3",
    ),
)
READS = (
    Call("git.status", {}),
    Call("git.log", {"ref": "main", "limit": 5}),
    Call("git.diff", {}),
    Call("git.show", {"path": "greet.py", "ref": "main"}),
)


def git(repo: Path, *words: str, stdin: str = "") -> str:
    """The git command as the repository's owner would use it."""
    owner = {f"GIT_{role}_{part}": "owner@x" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}  # fmt: skip
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **owner}
    done = subprocess.run(
        ["git", "-C", str(repo), *words], input=stdin, env=env, text=True, capture_output=True, check=True
    )  # fmt: skip
    return done.stdout.strip()


def make(repo: Path) -> None:
    repo.mkdir()
    git(repo, "init", "--quiet", "--initial-branch=main")
    (repo / "greet.py").write_text('def greet(name):\n    return "Helo " + name\n')
    git(repo, "add", ".")
    git(repo, "commit", "--quiet", "-m", "Begin")
    git(repo, "tag", "v1")
    (repo / "greet.py").write_text("# in the middle of something\n")
    (repo / "untracked").write_text("mine")


def world(kind: str, folder: Path, _outside: Outside) -> World:
    repo = folder.resolve() / "repo"
    make(repo)
    inner = str(repo / ".git")

    def meddle(call: Call) -> None:
        ref = "refs/heads/fix/greeting"
        if call.tool == "git.open_merge_request":
            path = repo / ".git/aicp/merge-requests/fix%2Fgreeting.md"
            path.write_text(path.read_text() + "theirs\n")
        else:
            git(repo, "update-ref", ref, git(repo, "commit-tree", f"{ref}^{{tree}}", "-p", ref, "-m", "theirs"))  # fmt: skip

    connection = Connection(
        "git", "repo", {"path": str(repo), "git_dir": inner, "common": inner}, folder / "work"
    )
    return World(kind, connection, WRITES, READS, meddle)
