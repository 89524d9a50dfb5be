"""Every SQL text of the package, found in its syntax tree, as the server would get it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

from psycopg import sql

import aicp

SOURCE = Path(aicp.__file__).parent
# What looks as if it were a statement: the first word of one, or a query with its names first.
STATEMENT = re.compile(
    r"\s*(select|insert|update|delete|with|merge|truncate|lock|notify|listen)\b", re.IGNORECASE
)
RUNS = ("execute", "executemany", "stream", "copy")


@dataclass(frozen=True)
class Found:
    """One call that runs a statement. `texts` are its variants; none when it could not be read."""

    where: str  # "missions/store.py:get"
    line: int
    texts: tuple[str, ...]
    row_class: type | None = None


def found() -> Iterator[Found]:
    """Every call of `.execute(…)` and its like in the package, in order."""
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if ".execute" in text:
            yield from _Module(path, ast.parse(text)).found()


class _Module:
    def __init__(self, path: Path, tree: ast.Module) -> None:
        self.name = path.relative_to(SOURCE).as_posix()
        self.tree = tree

    @property
    def names(self) -> dict[str, Any]:
        return vars(import_module("aicp." + self.name.removesuffix(".py").replace("/", ".")))

    def found(self) -> Iterator[Found]:
        functions = [
            n for n in ast.walk(self.tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        for function in functions:
            local = _assigned(function)
            for call in ast.walk(function):
                if _runs(call) and _innermost(call, functions) is function:
                    texts = tuple(self._texts(call.args[0], local))
                    row = self._row_class(call.func.value, local)
                    yield Found(f"{self.name}:{function.name}", call.lineno, texts, row)

    def _texts(self, node: ast.expr, local: dict[str, ast.expr]) -> list[str]:
        """The variants of a text that is put together; none when a part is known at run time only."""
        match node:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.JoinedStr(values=parts):
                pieces = [p.value if isinstance(p, ast.FormattedValue) else p for p in parts]
                return ["".join(p) for p in product(*(self._texts(one, local) for one in pieces))]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return [
                    a + b for a, b in product(self._texts(left, local), self._texts(right, local))
                ]
            case ast.IfExp(body=body, orelse=orelse):
                return [*self._texts(body, local), *self._texts(orelse, local)]
            case ast.Call(func=ast.Attribute(attr="SQL"), args=[inner]):
                return self._texts(inner, local)
            case ast.Name(id=name) if name in local:
                return self._texts(local[name], {k: v for k, v in local.items() if k != name})
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in self.names:
                value = self.names[name]
                value = value.as_string(None) if isinstance(value, sql.Composable) else value
                return [value] if isinstance(value, str) else []
            case _:
                return []

    def _row_class(self, node: ast.expr, local: dict[str, ast.expr]) -> type | None:
        if isinstance(node, ast.Name) and node.id in local:
            node = local[node.id]
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call) and getattr(inner.func, "id", "") == "class_row":
                return self.names[inner.args[0].id]  # type: ignore[attr-defined]
        return None


def _runs(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in RUNS
        and bool(node.args)
    )


def _innermost(call: ast.AST, functions: list[Any]) -> Any:
    around = [f for f in functions if f.lineno <= call.lineno <= (f.end_lineno or 0)]
    return max(around, key=lambda f: f.lineno)


def _assigned(function: ast.AST) -> dict[str, ast.expr]:
    """Names that are given one value in a function, and the expression of it."""
    seen: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Assign)
            and len(node.targets) == 1
            and isinstance(node.targets[0], ast.Name)
        ):
            seen.setdefault(node.targets[0].id, []).append(node.value)
        if isinstance(node, ast.With):
            for item in node.items:
                if isinstance(item.optional_vars, ast.Name):
                    seen.setdefault(item.optional_vars.id, []).append(item.context_expr)
    return {name: values[0] for name, values in seen.items() if len(values) == 1}


def numbered(text: str) -> str:
    """The text with psycopg's placeholders as the server's: %s and %(name)s become $1, $2 …"""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        name = match[1] or f"#{len(names)}"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return re.sub(r"%%|%\((\w+)\)[sbt]|%[sbt]", number, text)


LITERAL = re.compile(
    r"\s*(select\s.*(\sfrom\s|\()|insert into\s|update \w+ set\s|delete from\s|with \w+ as \()",
    re.IGNORECASE | re.DOTALL,
)


def literals() -> Iterator[tuple[str, str]]:
    """(file, text) of every string of the package that begins like a statement, wherever it stands."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and LITERAL.match(node.value)
            ):
                yield path.relative_to(SOURCE).as_posix(), node.value
