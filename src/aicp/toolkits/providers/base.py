"""The protocol of a provider: one connected resource and everything that can be done with it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from aicp.toolkits.model import (
    BeforeImage,
    Call,
    Json,
    Outcome,
    Reconciled,
    Resource,
    ToolSpec,
    UndoResult,
)


class ProviderError(Exception):
    """The thing outside failed. The call certainly had no effect unless `unknown` is set.

    Args:
        message: one sentence: what failed and why.
        hint: how to fix it.
        retryable: the same call may be tried again.
        unknown: the effect may have happened (a timeout after the request left): reconcile.
    """

    def __init__(
        self, message: str, *, hint: str = "", retryable: bool = False, unknown: bool = False
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retryable = retryable
        self.unknown = unknown


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a resource. `config` never holds a secret, only the name of its setting."""

    toolkit: str
    account: str
    config: Json = field(default_factory=dict)
    work_dir: Path = Path()  # locks and holds live here, never beside the user's files


class Provider(Protocol):
    """Every method may raise ProviderError; none sleeps, retries, or reads the wall clock.

    A mutating call goes: before -> (journal) -> execute -> verify -> (journal);
    after a crash: reconcile; to take it back: undo.
    """

    connection: Connection

    def tools(self) -> tuple[ToolSpec, ...]: ...

    def describe(self) -> Resource:
        """Inspect without touching: shape, counts, version (TR-1)."""
        ...

    def read(self, call: Call) -> Json:
        """Run a tool whose spec has mutates=False. State is unchanged, byte for byte."""
        ...

    def before(self, call: Call) -> BeforeImage:
        """What is there now. Raises ProviderError when the call cannot apply (no such row)."""
        ...

    def execute(self, call: Call, before: BeforeImage) -> Outcome:
        """Apply once. The same key again gives the first outcome and no second effect.

        Refuses (ProviderError) when the thing's version is no longer `before.version`.
        """
        ...

    def verify(self, call: Call, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:
        """Read back; one sentence for each way the world is not as the call promised (TR-11)."""
        ...

    def reconcile(self, call: Call, before: BeforeImage) -> Reconciled:
        """Whether a call of unknown outcome happened, found by reading back."""
        ...

    def undo(self, call: Call, before: BeforeImage, outcome: Outcome) -> UndoResult:
        """Restore the before-image if nobody changed the thing since; twice is as good as once."""
        ...

    def release(self, call: Call, outcome: Outcome) -> Outcome:
        """T3 only: let a held effect go (a mail leaves). Same key, same idempotency rules."""
        ...

    def reconcile_release(self, call: Call, outcome: Outcome) -> Reconciled: ...

    def state_hash(self) -> str:
        """SHA-256 over everything this connection can change, in a stable order."""
        ...

    def rehearsal(self) -> AbstractContextManager[Provider]:
        """The same provider on a private copy of the state, gone afterwards."""
        ...
