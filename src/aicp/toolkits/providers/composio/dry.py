"""A dry run on Composio, where a later step may use what an earlier one would have made."""

from __future__ import annotations

from typing import Any

from aicp.toolkits.model import BeforeImage, Call, Json
from aicp.toolkits.providers.dry import DryRun
from aicp.toolkits.providers.local.checked import checked

MADE = "dry-run-"  # ids of things that a dry run pretends to have made


class ComposioDryRun(DryRun):
    """Gives what it would make an id, and takes such an id from a later step."""

    def before(self, call: Call) -> BeforeImage:
        """The real before-image; none for what an earlier step only pretended to make."""
        checked(self.tools(), call, mutates=True)
        return BeforeImage(MADE) if _pretended(call.args) else super().before(call)

    def _pretends(self, call: Call) -> Json:
        return {"id": f"{MADE}{call.key}"}


def _pretended(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_pretended(part) for part in value.values())
    if isinstance(value, list):
        return any(_pretended(part) for part in value)
    return isinstance(value, str) and value.startswith(MADE)
