"""The file in which the operator declares MCP servers: how each is started, what each tool really does.

A tool that is not declared can never be called, and a tier better than what the declaration can
prove refuses the server (default deny). The form is in form.py, and described in docs/mcp.md.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aicp.toolkits.providers import Where
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.mcp.form import Server
from aicp.toolkits.providers.mcp.proofs import problems

NAME = re.compile(r"^[a-z][a-z0-9_]{0,30}$")


def named(target: str, where: Where) -> Connection:
    """The connection that `--connect mcp:NAME` means.

    Raises:
        ProviderError: there is no such server in the file, or its declaration is refused.
    """
    file = Path(where.settings.get("mcp_file", ""))
    server_called(file, target)
    config = {"server": target, "file": str(file)}
    return Connection(f"mcp_{target}", f"mcp:{target}", config, where.work_dir, "mcp")


def names_in(file: Path) -> tuple[str, ...]:
    """The declared servers.

    Raises:
        ProviderError: the file is missing or is not TOML.
    """
    return tuple(_tables(file))


def server_called(file: Path, name: str) -> Server:
    """One server's declaration, checked.

    Raises:
        ProviderError: not there, not of the form, or it claims more than it can prove.
    """
    tables = _tables(file)
    if name not in tables:
        known = ", ".join(sorted(tables)) or "none yet"
        raise ProviderError(
            f"no MCP server '{name[:60]}' is declared in {file}", hint=f"declared: {known}"
        )
    if not NAME.match(name):
        raise _refused(name, "its name is not lower case letters, digits and underscores")
    try:
        server = Server.model_validate(tables[name])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _refused(name, f"{place}: {first['msg']}") from None
    for problem in problems(server):
        raise _refused(name, problem)
    return server


def _tables(file: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8")).get("servers", {})
    except FileNotFoundError:
        raise ProviderError(
            f"no MCP servers are declared: {file} does not exist",
            hint="write it as docs/mcp.md shows, or set AICP_MCP_SERVERS",
        ) from None
    except (OSError, ValueError) as error:
        raise ProviderError(f"{file} cannot be read: {error}", hint="mend the file") from None
    if not isinstance(tables, dict):
        raise ProviderError(f"{file}: 'servers' is not a table", hint="write [servers.NAME]")
    return tables


def _refused(name: str, problem: str) -> ProviderError:
    return ProviderError(
        f"the MCP server '{name[:60]}': {problem}",
        hint="mend its declaration; docs/mcp.md has the form",
    )
