"""What a benchmark found, beside its bar, as a table for people and as JSON for machines."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Line:
    """One number. `most` is an upper bar, `least` a lower one; without either it only informs."""

    what: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None
    note: str = ""

    @property
    def bar(self) -> str:
        if self.most is not None:
            return f"≤ {self.most:g} {self.unit}"
        return f"≥ {self.least:g} {self.unit}" if self.least is not None else ""

    @property
    def met(self) -> bool | None:
        """Whether the bar holds; None when there is none."""
        if self.most is not None:
            return self.value <= self.most
        return self.value >= self.least if self.least is not None else None

    @property
    def verdict(self) -> str:
        """Met or missed, and by what share of the bar."""
        if self.met is None:
            return ""
        bar = self.most if self.most is not None else self.least
        if not bar:  # a share of nothing says nothing
            return "met" if self.met else "MISSED"
        return f"{'met' if self.met else 'MISSED'} by {abs(self.value - bar) / bar:.0%}"  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers of one benchmark; the loads are those of the machine's last minute."""

    name: str
    title: str
    lines: tuple[Line, ...]
    load_before: float = 0.0
    load_after: float = 0.0
    rounds: dict[str, list[float]] = field(default_factory=dict)  # raw series, for the JSON only


def show(table: Table) -> str:
    """The table as aligned text."""
    head = ("", "measured", "bar", "", "")
    rows = [head] + [
        (line.what, f"{_figure(line.value)} {line.unit}", line.bar, line.verdict, line.note)
        for line in table.lines
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    body = [
        f"  {row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]:<{widths[3]}}  {row[4]}".rstrip()
        for row in rows
    ]
    load = f"load {table.load_before:.1f} → {table.load_after:.1f} on {os.cpu_count()} cores"
    return "\n".join([f"\n{table.name}: {table.title}   ({load})", *body])


def save(tables: list[Table], *, at: datetime, quick: bool) -> Path:
    """Write the run into results/<moment>.json; returns the path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{at.astimezone(UTC):%Y-%m-%dT%H%M%SZ}.json"
    told: dict[str, Any] = {
        "at": at.astimezone(UTC).isoformat(), "commit": commit(), "quick": quick,
        "python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count(),
        "tables": [
            asdict(t) | {"lines": [asdict(line) | {"met": line.met} for line in t.lines]} for t in tables
        ],
    }  # fmt: skip
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def commit() -> str:
    """The commit this tree is at, with + when it was changed; "" outside git."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return said.stdout.strip()


def load() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value < 100 else f"{value:.0f}"
