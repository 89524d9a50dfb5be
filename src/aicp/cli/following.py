"""Waiting for a mission with its events on the screen; leaving it alone is always safe."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TextIO

import click

from aicp.cli import progress
from aicp.cli.edge import Here, path_of, say, suggest
from aicp.cli.render import look_of
from aicp.client import Client

Doc = dict[str, Any]


def follow(
    here: Here, client: Client, mission_id: str, *, after: int = 0, quiet: bool = False,
    until: Callable[[Doc], bool] = progress.settled, stream: TextIO | None = None, utc: bool = False,
) -> Doc:  # fmt: skip
    """Show a mission's events (on standard error) until it wants a person; says how to come back."""
    out = stream or sys.stderr
    teller = progress.Teller(client, mission_id, look_of(out, utc=utc))

    def tell(event: Doc) -> None:
        if not quiet and (line := teller.line(event)):
            click.echo(line, file=out)

    try:
        return progress.follow(client, mission_id, tell, after=after, until=until, notice=say)
    except KeyboardInterrupt:
        say("\nit goes on without you; come back with:")
        suggest(here, f"aicp mission watch {mission_id}")
        raise


def when_worked(
    here: Here, client: Client, mission_id: str, stages: tuple[str, ...], *, quiet: bool
) -> Doc:
    """The document once the machine's part of these stages is done; at once when it is elsewhere."""
    document = client.get(path_of(mission_id))
    if document["stage"] not in stages or document["status"] != "in_progress":
        return document
    return follow(
        here, client, document["id"], after=progress.newest(client, document["id"]), quiet=quiet,
        until=lambda now: now["stage"] not in stages or progress.settled(now),
    )  # fmt: skip
