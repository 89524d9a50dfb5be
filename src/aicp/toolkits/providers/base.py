"""The protocol of a provider: one connected resource and everything that can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

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
        retry_after: seconds the other side asks to wait; it wins over our own backoff (TR-13).
        auth_expired: the grant is gone; only a new consent helps (TR-16).
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        retryable: bool = False,
        unknown: bool = False,
        retry_after: float = 0,
        auth_expired: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retryable = retryable
        self.unknown = unknown
        self.retry_after = retry_after
        self.auth_expired = auth_expired


def no_secrets(name: str) -> str:
    """The vault of a connection that was given none.

    Raises:
        ProviderError: always.
    """
    raise ProviderError(f"the secret '{name}' is not stored", hint="connect the account again")


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a resource. `config` never holds a secret, only the name of one.

    `secret` reads one from the vault; it raises ProviderError when there is none of that name.
    """

    toolkit: str
    account: str
    config: Json = field(default_factory=dict)
    work_dir: Path = Path()  # locks and holds live here, never beside the user's files
    provider: str = "local"  # who serves it: local, mcp, composio, or a name from the settings
    secret: Callable[[str], str] = field(default=no_secrets, repr=False, compare=False)


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


LinkState = Literal["initiated", "approved", "expired", "revoked", "failed"]


@dataclass(frozen=True, slots=True)
class Link:
    """A Connect Link: where a person signs in, and the other side's name for what comes of it."""

    url: str
    ref: str  # the connected account on the other side; no secret
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """What became of a link, and what the account may really do (TR-3, TR-5)."""

    state: LinkState
    scopes: tuple[str, ...] = ()  # granted, as the other side says
    why: str = ""  # failed, expired


@dataclass(frozen=True, slots=True)
class Probe:
    """What read-only tries say about a grant: a scope in neither set could not be tried."""

    works: frozenset[str] = frozenset()
    fails: frozenset[str] = frozenset()


@runtime_checkable
class NeedsConsent(Protocol):
    """A provider whose account a person must sign in to. Only the Inspector calls these (TR-2)."""

    def scopes_for(self, tools: tuple[str, ...]) -> dict[str, str]:
        """The narrowest scopes for some tools, each in plain words."""
        ...

    def start_link(self, scopes: tuple[str, ...], *, metadata: dict[str, str]) -> Link:
        """Begin a sign-in for exactly these scopes."""
        ...

    def grant(self, ref: str) -> Grant:
        """What became of the link behind `ref`."""
        ...

    def probe(self, ref: str) -> Probe:
        """Try what the grant can do, by reads without effect."""
        ...

    def revoke(self, ref: str) -> None:
        """Take the grant back on the other side; a grant that is gone is fine (TR-19)."""
        ...
