"""Opening what a mission is connected to, with the secrets and grants that belong to it."""

from __future__ import annotations

from dataclasses import replace

from aicp.errors import AicpError, UpstreamDown
from aicp.kernel.db import Actor
from aicp.missions import store
from aicp.missions.services import Services
from aicp.missions.store import ConnectionRow, Mission
from aicp.toolkits.providers import open_provider
from aicp.toolkits.providers.base import Provider, ProviderError


def open_providers(services: Services, mission: Mission, actor: Actor) -> dict[str, Provider]:
    """Every connection's provider by account.

    Raises:
        UpstreamDown: one cannot be opened.
    """
    with services.db.transaction(actor) as conn:
        rows = store.connections(conn, mission.id)
    try:
        return {row.account: open_one(services, row, actor) for row in rows}
    except ProviderError as error:
        raise UpstreamDown(error.message, hint=error.hint) from error


def open_one(services: Services, row: ConnectionRow, actor: Actor) -> Provider:
    """The provider behind one connection.

    Raises:
        ProviderError: it cannot be opened.
    """
    connection = row.opened_with(services.work_dir)
    return open_provider(
        replace(connection, secret=lambda name: _secret(services, actor, name)), services.providers
    )


def _secret(services: Services, actor: Actor, name: str) -> str:
    """A secret of the tenant by name, opened for the call that needs it and not kept."""
    if services.vault is None:
        raise ProviderError("no secret can be opened here", hint="set AICP_SECRET_KEY")
    try:
        with services.db.transaction(actor) as conn:
            return services.vault.named(conn, actor, name)
    except AicpError as error:
        raise ProviderError(error.message, hint=error.hint) from error
