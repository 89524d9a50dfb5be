"""python -m bench [names…] [--quick]: the benchmarks beside their bars. Exit 1 when a bar is missed.

`bd` is a program of its own with its own options: python bench/bd.py.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module

from bench.report import Table, load, save, show
from bench.world import World, world

USUAL = ("calls", "tools", "missions")
ALL = (*USUAL, "redaction", "ingest", "clone")  # these run only when they are named


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*ALL, []], help=f"which: {', '.join(ALL)} (usual: {', '.join(USUAL)})")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="few rounds: does it run, roughly how fast")  # fmt: skip
    given = parser.parse_args()
    found: list[Table] = []
    with world(quick=given.quick) as place:
        for name in given.names or USUAL:
            found += _run(name, place)
    path = save(found, at=datetime.now(UTC), quick=given.quick)
    missed = [line.what for table in found for line in table.lines if line.met is False]
    print(f"\n{path}\n{'missed: ' + '; '.join(missed) if missed else 'every bar is met'}")
    return 1 if missed else 0


def _run(name: str, place: World) -> list[Table]:
    before = load()
    tables = import_module(f"bench.{name}").bench(place)
    tables = [replace(table, load_before=before, load_after=load()) for table in tables]
    for table in tables:
        print(show(table), flush=True)
    return tables


if __name__ == "__main__":
    sys.exit(main())
