"""A rehearsal where no copy can be had: every call is checked and looked at, and none is made.

Outcomes are marked {"dry_run": true}: they prove that the calls would be accepted and what their
before-images are, not that their undo restores the state. Later steps see the world as it is, not as
earlier ones would leave it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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


class DryRun:
    """A provider with its hands tied: what reads, reads; what changes, only says that it would."""

    def __init__(self, real: Provider) -> None:
        self.connection = real.connection
        self._real = real

    def tools(self) -> tuple[ToolSpec, ...]:
        return self._real.tools()

    def describe(self) -> Resource:
        return self._real.describe()

    def read(self, call: Call) -> Json:
        return self._real.read(call)

    def before(self, call: Call) -> BeforeImage:
        return self._real.before(call)

    def execute(self, call: Call, before: BeforeImage) -> Outcome:
        checked(self.tools(), call, mutates=True)
        return Outcome({"dry_run": True, **self._pretends(call)}, before.version)

    def verify(self, call: Call, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def reconcile(self, call: Call, before: BeforeImage) -> Reconciled:  # noqa: ARG002
        return Reconciled(Found.NOT_DONE)

    def undo(self, call: Call, before: BeforeImage, outcome: Outcome) -> UndoResult:  # noqa: ARG002
        return UndoResult(UndoStatus.ALREADY, why="this was a dry run: nothing was done")

    def release(self, call: Call, outcome: Outcome) -> Outcome:  # noqa: ARG002
        raise ProviderError(f"this is a dry run: {call.tool} lets nothing go")

    def reconcile_release(self, call: Call, outcome: Outcome) -> Reconciled:  # noqa: ARG002
        raise ProviderError(f"this is a dry run: {call.tool} lets nothing go")

    def state_hash(self) -> str:
        return self._real.state_hash()

    @contextmanager
    def rehearsal(self) -> Iterator[Provider]:
        yield self

    def _pretends(self, call: Call) -> Json:  # noqa: ARG002
        """What later steps may refer to, as if the call had been made."""
        return {}
