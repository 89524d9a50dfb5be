"""A rehearsal against an account that cannot be copied: everything is checked and read, nothing done.

What it gives is marked {"dry_run": true}: it proves that the calls would be accepted and what their
before-images are, not that their undo restores the state.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aicp.toolkits.model import (
    BeforeImage,
    Call,
    Found,
    Json,
    Outcome,
    Reconciled,
    Resource,
    ToolSpec,
    UndoResult,
    UndoStatus,
)
from aicp.toolkits.providers.base import Provider, ProviderError
from aicp.toolkits.providers.local.checked import checked

if TYPE_CHECKING:
    from aicp.toolkits.providers.composio.provider import ComposioProvider

MADE = "dry-run-"  # ids of things that a dry run pretends to have made


class DryRun:
    """The provider with its hands tied."""

    def __init__(self, real: ComposioProvider) -> None:
        self.connection = real.connection
        self._real = real

    def tools(self) -> tuple[ToolSpec, ...]:
        return self._real.tools()

    def describe(self) -> Resource:
        return self._real.describe()

    def read(self, call: Call) -> Json:
        return self._real.read(call)

    def before(self, call: Call) -> BeforeImage:
        """The real before-image; none for what an earlier step only pretended to make."""
        checked(self.tools(), call, mutates=True)
        if _pretended(call.args):
            return BeforeImage(MADE)
        return self._real.before(call)

    def execute(self, call: Call, before: BeforeImage) -> Outcome:
        checked(self.tools(), call, mutates=True)
        return Outcome({"dry_run": True, "id": f"{MADE}{call.key}"}, before.version)

    def verify(self, call: Call, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def reconcile(self, call: Call, before: BeforeImage) -> Reconciled:  # noqa: ARG002
        return Reconciled(Found.NOT_DONE)

    def undo(self, call: Call, before: BeforeImage, outcome: Outcome) -> UndoResult:  # noqa: ARG002
        return UndoResult(UndoStatus.ALREADY, why="this was a dry run: nothing was done")

    def release(self, call: Call, outcome: Outcome) -> Outcome:  # noqa: ARG002
        raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")

    def reconcile_release(self, call: Call, outcome: Outcome) -> Reconciled:  # noqa: ARG002
        raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")

    def state_hash(self) -> str:
        return self._real.state_hash()

    @contextmanager
    def rehearsal(self) -> Iterator[Provider]:
        yield self


def _pretended(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_pretended(part) for part in value.values())
    if isinstance(value, list):
        return any(_pretended(part) for part in value)
    return isinstance(value, str) and value.startswith(MADE)
