"""mission: handing an approval on, and taking its sheet out."""

from __future__ import annotations

import json
from pathlib import Path

import click

from aicp.cli import sheets
from aicp.cli.edge import Here, json_option, look, pass_here, path_of, put, say, suggest
from aicp.errors import BadInput


@click.command()
@click.argument("mission_id", metavar="ID")
@click.option("--to", required=True, metavar="EMAIL", help="Who decides instead of you.")
@click.option("--reason", required=True, help="Kept with the approval.")
@json_option
@pass_here
def delegate(here: Here, mission_id: str, to: str, reason: str, as_json: bool) -> None:
    """Let somebody else decide in your place, for this request only.

    \b
    Example:
      aicp mission delegate m-7k3 --to lee@home.example --reason "on leave until Monday"
    """
    done = here.client().post(f"{path_of(mission_id)}/delegation", {"to": to, "reason": reason})
    put(done) if as_json else click.echo(f"{done['to']} may decide as {done['capacity']}")
    suggest(here, "" if as_json else f"aicp --as {to} mission approve {mission_id}")


@click.command()
@click.argument("mission_id", metavar="ID")
@click.option(
    "--format",
    "shape",
    type=click.Choice(["markdown", "json"]),
    default="markdown",
    show_default=True,
)
@click.option("-o", "--output", metavar="FILE", default="-", help="Where to (default: the screen).")
@pass_here
def sheet(here: Here, mission_id: str, shape: str, output: str) -> None:
    """The approval sheet to print, file or send: every call with every argument.

    The console has it as a page that prints well: /missions/ID/sheet. Taking it out is recorded.

    \b
    Examples:
      aicp mission sheet m-7k3 -o sheet.md
      aicp mission sheet m-7k3 --format json | jq .changes
    """
    found = here.client().post(f"{path_of(mission_id)}/sheet", {"format": shape})
    if shape == "json":
        text = json.dumps(found, indent=2, default=str, ensure_ascii=False)
    else:
        text = "\n".join(sheets.markdown(found, look(utc=True)))
    if output == "-":
        click.echo(text)
        return
    try:
        Path(output).write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"{output} cannot be written ({error.strerror})", hint="name another file"
        ) from None
    say(f"wrote {output}")
