"""Providers by toolkit name; an adapter is loaded the first time it is opened."""

from __future__ import annotations

from importlib import import_module

from aicp.toolkits.providers.base import Connection, Provider, ProviderError

PROVIDERS: dict[str, str] = {
    "table": "aicp.toolkits.providers.local.table:open_table",
    "mail": "aicp.toolkits.providers.local.mail:LocalMail",
    "calendar": "aicp.toolkits.providers.local.calendar:LocalCalendar",
}


def open_provider(connection: Connection) -> Provider:
    """The provider behind a connection.

    Raises:
        ProviderError: no provider is registered for the toolkit, or it cannot open its resource.
    """
    try:
        module, name = PROVIDERS[connection.toolkit].split(":")
    except KeyError:
        known = ", ".join(sorted(PROVIDERS))
        raise ProviderError(
            f"no provider serves the toolkit '{connection.toolkit}'", hint=f"use one of: {known}"
        ) from None
    return getattr(import_module(module), name)(connection)
