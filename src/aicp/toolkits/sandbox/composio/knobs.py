"""What shall go wrong: rules in `knobs.json`, set by hand or through the control routes.

A rule is {"do": …, "tool": "GMAIL_*" or "*", "times": n}; without `times` it holds until removed.
A request may bring one of its own: `x-sandbox-knob: rate_limit; retry_after=3`.

    rate_limit      429 with Retry-After (retry_after, seconds)          before the effect
    server_error    5xx (status)                                         before the effect
    lost            5xx (status), though the effect happened             after the effect
    slow            answers after `seconds`                              after the effect
    auth_expired    the account's grant is gone: its state says EXPIRED  before the effect
    not_found       the tool is unknown
    malformed       200 with half of a JSON text                         after the effect
    injected        `text` is added to every text of the result          after the effect
    narrower        a Connect Link grants only the first scope asked for
    broader         a Connect Link grants more than was asked for
    fails           a Connect Link ends as FAILED
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from aicp.toolkits.sandbox.composio.kit import Json

FILE = "knobs.json"
DOES = frozenset(
    {
        "rate_limit", "server_error", "lost", "slow", "auth_expired", "not_found", "malformed",
        "injected", "narrower", "broader", "fails",
    }
)  # fmt: skip


class Knobs:
    """The rules of one sandbox folder, read anew for each request."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def rules(self) -> list[Json]:
        try:
            return json.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return []

    def set(self, rules: list[Json]) -> None:
        """Replace all rules.

        Raises:
            ValueError: a rule does nothing that is known.
        """
        for rule in rules:
            if rule.get("do") not in DOES:
                raise ValueError(f"'do' is one of: {', '.join(sorted(DOES))}")
        spare = self._path.with_suffix(".tmp")
        spare.write_text(json.dumps(rules), encoding="utf-8")
        spare.replace(self._path)

    def take(self, tool: str, *does: str, header: str = "") -> Json | None:
        """The first rule for a tool that does one of these; a rule with `times` is used up by it."""
        own = _from_header(header)
        if own is not None:
            return own if own["do"] in does else None
        rules = self.rules()
        for place, rule in enumerate(rules):
            if rule["do"] in does and fnmatchcase(tool, rule.get("tool", "*")):
                if "times" in rule:
                    rule["times"] -= 1
                    self.set(rules[:place] + [rule] * (rule["times"] > 0) + rules[place + 1 :])
                return rule
        return None


def _from_header(header: str) -> Json | None:
    if not header:
        return None
    head, *rest = (part.strip() for part in header.split(";"))
    pairs = (part.partition("=") for part in rest)
    return {"do": head, **{name: _number(value) for name, _, value in pairs}}


def _number(text: str) -> Any:
    return int(text) if text.isdigit() else text
