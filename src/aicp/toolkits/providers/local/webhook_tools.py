"""The declared endpoints as tools: T0 reads, T4 with a compensating call, T5 without one."""

from __future__ import annotations

from aicp.toolkits.model import Json, ToolSpec, UndoTier
from aicp.toolkits.providers.local.webhook_file import Declaration, Endpoint

# Arguments of these names say who, where or how much, also when nobody declares them so.
TELLING = frozenset(
    (
        *("to", "cc", "bcc", "recipient", "recipients", "email", "phone", "user", "channel"),
        *("url", "uri", "link", "callback", "host", "path", "file", "folder", "sql", "query"),
        *("amount", "price", "total", "quantity", "currency", "account", "iban"),
    )
)


def tools_of(declared: Declaration) -> tuple[ToolSpec, ...]:
    """One tool for each endpoint; what it does where is part of its declaration."""
    return tuple(_tool(name, one) for name, one in declared.endpoints.items())


def _tool(name: str, endpoint: Endpoint) -> ToolSpec:
    reads = endpoint.effect == "reads"
    return ToolSpec(
        f"webhook.{name}",
        endpoint.title or name.replace("_", " ").capitalize(),
        f"{endpoint.method} {endpoint.url}",
        endpoint.body,
        mutates=not reads,
        undo_tier=_tier(endpoint),
        scope="webhook:read" if reads else f"webhook:{name}",
        undo="" if reads else undo_of(endpoint),
        sensitive=sensitive(endpoint),
        untrusted=True,
    )


def _tier(endpoint: Endpoint) -> UndoTier:
    if endpoint.effect == "reads":
        return UndoTier.T0
    return UndoTier.T4 if endpoint.compensate else UndoTier.T5


def undo_of(endpoint: Endpoint) -> str:
    """How a call is taken back, one sentence."""
    if endpoint.compensate is None:
        return "it cannot be taken back: no compensating call is declared"
    made_up = f"{endpoint.compensate.method} {endpoint.compensate.url}"
    return f"made up for by {made_up}; both calls stay in the other side's records"


def sensitive(endpoint: Endpoint) -> tuple[str, ...]:
    properties: Json = endpoint.body["properties"]
    known = {name for name in properties if name.casefold() in TELLING}
    return tuple(sorted(known | set(endpoint.sensitive)))
