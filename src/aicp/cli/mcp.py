"""mcp: the declared MCP servers, started and compared with what was declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from aicp.cli.edge import Here, Verbs, json_option, lines, look, pass_here, put, say
from aicp.cli.render import Look, clean, table, tint, wrap
from aicp.errors import BadInput
from aicp.settings import from_env

if TYPE_CHECKING:
    from aicp.toolkits.providers.mcp.check import Report


@click.group(cls=Verbs)
def mcp() -> None:
    """MCP servers that missions may use.

    \b
    Example:
      aicp mcp check
    """


@mcp.command()
@json_option
@pass_here
def check(here: Here, as_json: bool) -> int:  # noqa: ARG001, every command is handed where it is
    """Start each declared server and compare it with its declaration; exit 1 when one is not well.

    \b
    Shows what may be called with its undo tier, what nobody declared, and what changed. Hints are
    the server's own words about a tool; they decide nothing.

    \b
    Examples:
      aicp mcp check
      AICP_MCP_SERVERS=~/mcp.toml aicp mcp check --json
    """
    from aicp.telemetry.logs import configure
    from aicp.toolkits.providers.base import ProviderError
    from aicp.toolkits.providers.mcp.check import reports

    settings = from_env()
    configure("cli", env=settings.env, level="WARNING")  # what servers say is not our output
    try:
        found = reports(settings.mcp_file)
    except ProviderError as error:
        raise BadInput(error.message, hint=error.hint) from None
    if as_json:
        put([report.as_json() for report in found])
    else:
        for report in found:
            lines(_told(report, look()))
            say()
    return 0 if all(report.well for report in found) else 1


def _told(report: Report, how: Look) -> Iterator[str]:
    if report.problem:
        yield f"{tint('fail')}  {report.name}"
        yield from wrap(report.problem, how, indent=6)
        yield from wrap(report.hint, how, indent=6, bullet="fix: ")
        return
    state = "state declared" if report.state else "nobody declared how to see its state"
    copy = "rehearsed on a copy" if report.copy else "rehearsals only check"
    yield f"{tint('ok' if report.well else 'warn')}  {report.name}: {clean(report.server)}, {state}, {copy}"
    rows = [(row.name, row.does, row.tier, row.schema, row.hints) for row in report.tools]
    yield from table(rows, ("TOOL", "DOES", "UNDO", "SCHEMA", "ITS HINTS"), how)
    for name, why in report.refused.items():
        yield from wrap(f"{name}: {why}", how, indent=2, bullet="refused: ")
    if report.undeclared:
        yield from wrap(", ".join(report.undeclared), how, indent=2, bullet="nobody declared: ")
