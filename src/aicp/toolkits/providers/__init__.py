"""Providers by name; an adapter is loaded the first time it is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from aicp.toolkits.providers.base import Connection, Provider, ProviderError

# provider "local": by toolkit
LOCAL: dict[str, str] = {
    "table": "aicp.toolkits.providers.local.table:open_table",
    "mail": "aicp.toolkits.providers.local.mail:LocalMail",
    "calendar": "aicp.toolkits.providers.local.calendar:LocalCalendar",
    "webhook": "aicp.toolkits.providers.local.webhook:LocalWebhook",
    "http": "aicp.toolkits.providers.local.check:HttpCheck",
    "inbox": "aicp.toolkits.providers.local.inbox:LocalInbox",
    "files": "aicp.toolkits.providers.local.folder_provider:LocalFiles",
    "git": "aicp.toolkits.providers.local.git_provider:LocalGit",
}
# every other provider serves whatever toolkits it finds
REMOTE: dict[str, str] = {
    "mcp": "aicp.toolkits.providers.mcp.provider:McpProvider",
    "composio": "aicp.toolkits.providers.composio.provider:ComposioProvider",
}
# what may follow `--connect`: KIND:TARGET -> a function (target, where) -> Connection
KINDS: dict[str, str] = {
    "composio": "aicp.toolkits.providers.composio.provider:named",
    "mcp": "aicp.toolkits.providers.mcp.declared:named",
    "webhook": "aicp.toolkits.providers.local.webhook_file:named",
    "check": "aicp.toolkits.providers.local.check:named",
    "inbox": "aicp.toolkits.providers.local.inbox:named",
    "files": "aicp.toolkits.providers.local.folder_provider:named",
    "git": "aicp.toolkits.providers.local.git_provider:named",
}


@dataclass(frozen=True, slots=True)
class Where:
    """What making a connection may look at."""

    inside: Callable[[str], Path]  # the real path of a name, refused outside the allowed folders
    work_dir: Path
    settings: Mapping[str, str]  # of this provider: servers, addresses; never a secret


def open_provider(connection: Connection, own: Mapping[str, str] | None = None) -> Provider:
    """The provider behind a connection.

    Args:
        own: a user's own providers by name, as "package.module:Class" (AICP_PROVIDERS).

    Raises:
        ProviderError: no provider is registered for it, or it cannot open its resource.
    """
    if connection.provider == "local":
        known: Mapping[str, str] = LOCAL
        name = connection.toolkit
    else:
        known = {**(own or {}), **REMOTE}
        name = connection.provider
    if name not in known:
        raise ProviderError(
            f"no provider serves '{name}'", hint=f"use one of: {', '.join(sorted(known))}"
        )
    return load(known[name])(connection)


def named(kind: str, target: str, where: Where, own: Mapping[str, str] | None = None) -> Connection:
    """The connection that `--connect KIND:TARGET` means.

    Raises:
        ProviderError: there is no such kind, or the target is not of its form.
    """
    known = {**KINDS, **{name: f"{path.split(':')[0]}:named" for name, path in (own or {}).items()}}
    if kind not in known:
        raise ProviderError(
            f"nothing can be connected as '{kind}'",
            hint=f"write KIND:TARGET with one of: {', '.join(sorted(known))}",
        )
    return load(known[kind])(target, where)


def load(path: str) -> Any:
    """What "package.module:name" names.

    Raises:
        ProviderError: it is not there.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ProviderError(
            f"the provider {path} cannot be loaded: {error}", hint="correct AICP_PROVIDERS"
        ) from error
