"""The one place that speaks to Composio, through its SDK: no telemetry, no retries, no key kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.composio.failures import asked, refused
from aicp.toolkits.providers.local.settings import secret

if TYPE_CHECKING:
    from composio import Composio

KEY, URL = "COMPOSIO_API_KEY", "COMPOSIO_BASE_URL"
SANDBOX_KEY = "aicp-sandbox"  # what our sandbox takes; no other server knows it
MARK = "x-aicp-sandbox"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SECONDS = 60.0  # a request may take this long
PAGE = 500


class Remote:
    """Composio for one connection. Nothing is asked before the first call."""

    def __init__(self, connection: Connection) -> None:
        self._url = str(connection.config.get("url") or os.environ.get(URL, ""))
        self._seconds = float(connection.config.get("timeout", SECONDS))
        self.sandbox = False  # whether an answer said that it comes from our sandbox

    def version(self, toolkit: str) -> str:
        """The newest version of a toolkit."""
        return str(self._ask(lambda sdk: sdk.toolkits.get(toolkit)).meta.version)

    def toolkit(self, toolkit: str) -> Any:
        return self._ask(lambda sdk: sdk.toolkits.get(toolkit))

    def toolkits(self, limit: int) -> list[Any]:
        return list(self._ask(lambda sdk: sdk.toolkits.list(limit=limit)).items)

    def search(self, words: str, limit: int) -> list[Any]:
        """Tools of any toolkit that fit some words, best first."""
        return list(self._ask(lambda sdk: sdk.client.tools.list(query=words, limit=limit)).items)

    def tools(self, toolkit: str, version: str) -> Iterator[Any]:
        """Every tool of a toolkit in one version, as Composio describes it."""
        query: Json = {
            "toolkit_slug": toolkit,
            "toolkit_versions": {toolkit: version},
            "limit": PAGE,
        }
        while True:
            page = self._ask(lambda sdk: sdk.client.tools.list(**query))
            yield from page.items
            if not page.next_cursor or query.get("cursor") == page.next_cursor:
                return
            query["cursor"] = page.next_cursor

    def run(
        self, tool: str, args: Json, *, ref: str, user: str, version: str, effect: bool
    ) -> tuple[Json, str]:
        """Execute a tool once: what it answered, and Composio's id of the log entry.

        Raises:
            ProviderError: it failed; `unknown` when `effect` and it may have acted all the same.
        """
        whose: Json = {"connected_account_id": ref} if ref else {}
        whose |= {"user_id": user} if user else {}
        done = self._ask(
            lambda sdk: sdk.client.without_retries.tools.execute(
                tool_slug=tool, arguments=args, version=version, **whose
            ),
            effect=effect,
        )
        data = done.data if isinstance(done.data, dict) else {}
        if not done.successful:
            raise refused(data, str(done.error or data.get("message", "")), effect=effect)
        inner = data.get("response_data")  # how older versions wrap their answers
        return (inner if len(data) == 1 and isinstance(inner, dict) else data), str(
            done.log_id or ""
        )

    def account(self, ref: str) -> Any:
        return self._ask(lambda sdk: sdk.connected_accounts.get(ref))

    def revoke(self, ref: str) -> None:
        self._ask(lambda sdk: sdk.client.connected_accounts.revoke(ref))

    def delete(self, ref: str) -> None:
        self._ask(lambda sdk: sdk.client.connected_accounts.delete(ref))

    def auth_configs(self, toolkit: str) -> list[Any]:
        return list(self._ask(lambda sdk: sdk.auth_configs.list(toolkit_slug=toolkit)).items)

    def add_auth_config(self, toolkit: str, name: str, scopes: list[str]) -> str:
        options: Any = {
            "type": "use_composio_managed_auth",
            "name": name,
            "credentials": {"scopes": scopes},
        }
        return str(self._ask(lambda sdk: sdk.auth_configs.create(toolkit, options)).id)

    def link(self, config: str, user: str, alias: str) -> Any:
        """A Connect Link, by the client: the SDK's own form leaves out when it expires."""
        named: Json = {"alias": alias} if alias else {}
        return self._ask(
            lambda sdk: sdk.client.link.create(auth_config_id=config, user_id=user, **named)
        )

    def _ask(self, call: Callable[[Composio[Any, Any]], Any], *, effect: bool = False) -> Any:
        sdk = self._sdk
        from composio.core.models.base import allow_tracking

        # The switch lives in a context variable: another thread than the one that opened it has none.
        allow_tracking.set(False)
        return asked(lambda: call(sdk), effect=effect)

    @cached_property
    def _sdk(self) -> Composio[Any, Any]:
        url, key = address(self._url), key_for(self._url)
        return asked(lambda: self._open(url, key), effect=False)

    def _open(self, url: str, key: str) -> Composio[Any, Any]:
        import httpx
        from composio import Composio
        from composio.utils.logging import LogLevel

        def note(response: httpx.Response) -> None:
            self.sandbox = self.sandbox or response.headers.get(MARK) == "1"

        http = httpx.Client(
            event_hooks={"response": [note]}, trust_env=not is_loopback(url), timeout=self._seconds
        )
        where: Json = {"base_url": url} if url else {}
        return Composio(
            api_key=key, allow_tracking=False, max_retries=0, timeout=self._seconds,  # type: ignore[arg-type]
            http_client=http, logging_level=LogLevel.ERROR, **where,
        )  # fmt: skip


def address(url: str) -> str:
    """The base URL; "" for Composio itself.

    Raises:
        ProviderError: it would carry the key in the clear.
    """
    if url and not url.startswith("https://") and not is_loopback(url):
        raise ProviderError(
            f"{URL} would carry the key in the clear", hint="use https, or a sandbox on 127.0.0.1"
        )
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    try:
        return urlsplit(url).hostname in LOOPBACK
    except ValueError:
        return False


def key_for(url: str) -> str:
    """The key, read when it is needed and kept nowhere; on loopback the sandbox's, if there is none.

    Raises:
        ProviderError: there is no key.
    """
    try:
        return secret(KEY)
    except ProviderError:
        if is_loopback(url):
            return SANDBOX_KEY
        raise ProviderError(
            f"Composio needs a key and {KEY} is not set",
            hint=f"set {KEY}, or try it without one: run `aicp sandbox` and set {URL}",
        ) from None
