"""What every command shares: who asks whom, JSON or text, the next command as it must be typed."""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aicp.cli.render import Look, clean, look_of
from aicp.errors import BadInput

if TYPE_CHECKING:
    from aicp.client import Client

_OURS = re.compile(
    r"(?<![\w./-])aicp (?=--as |mission |issues |evidence |audit |dash |telemetry |policy |people |kill |limits|login|up\b|db |doctor|sandbox\b)"
)


@dataclass(frozen=True, slots=True)
class Here:
    """The place a command was typed: whose data folder, acting as whom, and how to say so again."""

    data_dir: Path
    as_email: str = ""
    prefix: str = "aicp"  # "aicp --data-dir /tmp/x --demo"

    def client(self) -> Client:
        """A client of this folder's server.

        Raises:
            UpstreamDown: no server runs.
            SignInNeeded: there is no token for the person.
        """
        from aicp.client import Client, find

        return Client(find(self.data_dir, as_email=self.as_email))

    def typed(self, text: str) -> str:
        """The text with every `aicp …` in it spelled so that it works from here."""
        return _OURS.sub(lambda _: f"{self.prefix} ", text)


def here_of(obj: dict[str, Any]) -> Here:
    return Here(obj["data_dir"], obj.get("as", ""), obj.get("prefix", "aicp"))


def pass_here(command: Callable[..., Any]) -> Callable[..., Any]:
    """Hand a command the place it was typed in as its first argument."""

    @click.pass_obj
    def wrapped(obj: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        return command(here_of(obj), *args, **kwargs)

    return update_wrapper(wrapped, command)


class Verbs(click.Group):
    """A group in which a wrong word suggests the right one; its verbs keep their order of use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if self.get_command(ctx, word) is None and not word.startswith("-"):
            raise click.UsageError(self.unknown(ctx, word), ctx)
        return super().resolve_command(ctx, args)

    def unknown(self, ctx: click.Context, word: str) -> str:
        """One sentence on a word that is no command, with the nearest that is."""
        near = difflib.get_close_matches(word, self.list_commands(ctx), n=1, cutoff=0.5)
        did = f" Did you mean '{ctx.command_path} {near[0]}'?" if near else ""
        return f"'{ctx.command_path} {clean(word)}' is no command.{did}"


json_option = click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
utc_option = click.option("--utc", is_flag=True, help="Times in UTC instead of local time.")
wait_option = click.option("--no-wait", is_flag=True, help="Return at once; do not wait for it.")


def look(*, utc: bool = False) -> Look:
    """How to write on this terminal."""
    return look_of(sys.stdout, utc=utc)


def put(value: Any) -> None:
    """Data as JSON on standard output."""
    click.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def say(text: str = "") -> None:
    """A message for the person: standard error, never data."""
    click.echo(text, err=True)


def suggest(here: Here, command: str) -> None:
    """What to type next, as it works from here."""
    if command:
        say(f"{click.style('next:', dim=True)} {here.typed(command)}")


def asks() -> bool:
    """Whether there is somebody to ask: a terminal to read from and one to ask on."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def lines(text: Iterable[str]) -> None:
    """Lines of data on standard output."""
    for line in text:
        click.echo(line)


def path_of(mission_id: str) -> str:
    """The API path of a mission.

    Raises:
        BadInput: that is no id, nor the beginning of one.
    """
    if not mission_id.replace("-", "").isalnum() or not mission_id.isascii():
        raise BadInput(f"'{mission_id}' is no mission id", hint="see `aicp mission list`")
    return f"/api/missions/{mission_id}"
