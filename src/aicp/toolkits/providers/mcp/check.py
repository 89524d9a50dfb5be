"""What `aicp mcp check` finds: each declared server is started, and compared with its declaration."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from aicp.toolkits.model import Json, ToolSpec
from aicp.toolkits.providers.base import Connection, ProviderError, no_secrets
from aicp.toolkits.providers.mcp import session
from aicp.toolkits.providers.mcp.declared import names_in, server_called
from aicp.toolkits.providers.mcp.form import Server
from aicp.toolkits.providers.mcp.server import Listing, remote
from aicp.toolkits.providers.mcp.specs import offer, schema_pin


@dataclass(frozen=True, slots=True)
class Row:
    """One declared tool as it may be called now."""

    name: str
    does: str  # read or mutate
    tier: str
    schema: str  # what `pinned` would hold
    hints: str  # what the server says of it: proves nothing


@dataclass(frozen=True, slots=True)
class Report:
    """One server. `problem` is one sentence; empty when it can be used."""

    name: str
    server: str = ""
    state: bool = False
    copy: bool = False
    tools: tuple[Row, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    undeclared: tuple[str, ...] = ()
    problem: str = ""
    hint: str = ""

    @property
    def well(self) -> bool:
        return not self.problem and not self.refused

    def as_json(self) -> Json:
        return asdict(self) | {"well": self.well}


def reports(file: Path, secret: Callable[[str], str] = no_secrets) -> list[Report]:
    """One report for each server of the file; each is started and ended again.

    Raises:
        ProviderError: the file is missing or is not TOML.
    """
    return [_report(file, name, secret) for name in names_in(file)]


def _report(file: Path, name: str, secret: Callable[[str], str]) -> Report:
    try:
        declared = server_called(file, name)
        server = remote(name, declared, Connection(f"mcp_{name}", name, secret=secret))
        listing = server.listing()
    except ProviderError as error:
        return Report(name, problem=error.message, hint=error.hint)
    finally:
        session.close_all()
    offered = offer(name, declared, listing)
    return Report(
        name=name,
        server=f"{listing.name} {listing.version}",
        state=bool(declared.state),
        copy=declared.rehearse is not None,
        tools=tuple(_row(declared, listing, spec) for spec in offered.tools),
        refused=offered.refused,
        undeclared=offered.undeclared,
    )


def _row(declared: Server, listing: Listing, spec: ToolSpec) -> Row:
    action = spec.name.split(".", 1)[1]
    offered = listing.tools[declared.server_tool(action)]
    words = [
        re.sub("_hint$", "", hint) for hint, said in sorted(offered.hints.items()) if said is True
    ]
    does = "mutate" if spec.mutates else "read"
    return Row(action, does, spec.undo_tier.value, schema_pin(offered), " ".join(words))
