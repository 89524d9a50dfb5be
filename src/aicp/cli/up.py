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

HOME_PEOPLE = (("owner@home.example", getpass.getuser(), ("operator", "admin", "oncall")),)
SANDBOX_PEOPLE = (
    ("riley@home.example", "Riley Chen", ("operator", "admin", "oncall")),
    ("gabriela@home.example", "Gabriela Ortiz", ("governance",)),
)


@click.command()
@click.option("--detach", is_flag=True, help="Return when it is healthy, and leave it running.")
@click.option("--port", help="Port to bind to; a busy one moves to the next free one.")
@click.option("--workers", help="Worker processes.")
@click.option("--sandbox", type=int, hidden=True, help="With the demo's people and mail server.")
@click.option("--composio", type=int, hidden=True, help="With Composio's sandbox on this port.")
def up(
    detach: bool, port: str | None, workers: str | None, sandbox: int | None, composio: int | None
) -> None:
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
        start_detached(settings, [f"--{k}={v}" for k, v in given.items() if v])
        click.echo(f"aicp is up at {client.running(settings.data_dir)['url']}   stop: aicp down")
        return
    run(settings, sandbox=sandbox, composio=composio)


@click.command()
def down() -> None:
    """Stop the system of this data folder.

    \b
    Example:
      aicp down
    """
    data = from_env().data_dir
    click.echo("stopped" if stop(data) else "nothing was running")


def run(settings: Settings, *, sandbox: int | None = None, composio: int | None = None) -> None:
    """Supervise in the foreground. What this system writes is its user's alone to read.

    Args:
        sandbox, composio: ports of the demo's mail server and of Composio's sandbox.
    """
    os.umask(0o077)
    from aicp.cli.supervise import Supervisor

    stopping: list[int] = []
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, _frame: stopping.append(number))
    extra = {"smtp": _sandbox_smtp(settings, sandbox)} if sandbox else {}
    if composio:
        settings = replace(settings, composio_url=f"http://127.0.0.1:{composio}")
        place = settings.data_dir / "composio"
        serve = ["aicp.toolkits.sandbox.composio.serve", f"--dir={place}", f"--port={composio}"]
        extra |= {"composio": serve}
    supervisor = Supervisor(settings, extra, say=lambda line: click.echo(f"aicp: {line}", err=True))
    try:
        url = supervisor.start()
        first_run(settings, SANDBOX_PEOPLE if sandbox else HOME_PEOPLE)
        supervisor.declare_ready()
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
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # our own child would stay visible as a zombie
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def first_run(settings: Settings, people: tuple[tuple[str, str, tuple[str, ...]], ...]) -> None:
    """An empty system gets a tenant and its first people, whose tokens stay on this machine."""
    from aicp.app import build
    from aicp.people import sessions, tenants

    if client.tokens(settings.data_dir):
        return
    app = build(settings, name="cli")
    try:
        at = app.clock()
        with app.db.service() as conn:
            tenant = tenants.ensure_tenant(conn, "home", "Home", at=at)
            known = {person.email: person for person in tenants.people_of(conn, tenant)}
            first = [
                known.get(email)
                or tenants.add_person(conn, tenant, email=email, name=name, roles=roles, at=at)
                for email, name, roles in people
            ]
            tokens = [(p.email, sessions.issue(conn, p, "token", at=at)) for p in first]
    finally:
        app.close()
    for email, token in tokens:
        client.keep_token(settings.data_dir, email, token)


def _sandbox_smtp(settings: Settings, port: int) -> list[str]:
    inbox = settings.data_dir / "sandbox" / "inbox"
    return ["aicp.toolkits.sandbox.smtp", f"--maildir={inbox}", f"--port={port}"]


def start_detached(settings: Settings, options: list[str]) -> None:
    """Start `aicp up` in the background and wait until it is up; one that runs is left alone."""
    data = settings.data_dir
    if client.running(data):
        return
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    (data / "logs").mkdir(exist_ok=True, mode=0o700)
    words = [sys.executable, "-m", "aicp.cli.main", f"--data-dir={data}", "up", *options]
    with (data / "logs" / "up.log").open("wb") as sink:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
        )
    wait_until_up(data, process)


def wait_until_up(data: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a supervisor just started has its first person; say its last words if it ends."""
    deadline = time.monotonic() + 90
    while not client.running(data).get("ready"):
        if process.poll() is not None:
            raise _last_words((data / "logs" / "up.log").read_text(errors="replace"))
        if time.monotonic() > deadline:
            raise TimedOut("the system is not up after 90 seconds", hint=f"see {data / 'logs'}")
        time.sleep(0.1)


def _last_words(log: str) -> UpstreamDown:
    """The reason a start failed and its fix, out of the two lines every refusal ends with."""
    lines = [line.strip() for line in log.strip().splitlines() if line.strip()]
    reason = next((x.removeprefix("aicp: ") for x in reversed(lines) if x.startswith("aicp: ")), "")
    fix = next((x.removeprefix("fix: ") for x in reversed(lines) if x.startswith("fix: ")), "")
    return UpstreamDown(f"the system did not start: {reason or 'no reason was logged'}", hint=fix)
