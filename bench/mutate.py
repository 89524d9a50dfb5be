"""python bench/mutate.py [--count 60] [--seed 1]: change one decision of the redactor at a time; do tests notice?

A copy of the package is changed, never the tree: a comparison turned round, `and` for `or`, a condition negated, a
number off by one, a truth flipped. A mutant that all tests pass survives and is named, with its line.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("aicp/telemetry/redaction")
TESTS = ("tests/telemetry/test_odd_lines.py", "tests/telemetry/test_redaction.py")
SLOW = "long_text or every_engine"
_SWAPS = {
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    mutants = [
        (path, n)
        for path in sorted((ROOT / "src" / PACKAGE).glob("*.py"))
        for n in range(_places(path))
    ]
    chosen = Random(given.seed).sample(mutants, min(given.count, len(mutants)))
    survivors = []
    with tempfile.TemporaryDirectory(prefix="aicp-mutants-") as folder:
        copy = Path(folder) / "src"
        shutil.copytree(ROOT / "src", copy)
        if not _passes(copy):
            print("the tests fail without any change: nothing was measured")
            return 2
        for path, number in chosen:
            what = _survives(copy, path, number)
            print("." if not what else f"\nsurvived: {what}", end="", flush=True)
            survivors += [what] if what else []
    killed = len(chosen) - len(survivors)
    print(
        f"\n{killed} of {len(chosen)} mutants killed ({killed / len(chosen):.0%}), out of {len(mutants)} there are"
    )
    return 0


def _survives(copy: Path, path: Path, number: int) -> str:
    """The change when no test notices it, "" when one does."""
    target = copy / PACKAGE / path.name
    source = path.read_text(encoding="utf-8")
    mutated, what = _mutate(source, number)
    try:
        target.write_text(mutated, encoding="utf-8")
        return f"{path.name}:{what}" if _passes(copy) else ""
    finally:
        target.write_text(source, encoding="utf-8")


def _passes(copy: Path) -> bool:
    env = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-k",
        f"not ({SLOW})",
        *TESTS,
    ]
    try:
        done = subprocess.run(
            words, cwd=ROOT, env=env, capture_output=True, check=False, timeout=240
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _places(path: Path) -> int:
    return sum(1 for _ in _decisions(ast.parse(path.read_text(encoding="utf-8"))))


def _decisions(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node inside a function that can be changed; tables are data and are left alone."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if _changeable(node):
                    yield node


def _changeable(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        return type(node.ops[0]) in _SWAPS
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, bool)
    return isinstance(node, ast.BoolOp | ast.IfExp | ast.If)


def _mutate(source: str, number: int) -> tuple[str, str]:
    tree = ast.parse(source)
    node = [*_decisions(tree)][number]
    before = ast.unparse(node).splitlines()[0]
    if isinstance(node, ast.Compare):
        node.ops[0] = _SWAPS[type(node.ops[0])]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.IfExp | ast.If):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.Constant):
        node.value = (not node.value) if isinstance(node.value, bool) else node.value + 1
    return ast.unparse(
        ast.fix_missing_locations(tree)
    ), f"{getattr(node, 'lineno', 0)}: {before}  ->  {ast.unparse(node).splitlines()[0]}"


if __name__ == "__main__":
    sys.exit(main())
