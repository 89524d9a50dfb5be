"""A real SMTP server on loopback that delivers into a Maildir.

    python -m aicp.toolkits.sandbox.smtp --maildir DIR --port 0

prints the port it listens on and serves until SIGTERM or SIGINT. A mail is in the Maildir before
the server says 250.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import click
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP

HOST = "127.0.0.1"


@click.command()
@click.option("--maildir", type=click.Path(path_type=Path), required=True)
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="a free one")
def main(maildir: Path, port: int) -> None:
    """Deliver every mail that is handed over on loopback into MAILDIR."""
    try:
        asyncio.run(serve(maildir, port))
    except OSError as error:
        raise click.ClickException(f"cannot listen on {HOST}:{port}: {error.strerror}") from None


async def serve(maildir: Path, port: int) -> None:
    """Serve until a signal; the port goes to standard output first."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    maildir.parent.mkdir(parents=True, exist_ok=True)
    handler = Mailbox(maildir)
    server = await loop.create_server(lambda: SMTP(handler, hostname="localhost"), HOST, port)
    click.echo(server.sockets[0].getsockname()[1])
    await stop.wait()
    server.close()


if __name__ == "__main__":
    main()
