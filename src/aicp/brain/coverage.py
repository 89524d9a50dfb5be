"""How much of a brief the connected resources can serve (TR-6): four weighted parts, gaps named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aicp.brain.brief import Brief, Coverage, CoveragePart
from aicp.brain.needs import candidates, needs, table_of
from aicp.brain.playbook import PlayFile
from aicp.toolkits.model import Resource

WEIGHTS = {"objective": 0.3, "data": 0.3, "safeguards": 0.2, "connections": 0.2}
Reads = Mapping[str, Mapping[str, Any]]


def coverage(brief: Brief, resources: Sequence[Resource], reads: Reads) -> Coverage:
    """Coverage in percent, by part. Questions still open count against the objective."""
    parts = (
        _objective(brief),
        _data(brief, resources, reads),
        _safeguards(brief, resources),
        _connections(brief, resources),
    )
    total = sum(part.percent * part.weight for part in parts)
    return Coverage(percent=round(total, 1), parts=parts)


def _part(name, checks: Sequence[tuple[bool, str]]) -> CoveragePart:  # noqa: ANN001 (one of four names)
    gaps = tuple(gap for holds, gap in checks if not holds)
    percent = 100 * sum(holds for holds, _ in checks) / len(checks) if checks else 100.0
    return CoveragePart(name=name, percent=round(percent, 1), weight=WEIGHTS[name], gaps=gaps)


def _objective(brief: Brief) -> CoveragePart:
    goal = brief.objective.goal.goal if brief.objective and brief.objective.goal else ""
    checks = [
        (
            bool(candidates(brief)),
            f"No play does '{goal}'." if goal else "The objective is not clear.",
        )
    ]
    checks += [(False, f"Open question: {q.text}") for q in brief.questions]
    return _part("objective", checks)


def _data(brief: Brief, resources: Sequence[Resource], reads: Reads) -> CoveragePart:
    table, audience = table_of(brief, resources), brief.audience
    checks = [(table is not None, "The table of the audience is not connected.")]
    columns = {c.name: c for c in table.columns} if table else {}
    for condition in (*audience.where, *audience.exclude) if audience and table else ():
        column = columns.get(condition.column)
        checks.append((column is not None, f"The table has no column {condition.column}."))
        if column and table and table.rows:
            share = 1 - column.nulls / table.rows
            checks.append(
                (share >= 0.5, f"{column.name} is empty in {column.nulls} of {table.rows} rows.")
            )
    if brief.objective:
        found = len(reads.get("rows", {}).get("rows", []))
        wanted = [r.id for r in needs(brief, resources) if not r.id.startswith("left-")]
        missing = [read_id for read_id in wanted if read_id not in reads]
        checks.append((not missing, f"Not read yet: {', '.join(missing)}."))
        checks.append((found > 0, "No row meets the conditions."))
    return _part("data", checks)


def _safeguards(brief: Brief, resources: Sequence[Resource]) -> CoveragePart:
    """A safeguard is served when what its check looks at is there."""
    table = table_of(brief, resources)
    columns = {c.name for c in table.columns} if table else set()
    checks: list[tuple[bool, str]] = []
    for guard in brief.safeguards:
        column = guard.params.get("zone_column") or guard.params.get("column") or ""
        if guard.kind == "window" and guard.params.get("zone") == "recipient" and not column:
            checks.append(
                (
                    False,
                    "The send window wants the recipients' time, and no column holds their zone.",
                )
            )
        elif column:
            checks.append((column in columns, f"'{guard.text}' needs the column {column}."))
        else:
            checks.append((True, ""))
    return _part("safeguards", checks)


def _connections(brief: Brief, resources: Sequence[Resource]) -> CoveragePart:
    """The best-served candidate play decides: each of its tools connected, or named as a gap."""
    offered = {tool for r in resources for tool in r.tools}
    plays = candidates(brief)
    if not plays:
        return _part("connections", [(bool(resources), "Nothing is connected.")])
    best = max(plays, key=lambda p: (_share(p, offered), -p.order))
    wanted = plays[0] if _share(plays[0], offered) == 1 else best
    names = dict.fromkeys(s.tool for s in wanted.steps)
    return _part("connections", [(name in offered, f"{name} is not connected.") for name in names])


def _share(play: PlayFile, offered: set[str]) -> float:
    return sum(tool in offered for tool in play.tools) / len(play.tools)
