"""A declared server as the provider uses it: checked, its tools listed, its answers made plain JSON."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mcp import Client, MCPError
from mcp.types import (
    CONNECTION_CLOSED,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    REQUEST_TIMEOUT,
    CallToolResult,
    TextContent,
)

from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.local import settings
from aicp.toolkits.providers.mcp import session as sessions
from aicp.toolkits.providers.mcp.form import Secret, Server
from aicp.toolkits.providers.mcp.session import Launch

Made = TypeVar("Made")
PAGES = 50  # of tools; a list that never ends is cut
SHORT = 4  # characters: a secret of fewer cannot be told from other text, and is not hidden
REFUSED = frozenset({INVALID_PARAMS, METHOD_NOT_FOUND})  # said before anything was done


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool as the server describes it. None of it is trusted."""

    name: str
    description: str
    schema: Json
    hints: Json  # readOnlyHint and the like


@dataclass(frozen=True, slots=True)
class Listing:
    """Who the server says it is, and what it offers."""

    name: str
    version: str
    instructions: str
    tools: dict[str, Offered]


def shown(text: str, longest: int = 80) -> str:
    """A stranger's words on one line, without control characters, cut."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:longest]


class ToolFailed(ProviderError):
    """The server answered that the tool failed. Whether it did anything is another question."""

    said = ""  # the server's own words, for finding out that there is no such thing


class Remote:
    """One declared server. Holds no session itself: another process asks for its own."""

    def __init__(self, name: str, declared: Server, launch: Launch) -> None:
        self.name = name
        self.declared = declared
        self.launch = launch

    def listing(self) -> Listing:
        """What the server offers now.

        Raises:
            ProviderError: it does not start or answer, or is not of the pinned version.
        """
        found = self._reading(_listed, "the list of its tools")
        if found.version != self.declared.version:
            raise ProviderError(
                f"the MCP server '{self.name}' is version {found.version or '(unsaid)'}, "
                f"and {self.declared.version} was declared",
                hint="look at what changed, then declare the version it has now",
            )
        return found

    def read(self, tool: str, args: Json) -> Json:
        """The answer of a tool that only reads. A server that died is started again, once.

        Raises:
            ToolFailed: the server says that the tool failed.
            ProviderError: it does not answer, or answers more than is allowed.
        """
        result = self._reading(lambda client: self._called(client, tool, args), tool)
        data = self._plain(result)
        if result.is_error:
            raise self._failed(tool, str(data.get("text") or data))
        size = len(json.dumps(data))
        if size > self.declared.max_bytes:
            raise ProviderError(
                f"{tool} of '{self.name}' answered {size} bytes; {self.declared.max_bytes} are allowed",
                hint="ask for less, or raise 'max_bytes' of the server",
            )
        return data

    def change(self, tool: str, args: Json) -> Json:
        """The answer of a tool that changes something; asked once, whatever happens.

        Raises:
            ToolFailed: the server says that the tool failed.
            ProviderError: `unknown` unless the server certainly did nothing.
        """
        session = sessions.kept(self.launch)
        try:
            result = session.request(lambda c: self._called(c, tool, args), self.declared.timeout)
        except Exception as error:  # noqa: BLE001, the SDK raises what the transport raised
            if isinstance(error, MCPError) and error.code in REFUSED:
                raise ProviderError(self._said(tool, error), hint="correct the arguments") from None
            if self._answered(error):
                raise self._failed(tool, str(error)) from None
            sessions.drop(session)  # killed first: what it did until now can be read back for sure
            raise ProviderError(self._said(tool, error), unknown=True) from None
        data = self._plain(result)
        if result.is_error:
            raise self._failed(tool, str(data.get("text") or data))
        size = len(json.dumps(data))
        return data if size <= self.declared.max_bytes else {"cut": True, "bytes": size}

    def where(self, folder: str) -> Path:
        """Where a folder of the declaration is for this server: a rehearsal has another one."""
        return Path(folder)

    def close(self) -> None:
        sessions.close(self.launch)

    def _reading(self, ask: Callable[[Client], Any], what: str) -> Any:
        for again in (True, False):
            session = sessions.kept(self.launch)
            try:
                return session.request(ask, self.declared.timeout)
            except Exception as error:  # noqa: BLE001, the SDK raises what the transport raised
                if self._answered(error):
                    raise self._failed(what, str(error)) from None
                sessions.drop(session)
                closed = isinstance(error, MCPError) and error.code == CONNECTION_CLOSED
                if not (closed and again):
                    raise ProviderError(self._said(what, error), retryable=True) from None
        raise AssertionError("unreachable: the second try returned or raised")

    async def _called(self, client: Client, tool: str, args: Json) -> CallToolResult:
        return await client.call_tool(tool, args, read_timeout_seconds=self.declared.timeout)

    def _plain(self, result: CallToolResult) -> Json:
        """Structured content, else the text; what is neither is counted, not carried."""
        data = result.structured_content
        if not isinstance(data, dict):
            data = {"text": "\n".join(b.text for b in result.content if isinstance(b, TextContent))}
            others = [block.type for block in result.content if not isinstance(block, TextContent)]
            data |= {"left_out": others} if others else {}
        return self._hidden(data)

    def _hidden(self, value: Any) -> Any:
        """The same JSON without a secret that the server was given."""
        if isinstance(value, str):
            return self.launch.hide(value)
        if isinstance(value, dict):
            return {self.launch.hide(key): self._hidden(each) for key, each in value.items()}
        return [self._hidden(each) for each in value] if isinstance(value, list) else value

    def _answered(self, error: Exception) -> bool:
        """Whether the server itself said that it failed. Over HTTP a proxy may have said so."""
        silent = (CONNECTION_CLOSED, REQUEST_TIMEOUT)
        return isinstance(error, MCPError) and error.code not in silent and not self.declared.url

    def _failed(self, tool: str, said: str) -> ToolFailed:
        text = shown(self.launch.hide(said), 2000)
        failed = ToolFailed(
            f"{tool} of '{self.name}' failed; the server says: {text[:300]}",
            hint="read what is there, and correct the call",
        )
        failed.said = text
        return failed

    def _said(self, what: str, error: Exception) -> str:
        if isinstance(error, TimeoutError) or (
            isinstance(error, MCPError) and error.code == REQUEST_TIMEOUT
        ):
            return f"the MCP server '{self.name}' did not answer {what} within {self.declared.timeout:g} s"
        if isinstance(error, MCPError) and error.code == CONNECTION_CLOSED:
            return f"the MCP server '{self.name}' died while it was asked for {what}"
        text = shown(self.launch.hide(str(error)) or type(error).__name__, 300)
        return f"the MCP server '{self.name}' did not carry out {what}: {text}"


def remote(name: str, declared: Server, connection: Connection) -> Remote:
    """The server with its secrets resolved; it is started when it is first asked.

    Raises:
        ProviderError: a secret or the command is missing.
    """
    values = {
        part.secret: _secret(part.secret, connection)
        for part in (*declared.env.values(), *declared.headers.values())
        if isinstance(part, Secret)
    }

    def value(part: str | Secret) -> str:
        return values[part.secret] if isinstance(part, Secret) else part

    launch = Launch(
        name=name,
        command=_command(name, declared.command),
        args=tuple(declared.args),
        env={key: value(part) for key, part in declared.env.items()},
        cwd=declared.cwd,
        url=declared.url,
        headers={key: value(part) for key, part in declared.headers.items()},
        start_timeout=declared.start_timeout,
        secrets=tuple(
            sorted((v for v in values.values() if len(v) >= SHORT), key=len, reverse=True)
        ),
    )
    return Remote(name, declared, launch)


async def _listed(client: Client) -> Listing:
    tools: dict[str, Offered] = {}
    cursor: str | None = None
    for _ in range(PAGES):
        page = await client.list_tools(cursor=cursor)
        for tool in page.tools:
            hints = tool.annotations.model_dump(exclude_none=True) if tool.annotations else {}
            tools[tool.name] = Offered(tool.name, tool.description or "", tool.input_schema, hints)
        cursor = page.next_cursor
        if cursor is None:
            break
    info = client.server_info
    return Listing(
        shown(info.name) if info else "",
        shown(info.version) if info else "",
        client.instructions or "",
        tools,
    )


def _secret(name: str, connection: Connection) -> str:
    """Where the worker runs first, then the vault of the connection."""
    if os.environ.get(name) or os.environ.get(f"{name}_FILE"):
        return settings.secret(name)
    return connection.secret(name)


def _command(name: str, command: str) -> str:
    found = shutil.which(command) if command else ""
    if found is None:
        raise ProviderError(
            f"the command '{command}' of the MCP server '{name}' is not there",
            hint="install it where the worker runs, or write its absolute path",
        )
    return found
