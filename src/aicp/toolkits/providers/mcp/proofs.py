"""Whether a declaration can stand: what it claims must follow from what it says (default deny).

Pure: a declaration in, sentences out. Each sentence reads after the name of what it is about.
"""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from urllib.parse import urlsplit

from aicp.settings import Settings
from aicp.toolkits.model import UndoTier
from aicp.toolkits.providers.mcp.form import Folder, Reading, Secret, Server, Tool
from aicp.toolkits.providers.mcp.templates import ROOTS, WORDS, holes

OWN = frozenset(f.metadata["name"] for f in fields(Settings) if f.metadata["secret"]) | {
    "PGPASSWORD"
}


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


def _launch_problems(server: Server) -> list[str]:
    if bool(server.command) is bool(server.url):
        return ["needs either 'command' or 'url'"]
    secrets = [p for p in (*server.env.values(), *server.headers.values()) if isinstance(p, Secret)]
    found = [
        f"{part.secret} is a secret of this system itself and may not leave it"
        for part in secrets
        if part.secret in OWN or part.secret.startswith("AICP_")
    ]
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


def _hole_problems(template: object, roots: tuple[str, ...]) -> list[str]:
    return [
        f"speaks of '${{{hole}}}', which is not known there"
        for hole in holes(template)
        if hole.split(".", 1)[0] not in roots or "." not in hole
    ]
