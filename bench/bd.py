"""`bd` beside microbeads and taskwarrior on the same graph, in one run, as ratios.

    python bench/bd.py                       # 0, 1,000 and 10,000 issues
    python bench/bd.py --sizes 1000 --repeat 5
    python bench/bd.py --microbeads /path/to/mb

Each issue has two dependencies (70 % `blocks`), 60 % are open. The tools take turns, so that a
busy moment hits all of them; shown are medians of wall time and the highest memory of one run.
microbeads is installed into a scratch environment when it is not given; taskwarrior is measured
when there is a `task`, and beyond 1,000 issues only with `--slow`, because one command then takes
most of a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LAUNCHER = Path(__file__).resolve().parents[1] / "src/aicp/issues/bd"
FLOOR = [sys.executable, "-S", "-E", "-c", "pass"]
BARS = {"list": 0.5, "ready": 0.5, "create": 0.3, "close": 0.3}
START_MS, IMPORT_S = 25, 2
ENV = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "b", "GIT_AUTHOR_EMAIL": "b@b"}
ENV |= {"GIT_COMMITTER_NAME": "b", "GIT_COMMITTER_EMAIL": "b@b", "TASKRC": "/dev/null"}


@dataclass
class Samples:
    """Wall times in ms and the highest resident memory in MB of one command."""

    ms: list[float] = field(default_factory=list)
    rss: float = 0

    @property
    def median(self) -> float:
        return statistics.median(self.ms)


@dataclass(frozen=True)
class Tool:
    """A tool with its graph in place; `commands` make the words of one call."""

    name: str
    folder: Path
    commands: dict[str, Callable[[], list[str]]]


def timed(words: list[str], folder: Path, into: Samples) -> None:
    """Run one command and keep how long it took."""
    os.sync()  # so that nobody pays for what another tool left unwritten
    started = time.perf_counter()
    done = subprocess.run(
        words, cwd=folder, env=ENV, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    into.ms.append((time.perf_counter() - started) * 1000)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed: {done.stderr.decode(errors='replace')}")


def weighed(words: list[str], folder: Path) -> float:
    """The highest resident memory of one command in MB, seen from a parent that is small itself."""
    spawn = (
        "import os, sys\n"
        "out = os.open(os.devnull, os.O_WRONLY)\n"
        "moves = [(os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, out, 2)]\n"
        "child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=moves)\n"
        "print(os.wait4(child, 0)[2].ru_maxrss)"
    )
    words = [sys.executable, "-S", "-E", "-c", spawn, *words]
    return (
        int(subprocess.run(words, cwd=folder, env=ENV, capture_output=True, check=True).stdout)
        / 1024
    )


def issues(count: int) -> list[dict[str, Any]]:
    """The same graph for every tool and every run."""
    dice = random.Random(7)
    out: list[dict[str, Any]] = []
    for n in range(count):
        at = f"2025-{1 + n % 9:02}-{1 + n % 28:02}T{n % 24:02}:00:00.{n:09}Z"
        closed = dice.random() < 0.4
        issue = {
            "id": f"x-{n:07}",
            "title": f"Issue {n} about something that went wrong",
            "description": "A sentence that says what was seen and where. " * 5,
            "status": "closed" if closed else dice.choice(["open", "open", "in_progress"]),
            "priority": dice.randrange(5),
            "issue_type": dice.choice(["task", "bug", "feature"]),
            "created_at": at,
            "updated_at": at,
            **({"closed_at": at} if closed else {}),
            "labels": [dice.choice(["ops", "web", "db"])],
        }
        kinds = (
            {dice.randrange(n): "blocks" if dice.random() < 0.7 else "related" for _ in range(2)}
            if n
            else {}
        )
        if kinds:
            issue["dependencies"] = [
                {
                    "issue_id": issue["id"],
                    "depends_on_id": f"x-{to:07}",
                    "type": kind,
                    "created_at": at,
                    "created_by": "b",
                }
                for to, kind in kinds.items()
            ]
        out.append(issue)
    return out


def git(folder: Path) -> None:
    subprocess.run(["git", "init", "-q", "."], cwd=folder, env=ENV, check=True)
    subprocess.run(
        ["git", "commit", "-q", "--allow-empty", "-m", "start"], cwd=folder, env=ENV, check=True
    )


def open_ids(graph: list[dict[str, Any]]) -> Iterator[str]:
    return (issue["id"] for issue in graph if issue["status"] != "closed")


def ours(folder: Path, graph: list[dict[str, Any]], bd: list[str]) -> Tool:
    git(folder)
    subprocess.run([*bd, "init", "-q"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    lines = "\n".join(json.dumps(issue, separators=(",", ":")) for issue in graph)
    (folder / "in.jsonl").write_text(lines + "\n" * bool(lines))
    subprocess.run(
        [*bd, "import", "-i", "in.jsonl"], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    ids = open_ids(graph)
    commands = {
        "list": lambda: [*bd, "list", "--json"],
        "ready": lambda: [*bd, "ready", "--limit", "10", "--json"],
        "create": lambda: [*bd, "create", "A new issue", "-p", "1", "-l", "ops", "--json"],
        "close": lambda: [
            *bd,
            "close",
            next(ids) if graph else made(bd, folder),
            "--reason",
            "done",
        ],
    }
    return Tool("bd", folder, commands)


def made(bd: list[str], folder: Path) -> str:
    """A fresh issue to close, when the graph is empty (not timed)."""
    words = [*bd, "create", "to close", "--silent"]
    return subprocess.run(
        words, cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


_SHARED = ("id", "title", "description", "status", "priority", "labels", "created_at", "updated_at")


def microbeads(folder: Path, graph: list[dict[str, Any]], mb: str) -> Tool:
    git(folder)
    subprocess.run([mb, "init"], cwd=folder, env=ENV, check=True, capture_output=True)
    store = folder / ".git/microbeads-worktree/.microbeads/issues"
    for issue in graph:
        closed = issue["status"] == "closed"
        where = store / ("closed" if closed else "active")
        where.mkdir(exist_ok=True)
        links = [d["depends_on_id"] for d in issue.get("dependencies", []) if d["type"] == "blocks"]
        value = {
            **{key: issue[key] for key in _SHARED},
            "type": issue["issue_type"], "dependencies": links,
            "closed_at": issue.get("closed_at"), "closed_reason": "done" if closed else None,
            "acceptance_criteria": "", "design": "", "notes": "",
        }  # fmt: skip
        (where / f"{issue['id']}.json").write_text(json.dumps(value, indent=2, sort_keys=True))
    subprocess.run([mb, "--json", "list"], cwd=folder, env=ENV, check=True, capture_output=True)
    ids = open_ids(graph)

    def another() -> str:
        words = [mb, "--json", "create", "to close"]
        made = subprocess.run(words, cwd=folder, env=ENV, check=True, capture_output=True)
        return json.loads(made.stdout)["id"]

    commands = {
        "list": lambda: [mb, "--json", "list"],
        "ready": lambda: [mb, "--json", "ready"],
        "create": lambda: [mb, "--json", "create", "A new issue", "-p", "1", "-l", "ops"],
        "close": lambda: [mb, "close", next(ids) if graph else another(), "-r", "done"],
    }
    return Tool("microbeads", folder, commands)


def as_task(issue: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """The issue as taskwarrior imports it."""
    closed = issue["status"] == "closed"
    links = [d["depends_on_id"] for d in issue.get("dependencies", []) if d["type"] == "blocks"]
    return {
        "uuid": names[issue["id"]],
        "description": issue["title"],
        "tags": issue["labels"],
        "entry": "20250101T000000Z",
        "status": "completed" if closed else "pending",
        "priority": "HMLLL"[issue["priority"]],
        "depends": [names[one] for one in links],
        **({"end": "20250102T000000Z"} if closed else {}),
    }


def taskwarrior(folder: Path, graph: list[dict[str, Any]]) -> Tool:
    base = [
        "task",
        f"rc.data.location={folder}",
        "rc.gc=off",
        "rc.confirmation=no",
        "rc.hooks=off",
        "rc.verbose=nothing",
    ]
    names = {issue["id"]: str(uuid.uuid5(uuid.NAMESPACE_OID, issue["id"])) for issue in graph}
    rows = [as_task(issue, names) for issue in graph]
    (folder / "in.json").write_text(json.dumps(rows))
    if rows:
        subprocess.run(
            [*base, "import", "in.json"], cwd=folder, env=ENV, check=True, capture_output=True
        )
    ids = (names[one] for one in open_ids(graph))

    def run(*words: str) -> str:
        made = subprocess.run([*base, *words], cwd=folder, env=ENV, check=True, capture_output=True)
        return made.stdout.decode()

    def another() -> str:
        run("add", "to close")
        return run("status:pending", "uuids").replace(",", " ").split()[0]

    commands = {
        "list": lambda: [*base, "export"],
        "ready": lambda: [*base, "+READY", "-BLOCKED", "limit:10", "export"],
        "create": lambda: [*base, "add", "A new issue", "+ops", "priority:H"],
        "close": lambda: [*base, next(ids) if graph else another(), "done"],
    }
    return Tool("taskwarrior", folder, commands)


def measure(tools: list[Tool], repeat: int) -> dict[tuple[str, str], Samples]:
    """Every command of every tool, in turns."""
    found: dict[tuple[str, str], Samples] = {}
    for command in BARS:
        for turn in range(repeat + 1):
            for tool in tools:
                into = found.setdefault((tool.name, command), Samples())
                words = tool.commands[command]()
                if turn:
                    timed(words, tool.folder, into)
                else:  # the first turn warms up and is weighed
                    into.rss = weighed(words, tool.folder)
    return found


def report(size: int, tools: list[Tool], found: dict[tuple[str, str], Samples]) -> bool:
    """Print one table; True when every bar that applies is met."""
    good = True
    print(
        f"\n{size:,} issues{'':<12}{'':>4}"
        + "".join(f"{tool.name:>26}" for tool in tools)
        + "   bd/microbeads"
    )
    for command, bar in BARS.items():
        cells = [found[tool.name, command] for tool in tools]
        shown = "".join(f"{cell.median:>14.1f} ms {cell.rss:>5.0f} MB" for cell in cells)
        ratio = cells[0].median / cells[1].median
        met = size < 10_000 or ratio <= bar
        good = good and met
        wanted = f"(bar {bar}: {'met' if met else 'MISSED'})" if size >= 10_000 else ""
        print(f"  {command:<22}{shown}   {ratio:>6.2f}  {wanted}")
    return good


def starting(bd: list[str], repeat: int) -> bool:
    """What `bd` costs over the bare interpreter, on an empty graph."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        subprocess.run([*bd, "init", "-q"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        ready = Samples(rss=weighed([*bd, "ready", "--json"], folder))
        floor = Samples(rss=weighed(FLOOR, folder))
        for _ in range(max(repeat, 10) * 2):
            timed(FLOOR, folder, floor)
            timed([*bd, "ready", "--json"], folder, ready)
    over = ready.median - floor.median
    met = over <= START_MS
    print(f"start: python -S -E -c pass {floor.median:.1f} ms {floor.rss:.0f} MB,", end=" ")
    print(f"bd ready {ready.median:.1f} ms {ready.rss:.0f} MB:", end=" ")
    print(f"{over:.1f} ms over it (bar {START_MS} ms: {'met' if met else 'MISSED'})")
    return met


def importing(bd: list[str], graph: list[dict[str, Any]]) -> bool:
    """A whole graph into an empty store."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, samples = Path(scratch), Samples()
        (folder / "in.jsonl").write_text("".join(json.dumps(issue) + "\n" for issue in graph))
        for turn in range(4):
            sandbox = [*bd, "--db", f"{turn}.jsonl"]
            subprocess.run(
                [*sandbox, "init", "-q"], cwd=folder, check=True, stdout=subprocess.DEVNULL
            )
            words = [*sandbox, "import", "-i", "in.jsonl"]
            if turn:
                timed(words, folder, samples)
            else:
                samples.rss = weighed(words, folder)
    met = samples.median < IMPORT_S * 1000 or len(graph) < 10_000
    print(f"import of {len(graph):,}: {samples.median:.0f} ms {samples.rss:.0f} MB", end=" ")
    print(f"(bar {IMPORT_S} s: {'met' if met else 'MISSED'})")
    return met


def find_microbeads(scratch: Path) -> str:
    """microbeads in an environment of its own."""
    folder = scratch / "microbeads"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run(
        [folder / "bin/pip", "install", "-q", "microbeads==0.3.0"],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return str(folder / "bin/mb")


def find_bd() -> list[str]:
    """The installed `bd` beside this interpreter, or the one of this checkout."""
    installed = Path(sys.executable).parent / "bd"
    return [str(installed)] if installed.exists() else [sys.executable, "-S", "-E", str(LAUNCHER)]


def main() -> int:
    """Print every table; 0 when all bars are met."""
    parser = argparse.ArgumentParser(description="bd beside microbeads and taskwarrior")
    parser.add_argument("--sizes", type=int, nargs="+", default=[0, 1_000, 10_000])
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--microbeads", default="")
    parser.add_argument("--slow", action="store_true", help="taskwarrior beyond 1,000 issues too")
    wanted = parser.parse_args()
    bd, good = find_bd(), True
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        mb = wanted.microbeads or find_microbeads(scratch)
        good = starting(bd, wanted.repeat) and good
        for size in wanted.sizes:
            graph = issues(size)
            folders = [scratch / f"{tool}{size}" for tool in ("bd", "mb", "task")]
            for folder in folders:
                folder.mkdir()
            tools = [ours(folders[0], graph, bd), microbeads(folders[1], graph, mb)]
            if shutil.which("task") and (size <= 1_000 or wanted.slow):
                tools.append(taskwarrior(folders[2], graph))
            good = (
                report(
                    size,
                    tools,
                    measure(tools, wanted.repeat if size < 10_000 or not wanted.slow else 2),
                )
                and good
            )
            for folder in folders:
                with suppress(OSError):
                    shutil.rmtree(folder)
        good = importing(bd, issues(max(wanted.sizes))) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
