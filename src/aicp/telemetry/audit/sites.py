"""Where the product records events and writes log lines, read from its source without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aicp

SOURCE = Path(aicp.__file__).parent
RECORDERS = ("record", "_event", "tell_everybody")
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")


@dataclass(frozen=True, slots=True)
class Site:
    """One call that records an event; `keys` is None when its context is made elsewhere."""

    where: str  # "src/aicp/missions/plan.py:285"
    event: str | None  # None: its name is made at run time
    keys: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Odd:
    """A line that speaks past the one way of logging, and how."""

    where: str
    why: str


def sites(root: Path = SOURCE) -> list[Site]:
    """Every call of the package that records an event."""
    return [
        site
        for path, tree in _modules(root)
        for node, handed in _calls(tree)
        if (site := _site(path, node, handed)) is not None
    ]


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, frozenset[str]]]:
    """Each call, with the parameters of the recorder it stands in: what that one hands on is its callers'."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in RECORDERS:
            handed = frozenset(arg.arg for arg in (*node.args.args, *node.args.kwonlyargs))
            yield from ((n, handed) for n in ast.walk(node) if isinstance(n, ast.Call))
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and f.name in RECORDERS for n in ast.walk(f)}  # fmt: skip
    yield from (
        (n, frozenset()) for n in ast.walk(tree) if isinstance(n, ast.Call) and id(n) not in inside
    )


def odd_lines(root: Path = SOURCE) -> list[Odd]:
    """Log messages made at run time, and output that passes the redaction by (OB-2, OP-4)."""
    return [
        Odd(f"{path}:{node.lineno}", why)
        for path, tree in _modules(root)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and (why := _odd(path, node))
    ]


def _modules(root: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(root.rglob("*.py")):
        place = f"src/aicp/{path.relative_to(root).as_posix()}"
        yield place, ast.parse(path.read_text(encoding="utf-8"))


def _site(path: str, node: ast.Call, handed: frozenset[str]) -> Site | None:
    if not isinstance(node.func, ast.Name) or node.func.id not in RECORDERS or len(node.args) < 3:
        return None
    if handed & {arg.id for arg in node.args if isinstance(arg, ast.Name)} >= {"context"}:
        return None
    event = next((a.value for a in node.args if isinstance(a, ast.Constant)), None)
    return Site(f"{path}:{node.lineno}", event if isinstance(event, str) else None, _keys(node))


def _keys(node: ast.Call) -> frozenset[str] | None:
    """The keys of a context that is written where it is recorded, also as `{…} | {…}`."""
    context = next((a for a in node.args if isinstance(a, ast.Dict | ast.BinOp)), None)
    while isinstance(context, ast.BinOp):
        context = context.left
    if not isinstance(context, ast.Dict):
        return None
    keys = [key.value for key in context.keys if isinstance(key, ast.Constant)]
    return frozenset(map(str, keys)) if len(keys) == len(context.keys) else None


def _odd(path: str, node: ast.Call) -> str:
    speaks = path.startswith(("src/aicp/cli/", "src/aicp/issues/"))  # commands talk to people
    if isinstance(node.func, ast.Name) and node.func.id == "print" and not speaks:
        return "prints instead of logging"
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in LEVELS:
        return ""
    if isinstance(node.func.value, ast.Name) and node.func.value.id == "logging":
        return "logs by the root logger, without the product's fields"
    if isinstance(node.func.value, ast.Name) and node.func.value.id == "log":
        first = node.args[0] if node.args else None
        if isinstance(first, ast.JoinedStr | ast.BinOp):
            return "makes its message at run time: name the event, and put values into fields"
    return ""
