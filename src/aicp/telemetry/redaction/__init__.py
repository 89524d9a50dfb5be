"""What must never be logged, stored or shipped is replaced before any sink sees it (OB-3, OP-4).

`redact` is the one function that every path calls; `explain` says what it would find and where.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aicp.telemetry.redaction.detector import Context
from aicp.telemetry.redaction.keys import register, register_all
from aicp.telemetry.redaction.markers import Marks
from aicp.telemetry.redaction.walk import SETTINGS, Finding, Walk

__all__ = [
    "Context",
    "Finding",
    "configure",
    "errors",
    "explain",
    "redact",
    "register",
    "register_all",
    "without_secrets",
]

_ANYBODY = Context()
_SECRETS_ONLY = Context(content=True, only=frozenset({"SECRET", "CARD"}))


def configure(*, key: bytes = b"", regions: tuple[str, ...] = (), content: bool = False) -> None:
    """Set what holds for this process.

    Args:
        key: of the markers' hashes, 32 bytes; without one a random key of the process is used.
        regions: countries whose numbers are written without a prefix, unless a call names its own.
        content: keep free text of models and tools (redacted) instead of dropping it.
    """
    SETTINGS.marks, SETTINGS.regions, SETTINGS.content = Marks(key), regions, content


def redact(value: Any, context: Context | None = None) -> Any:
    """The same value as JSON has it, with secrets and personal data replaced by markers; keys as well.

    Idempotent, and never raises: what cannot be looked at becomes `[REDACTION_ERROR]`.

    Args:
        context: whose it is; without one the record's own `tenantId` is used.
    """
    return Walk(_context(value, context)).value(value)


def without_secrets(value: Any) -> Any:
    """The same value without credentials and card numbers; personal data stays.

    For what a tenant shows its own people: their errors, their evidence.
    """
    return Walk(_SECRETS_ONLY).value(value)


def explain(value: Any, context: Context | None = None) -> list[Finding]:
    """What `redact` would replace: pointer, offsets and kind, never the text."""
    found: list[Finding] = []
    Walk(_context(value, context), found).value(value)
    return found


def errors() -> int:
    """Fields dropped in this process because looking at them failed."""
    return SETTINGS.errors


def _context(value: Any, context: Context | None) -> Context:
    if context is None:
        tenant = value.get("tenantId") if type(value) is dict else None
        context = Context(tenant) if isinstance(tenant, str) and len(tenant) == 36 else _ANYBODY
    return (
        replace(context, regions=SETTINGS.regions)
        if SETTINGS.regions and not context.regions
        else context
    )
