"""sandbox: fictional accounts behind Composio's protocol, to try everything without a key."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from aicp.cli.edge import Here, pass_here, say
from aicp.errors import UpstreamDown


@click.command()
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), metavar="DIR",
    help="Where its accounts live; it goes on where it stopped. [default: composio in the data folder]",
)  # fmt: skip
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8790, show_default=True, help="0: a free one."
)
@pass_here
def sandbox(here: Here, folder: Path | None, port: int) -> None:
    """Serve fictional mail, contacts, chat and issues on this machine, until Ctrl-C.

    It speaks Composio's protocol, keeps what is done to it, and touches nobody's account. A taken
    port moves to a free one.

    \b
    Examples:
      aicp sandbox
      COMPOSIO_BASE_URL=http://127.0.0.1:8790 aicp up
    """
    from aicp.toolkits.sandbox.composio.serve import serve

    place = (folder or here.data_dir / "composio").expanduser().resolve()
    try:
        serve(place, port, lambda url: _tell(url, place))
    except OSError as error:
        raise UpstreamDown(
            f"the sandbox cannot be served from {place}: {error.strerror}",
            hint="name a folder you may write with --dir",
        ) from None


def _tell(url: str, place: Path) -> None:
    say(
        f"sandbox at {url} (Composio's protocol, fictional accounts, state in {shlex.quote(str(place))})"
    )
    say("use it:    set this for the server and its workers, in another terminal:")
    say(f"             export COMPOSIO_BASE_URL={url}")
    say("           and give a mission its accounts with --connect composio:gmail (hubspot, slack,")
    say("           linear, composio_search)")
    say("stop it:   Ctrl-C")
