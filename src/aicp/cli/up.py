"""up and down: the system of one data folder."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import click

from aicp import client
from aicp.errors import TimedOut, UpstreamDown
from aicp.settings import Settings, from_env


@click.command()
@click.option("--detach", is_flag=True, help="Return when it is healthy, and leave it running.")
@click.option("--port", help="Port to bind to; a busy one moves to the next free one.")
@click.option("--workers", help="Worker processes.")
def up(detach: bool, port: str | None, workers: str | None) -> None:
    """Start database, server and workers, and keep them alive until Ctrl-C.

    \b
    Examples:
      aicp up
      DATABASE_URL=postgresql://… aicp up --workers 4
      aicp up --detach
    """
    given = {"port": port, "workers": workers}
    settings = replace(from_env(), **{k: v for k, v in given.items() if v})
    if detach:
        _detach(settings, port, workers)
        return
    run(settings)


@click.command()
def down() -> None:
    """Stop the system of this data folder.

    \b
    Example:
      aicp down
    """
    data = from_env().data_dir
    click.echo("stopped" if stop(data) else "nothing was running")


def run(settings: Settings) -> None:
    """Supervise in the foreground."""
    from aicp.cli.supervise import Supervisor

    stopping: list[int] = []
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, _frame: stopping.append(number))
    supervisor = Supervisor(settings, say=lambda line: click.echo(f"aicp: {line}", err=True))
    try:
        url = supervisor.start()
        first_run(settings)
        click.echo(f"aicp is up at {url}   data: {settings.data_dir}   stop: Ctrl-C")
        click.echo("  sign in:       aicp login")
        click.echo('  first mission: aicp mission new "…" --data accounts.csv --smtp host:port')
        supervisor.watch(lambda: bool(stopping))
    finally:
        supervisor.stop()


def stop(data: Path) -> bool:
    """End the supervisor of a data folder; False when none runs.

    Raises:
        TimedOut: it does not end within 40 seconds.
    """
    state = client.running(data)
    if not state:
        return False
    with suppress(ProcessLookupError):
        os.kill(state["pid"], signal.SIGTERM)
    deadline = time.monotonic() + 40
    while _alive(state["pid"]):
        if time.monotonic() > deadline:
            raise TimedOut(f"process {state['pid']} does not end", hint=f"kill -9 {state['pid']}")
        time.sleep(0.1)
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def first_run(settings: Settings) -> None:
    """An empty system gets a tenant and its first person, whose token stays on this machine."""
    from aicp.app import build
    from aicp.people import sessions, tenants

    if client.tokens(settings.data_dir):
        return
    app = build(settings, name="cli")
    try:
        at = app.clock()
        with app.db.service() as conn:
            tenant = tenants.ensure_tenant(conn, "home", "Home", at=at)
            people = tenants.people_of(conn, tenant)
            owner = people[0] if people else tenants.add_person(
                conn, tenant, email="owner@home.example", name=getpass.getuser(),
                roles=("operator", "admin", "oncall"), at=at,
            )  # fmt: skip
            token = sessions.issue(conn, owner, "token", at=at)
    finally:
        app.close()
    client.keep_token(settings.data_dir, owner.email, token)


def _detach(settings: Settings, port: str | None, workers: str | None) -> None:
    data = settings.data_dir
    if state := client.running(data):
        click.echo(f"aicp is already up at {state['url']}")
        return
    (data / "logs").mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "aicp.cli.main", "up"]
    words += ["--port", port] if port else []
    words += ["--workers", workers] if workers else []
    with (data / "logs" / "up.log").open("ab") as sink:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
        )
    wait_until_up(data, process)
    click.echo(f"aicp is up at {client.running(data)['url']}   stop: aicp down")


def wait_until_up(data: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a supervisor just started has its first person; say its last words if it ends."""
    deadline = time.monotonic() + 90
    while not (client.running(data) and client.tokens(data)):
        if process.poll() is not None:
            log = (data / "logs" / "up.log").read_text(errors="replace").strip().splitlines()
            raise UpstreamDown(
                f"the system did not start: {log[-1] if log else 'no reason was logged'}"
            )
        if time.monotonic() > deadline:
            raise TimedOut("the system is not up after 90 seconds", hint=f"see {data / 'logs'}")
        time.sleep(0.1)
