"""What an audit found, what it looked at, and what it could not look at; as lines, JSON and SARIF."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. `where` is file:line or an entry; no value is repeated."""

    check: str
    where: str
    message: str
    level: Level = "error"

    @property
    def line(self) -> str:
        return f"{self.level}: {self.where}: {self.message} [{self.check}]"


@dataclass
class Report:
    """An audit's result. What was not checked is said and never counts as passed."""

    mode: str
    findings: list[Finding] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)  # check -> how many things it looked at
    unchecked: dict[str, str] = field(default_factory=dict)  # check -> why not

    def took(self, check: str, count: int, found: list[Finding]) -> None:
        """Note the outcome of one check; one that looked at nothing is not a pass."""
        if count:
            self.checked[check] = count
        else:
            self.unchecked[check] = "there was nothing to look at"
        self.findings += found

    @property
    def exit_code(self) -> int:
        """0 clean, 1 findings, 2 what matters could not be checked (OB-5): a sample that is empty never passes."""
        if self.findings:
            return 1
        wanted = {"check": "sites", "spot": "schema", "report": "schema"}[self.mode]
        return 0 if wanted in self.checked else 2

    @property
    def summary(self) -> str:
        """One line for people and for the issue."""
        looked = ", ".join(f"{name} {count}" for name, count in self.checked.items()) or "nothing"
        gaps = f"; not checked: {', '.join(self.unchecked)}" if self.unchecked else ""
        return f"telemetry audit, mode {self.mode}: {len(self.findings)} findings; looked at {looked}{gaps}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "mode": self.mode, "findings": [asdict(one) for one in self.findings],
            "checked": self.checked, "unchecked": self.unchecked, "exit_code": self.exit_code,
        }  # fmt: skip

    def as_sarif(self) -> dict[str, Any]:
        """SARIF 2.1.0, as code hosts show it."""
        rules = sorted({one.check for one in self.findings})
        return {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {"name": "aicp telemetry audit", "rules": [{"id": r} for r in rules]}},
                "results": [_result(one) for one in self.findings],
            }],
        }  # fmt: skip


def _result(found: Finding) -> dict[str, Any]:
    file, _, line = found.where.rpartition(":")
    place = (
        {
            "physicalLocation": {
                "artifactLocation": {"uri": file},
                "region": {"startLine": int(line)},
            }
        }
        if line.isdecimal()
        else {"logicalLocations": [{"name": found.where}]}
    )
    return {
        "ruleId": found.check, "level": found.level, "message": {"text": found.message},
        "locations": [place],
    }  # fmt: skip
