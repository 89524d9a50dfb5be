"""Serves a sandbox folder on loopback until SIGTERM or SIGINT.

    python -m aicp.toolkits.sandbox.composio.serve --dir DIR --port 0

prints its address first.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import click

from aicp.toolkits.sandbox.composio.app import KEY, Sandbox

HOST = "127.0.0.1"


def serve(folder: Path, port: int, told: Callable[[str], None]) -> None:
    """Serve until a signal.

    Args:
        port: 0 for a free one.
        told: is handed the address once connections are accepted.

    Raises:
        OSError: the port is taken, or the folder cannot be written.
    """
    import uvicorn

    keys = tuple(key for key in (KEY, os.environ.get("COMPOSIO_API_KEY", "")) if key)
    sandbox = Sandbox(folder, keys=keys)
    with _listener(port) as listener:
        told(f"http://{HOST}:{listener.getsockname()[1]}")
        config = uvicorn.Config(
            sandbox.asgi(),
            log_level="error",
            access_log=False,
            timeout_graceful_shutdown=1,
            lifespan="off",
        )
        uvicorn.Server(config).run(sockets=[listener])


def _listener(port: int) -> socket.socket:
    """A listening socket; a taken port gives way to a free one.

    Its protocol is named, because asyncio turns Nagle's delay off only where it is.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE or not port:
            made.close()
            raise
        made.bind((HOST, 0))
    made.listen(128)
    return made


@click.command()
@click.option("--dir", "folder", type=click.Path(path_type=Path), required=True)
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="a free one")
def main(folder: Path, port: int) -> None:
    """Serve the sandbox in DIR."""
    try:
        serve(folder, port, click.echo)
    except OSError as error:
        raise click.ClickException(
            f"cannot serve {folder} on {HOST}:{port}: {error.strerror}"
        ) from None


if __name__ == "__main__":
    main()
