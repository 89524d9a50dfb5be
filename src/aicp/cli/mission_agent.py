"""mission, for agents of other people: the form of a plan, and tokens for one mission."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from aicp.cli.edge import Here, json_option, pass_here, path_of, put, say, suggest
from aicp.errors import BadInput

MOST_BYTES = 4_000_000


@click.command("plan-schema")
@pass_here
def plan_schema(here: Here) -> None:
    """The form of a ready plan, as JSON Schema.

    \b
    Examples:
      aicp mission plan-schema
      aicp mission plan-schema > plan.schema.json
    """
    put(here.client().get("/api/schemas/plan"))


@click.command()
@click.argument("mission_id", metavar="ID")
@click.option(
    "--hours",
    type=click.IntRange(1, 168),
    default=8,
    show_default=True,
    help="How long it is good.",
)
@click.option("--revoke", is_flag=True, help="Take back every token of the mission instead.")
@json_option
@pass_here
def token(here: Here, mission_id: str, hours: int, revoke: bool, as_json: bool) -> None:
    """A token for an agent of yours: it opens this one mission and nothing else.

    It is shown once. The agent reads and proposes with it; what it changes, people approve first.

    \b
    Examples:
      aicp mission token m-7k3
      aicp mission token m-7k3 --hours 2
      aicp mission token m-7k3 --revoke
    """
    client, path = here.client(), f"{path_of(mission_id)}/tokens"
    if revoke:
        gone = client.delete(path)
        put(gone) if as_json else click.echo(f"{gone['revoked']} tokens taken back")
        return
    made: dict[str, Any] = client.post(path, {"hours": hours})
    made["mcp"] = f"{client.place.url}{made['mcp']}"
    if as_json:
        put(made)
        return
    click.echo(made["token"])
    say(
        f"good for {hours} hours, for this mission only; MCP at {made['mcp']} with it as Bearer token"
    )
    suggest(here, f"aicp mission watch {mission_id}")


def json_file(name: str) -> Any:
    """What a JSON file holds.

    Raises:
        BadInput: it cannot be read, is too long, or is not JSON.
    """
    path = Path(name)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(f"{name} is larger than 4 MB", hint="split the mission")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{name} cannot be read ({error.strerror})", hint="mend the path") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(
            f"{name} is not JSON: {error}", hint="see `aicp mission plan-schema`"
        ) from None
