"""A `.beads` of its own for a flight: the same repository for the API, the console and `bd`."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from aicp.issues.book import Book
from aicp.issues.init import init
from flight import Flight

LAUNCHER = Path(__file__).resolve().parents[1] / "src/aicp/issues/bd"
BY = "ann@home.example"
START = 1_760_000_000_000_000_000


def give_issues(flight: Flight, *, made: bool = True) -> Path:
    """Point the flight's app at a repository of its own; `made` says whether `bd init` ran there."""
    folder = flight.folder / "ops"
    folder.mkdir(exist_ok=True)
    (folder / ".git").mkdir(exist_ok=True)
    settings = replace(flight.app.settings, issues_dir=str(folder))
    flight.app = replace(flight.app, settings=settings)
    if made:
        make(folder)
    return folder


def make(folder: Path) -> None:
    """What `bd init` does."""
    init(str(folder / ".beads" / "issues.jsonl"), prefix="ops", ids="sequential", by=BY, at=START)


def fill(folder: Path) -> Book:
    """Seven issues: ops-1 epic, ops-2 its child, waiting for ops-3; ops-7 is closed."""
    ticks = iter(range(1, 1000))
    book = Book(str(folder / ".beads" / "issues.jsonl"), now=lambda: START + next(ticks) * 10**9)
    book.create("Release 12", kind="epic", priority=2, labels=["release"], by=BY)
    book.create("Deploy <b>12</b> to production", priority=1, labels=["ops"], by=BY)
    book.create("Fix the pool leak", kind="bug", priority=3, labels=["ops", "db"], by=BY)
    book.create("API outage", kind="incident", priority=0, labels=["sev1"], by=BY)
    book.create("Write the retro", priority=3, by=BY)
    book.create("Rotate keys", priority=1, labels=["ops"], by=BY)
    book.create("Old work", by=BY)
    book.link("ops-2", "ops-1", "parent-child", by=BY)
    book.link("ops-2", "ops-3", by=BY)
    book.link("ops-5", "ops-4", "discovered-from", by=BY)
    book.link("ops-6", "ops-2", "related", by=BY)
    book.close(["ops-7"], "done", by=BY)
    return book


def bd(folder: Path, *words: str) -> str:
    """What the real command prints."""
    done = subprocess.run(
        [sys.executable, "-S", "-E", str(LAUNCHER), *words],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout
