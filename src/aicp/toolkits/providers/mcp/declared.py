"""What the operator declares of an MCP server: how it is started, and what each tool really does.

A tool that is not declared can never be called, and a tier better than what the declaration can
prove refuses the server (default deny). The form is described in docs/mcp.md.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aicp.settings import Settings
from aicp.toolkits.model import Json, UndoTier
from aicp.toolkits.providers import Where
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.mcp.templates import ROOTS, WORDS, holes

NAME = re.compile(r"^[a-z][a-z0-9_]{0,30}$")
OWN = frozenset(f.metadata["name"] for f in fields(Settings) if f.metadata["secret"])


class Part(BaseModel):
    """A table of the file; a word it does not know is a mistake, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Secret(Part):
    """The value of a setting where the worker runs, or of the vault; only its name is written."""

    secret: str = Field(min_length=1)


class Reading(Part):
    """One look at the server's world through a tool that only reads."""

    tool: str  # as the server calls it
    args: Json = Field(default_factory=dict)
    pick: str = ""  # dotted path into the answer; empty: all of it
    match: str = ""  # regular expression over that text; its first group is what counts
    absent: str = ""  # regular expression: an error that begins so means there is no such thing


class Folder(Part):
    """A folder that holds all that the server can change, hashed byte for byte."""

    folder: str


class Inverse(Part):
    """The call that takes a call back."""

    tool: str
    args: Json = Field(default_factory=dict)


class Rehearse(Part):
    """A server on a private copy: every mention of the folder in args, env and cwd is replaced."""

    copy_of: str = Field(alias="copy")


class Tool(Part):
    does: Literal["read", "mutate"]
    uses: str = ""  # the server's name of it, when it is declared under another
    title: str = ""
    description: str = ""
    scope: str = Field(default="", pattern=r"^[a-z0-9_.-]*$")
    sensitive: list[str] | None = None  # arguments that say who, where, how much; unsaid: all
    tier: Literal["", "T1", "T2", "T3", "T4", "T5"] = ""
    look: list[Reading] = Field(default_factory=list)  # what the call touches
    needs: list[Any] = Field(default_factory=list)  # what `look` must show before
    becomes: list[Any] = Field(default_factory=list)  # what `look` shows once it is done
    undo: Inverse | None = None
    undone: str = ""  # how it is taken back, one sentence
    residue: str = ""
    pinned: str = Field(default="", pattern=r"^([0-9a-f]{12})?$")  # digits of the schema


class Server(Part):
    title: str = ""
    version: str  # as the server says of itself; another one is refused
    command: str = ""
    args: list[str] = Field(default_factory=list)
    env: dict[str, str | Secret] = Field(default_factory=dict)
    cwd: str = "/"
    url: str = ""
    headers: dict[str, Secret] = Field(default_factory=dict)
    timeout: float = Field(default=30, gt=0, le=3600)  # seconds a call may take
    start_timeout: float = Field(default=30, gt=0, le=600)
    max_bytes: int = Field(default=1_000_000, ge=1000)  # of one answer
    state: list[Reading | Folder] = Field(default_factory=list)
    rehearse: Rehearse | None = None
    tools: dict[str, Tool] = Field(default_factory=dict)

    def server_tool(self, name: str) -> str:
        """What the server calls the tool that is declared under this name."""
        return self.tools[name].uses or name


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


def problems(server: Server) -> list[str]:
    """Why a declaration cannot stand, one sentence each; empty when it can."""
    found = [*_launch_problems(server), *_state_problems(server)]
    for name, tool in server.tools.items():
        found += [f"{name} {problem}" for problem in _tool_problems(server, tool)]
    return found


def provable(server: Server, tool: Tool) -> UndoTier:
    """The best tier that the declaration can prove."""
    if tool.does == "read":
        return UndoTier.T0
    if tool.undo is None:
        return UndoTier.T5
    if not tool.look or not server.state:
        return UndoTier.T4
    return UndoTier.T2 if tool.residue else UndoTier.T1


def tier_of(server: Server, tool: Tool) -> UndoTier:
    return UndoTier(tool.tier) if tool.tier else provable(server, tool)


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


def _launch_problems(server: Server) -> list[str]:
    if bool(server.command) is bool(server.url):
        return ["needs either 'command' or 'url'"]
    own = sorted(
        {part.secret for part in (*server.env.values(), *server.headers.values())
         if isinstance(part, Secret)} & OWN
    )  # fmt: skip
    found = [f"{name} is a secret of this system itself and may not leave it" for name in own]
    if server.url:
        found += _url_problems(server)
    elif server.headers:
        found.append("has 'headers', which a started server has no use for")
    if server.rehearse:
        found += _copy_problems(server, server.rehearse.copy_of)
    return found


def _url_problems(server: Server) -> list[str]:
    if server.args or server.env or server.rehearse:
        return ["is reached by 'url': 'args', 'env' and 'rehearse' are of no use there"]
    try:
        parts = urlsplit(server.url)
        host, user = parts.hostname or "", parts.username or parts.password
    except ValueError:
        return ["'url' is not an address"]
    if user is not None:
        return ["'url' holds a user or password: use headers with a secret"]
    here = host in ("127.0.0.1", "localhost", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and here):
        return ["'url' must be https, or http on this machine"]
    return []


def _copy_problems(server: Server, folder: str) -> list[str]:
    if not Path(folder).is_absolute() or Path(folder) == Path("/"):
        return [f"rehearse: '{folder}' is not an absolute path of a folder of its own"]
    literal = [text for text in server.env.values() if isinstance(text, str)]
    if not any(folder in text for text in (*server.args, *literal, server.cwd)):
        return [f"rehearse: neither args, env nor cwd mention {folder}: the copy would not be used"]
    return []


def _state_problems(server: Server) -> list[str]:
    found = []
    for item in server.state:
        if isinstance(item, Folder):
            if server.url or not Path(item.folder).is_absolute():
                found.append(f"state: '{item.folder}' is not an absolute path on this machine")
        else:
            found += [f"state {problem}" for problem in _reading_problems(server, item, roots=())]
    return found


def _tool_problems(server: Server, tool: Tool) -> list[str]:
    if tool.does == "read":
        own = [field for field in ("tier", "look", "needs", "becomes", "undo", "undone", "residue")
               if getattr(tool, field)]  # fmt: skip
        return [f"only reads, and has '{own[0]}'"] if own else []
    found = [
        f"look {problem}"
        for reading in tool.look
        for problem in _reading_problems(server, reading, roots=("args",))
    ]
    for field, roots in (("needs", ("args",)), ("becomes", ROOTS)):
        wanted = getattr(tool, field)
        if wanted and len(wanted) != len(tool.look):
            found.append(f"has {len(wanted)} '{field}' for {len(tool.look)} 'look'")
        found += _hole_problems([w for w in wanted if w not in WORDS], roots)
    if tool.undo:
        found += _hole_problems(tool.undo.args, ROOTS if tool.look else ("args", "outcome"))
    return found or _tier_problems(server, tool)


def _tier_problems(server: Server, tool: Tool) -> list[str]:
    tier, best = tier_of(server, tool), provable(server, tool)
    if tier is UndoTier.T3:
        return ["says T3, but an MCP server cannot hold an effect back"]
    if tier < best:
        return [f"says {tier}, but {_lacking(server, tool)}, so it is {best}"]
    if tier is UndoTier.T2 and not tool.residue:
        return ["says T2 and does not name its 'residue'"]
    if tool.residue and tier is not UndoTier.T2:
        return [f"names a residue and is {tier}: only T2 leaves one that is named"]
    if tool.undo and not tool.undone:
        return ["does not say how it is 'undone'"]
    return []


def _lacking(server: Server, tool: Tool) -> str:
    if tool.undo is None:
        return "names no 'undo'"
    if not tool.look:
        return "has no 'look' to prove that it was taken back"
    return "leaves a residue" if server.state else "no 'state' of the server is declared"


def _reading_problems(server: Server, reading: Reading, *, roots: tuple[str, ...]) -> list[str]:
    reads = {server.server_tool(name) for name, tool in server.tools.items() if tool.does == "read"}
    if reading.tool not in reads:
        return [f"reads by {reading.tool}, which is not declared as a read"]
    try:
        re.compile(reading.absent)
        groups = re.compile(reading.match).groups
    except re.error as error:
        return [f"by {reading.tool} has something that is no regular expression: {error}"]
    if reading.match and not groups:
        return [f"by {reading.tool}: match has no group to take"]
    return _hole_problems(reading.args, roots)


def _hole_problems(template: Any, roots: tuple[str, ...]) -> list[str]:
    return [
        f"speaks of '${{{hole}}}', which is not known there"
        for hole in holes(template)
        if hole.split(".", 1)[0] not in roots or "." not in hole
    ]
