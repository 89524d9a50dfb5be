"""From a fresh clone to a finished, undone mission: `make demo`, and `make demo` again."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from bench.report import Line, Table
from bench.world import ROOT, World

HEADING = re.compile(r"^([A-Z]{4,9}) .*?(\d+\.\d) s$")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def bench(world: World) -> list[Table]:  # noqa: ARG001  the form of every benchmark
    """Clone what is committed, run it as a newcomer does, then once more."""
    with tempfile.TemporaryDirectory(prefix="aicp-clone-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        clone = folder / "aicp"
        began = time.perf_counter()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        cloned = time.perf_counter() - began
        install = _run(clone, "install")[0]
        try:
            first, first_phases = _run(clone, "demo")
            again, phases = _run(clone, "demo")
        finally:
            program = clone / ".venv/bin/aicp"
            subprocess.run([program, "--demo", "down"], cwd=clone, check=False, capture_output=True)
    return [_table(cloned, install, first, again, first_phases, phases)]


def _run(clone: Path, target: str) -> tuple[float, dict[str, float]]:
    """Seconds of one make, and the seconds each of the demo's phases took."""
    env = {
        k: v for k, v in os.environ.items() if not k.startswith(("AICP_", "PYTHON", "VIRTUAL_ENV"))
    }
    began = time.perf_counter()
    made = subprocess.run(
        ["make", target], cwd=clone, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    if made.returncode:
        raise AssertionError(f"make {target} failed:\n{made.stdout[-2000:]}")
    return seconds, phases_of(made.stdout)


def phases_of(text: str) -> dict[str, float]:
    """Seconds by heading: the demo stamps each heading with the time since it began."""
    plain = (ANSI.sub("", line) for line in text.splitlines())
    stamps = [(m[1], float(m[2])) for line in plain if (m := HEADING.match(line))]
    before = [0.0, *(at for _, at in stamps)]
    return {name: round(at - last, 1) for (name, at), last in zip(stamps, before, strict=False)}


def _table(
    cloned: float, install: float, first: float, again: float, first_phases: dict[str, float],
    phases: dict[str, float],
) -> Table:  # fmt: skip
    lines = [
        Line("git clone", cloned, "s"),
        Line("make install, warm package cache", install, "s"),
        Line("make demo, the first time", first, "s"),
        Line("clone to result", cloned + install + first, "s", most=90.0),
        Line("make demo again", again, "s", most=10.0),
    ]
    lines += [
        Line(
            f"  until {name}", seconds, "s", note=f"the first time {first_phases.get(name, 0.0)} s"
        )
        for name, seconds in phases.items()
    ]
    return Table("clone", "from a fresh clone to a mission done and undone", tuple(lines))
