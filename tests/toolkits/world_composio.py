"""The worlds of Composio's provider, on the sandbox in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable
from typing import Any

import httpx

from aicp.toolkits.providers import Where, named, open_provider
from aicp.toolkits.providers.base import Connection
from aicp.toolkits.providers.composio.provider import ComposioProvider

KEY = "aicp-sandbox"
KINDS = ("gmail", "hubspot", "slack", "linear")


@dataclass(frozen=True)
class Box:
    """A sandbox that is being served."""

    url: str
    folder: Path
    process: Popen[str]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(
            method, f"{self.url}{path}", json=body, headers={"x-api-key": KEY}, trust_env=False
        )
        assert answer.is_success, answer.text
        return answer.json()

    def reset(self) -> None:
        self.control("POST", "/sandbox/reset")

    def knobs(self, *rules: dict[str, Any]) -> None:
        self.control("PUT", "/sandbox/knobs", {"rules": list(rules)})

    def edit(self, value: Any, *path: str) -> None:
        """Somebody else changes a record behind the provider's back; None removes it."""
        self.control("POST", "/sandbox/edit", {"path": list(path), "value": value})

    def data(self, toolkit: str) -> Any:
        return self.control("GET", "/sandbox/state")["data"][toolkit]

    def connection(self, target: str, work: Path, **more: Any) -> Connection:
        """What `--connect composio:TARGET` makes, before anybody signed in."""
        made = named("composio", target, Where(Path, work, {"composio_url": self.url}))
        return Connection(
            made.toolkit, made.account, {**made.config, **more}, work, provider=made.provider
        )

    def signed_in(self, target: str, work: Path, *scopes: str, **more: Any) -> Connection:
        """The same after a person followed the Connect Link and approved; all scopes by default."""
        before = self.connection(target, work, **more)
        provider = composio(before)
        asked = scopes or tuple(provider.scopes_for(tuple(spec.name for spec in provider.tools())))
        link = provider.start_link(asked, metadata={"tenant": "t1", "mission": "m1"})
        press(link.url, "approve")
        return Connection(
            before.toolkit, before.account, {**before.config, "auth_ref": link.ref}, work,
            provider="composio",
        )  # fmt: skip


def composio(connection: Connection) -> ComposioProvider:
    provider = open_provider(connection)
    assert isinstance(provider, ComposioProvider)
    return provider


def press(url: str, decision: str, *scopes: str) -> httpx.Response:
    """What a person does on the page of a Connect Link."""
    form = {"decision": decision, "scope": list(scopes)}
    return httpx.post(url, data=form, trust_env=False)


@contextmanager
def sandbox(folder: Path, port: int = 0) -> Iterator[Box]:
    """The sandbox in a process of its own."""
    words = [executable, "-m", "aicp.toolkits.sandbox.composio.serve"]
    words += ["--dir", str(folder), "--port", str(port)]
    own = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSIO_")}
    with Popen(words, stdout=PIPE, text=True, env=own) as process:
        assert process.stdout is not None
        yield Box(process.stdout.readline().strip(), folder, process)
        process.terminate()
        process.wait(10)
