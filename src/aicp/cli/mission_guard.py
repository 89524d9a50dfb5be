"""mission: safeguards under a run, as they hold now, narrowed at once, widened on approval."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from aicp.cli.edge import (
    Here,
    json_option,
    lines,
    look,
    pass_here,
    path_of,
    put,
    say,
    suggest,
    utc_option,
)
from aicp.cli.render import Look, table, when
from aicp.errors import BadInput

Doc = dict[str, Any]


@click.command()
@click.argument("mission_id", metavar="ID")
@click.argument("safeguard", required=False, default="")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter; JSON or plain text.",
)
@click.option(
    "--add", "kind", default="", metavar="KIND", help="Add a safeguard of this kind instead."
)
@click.option("--reason", default="", help="Kept with the change.")
@utc_option
@json_option
@pass_here
def guard(
    here: Here, mission_id: str, safeguard: str, settings: tuple[str, ...], kind: str, reason: str,
    utc: bool, as_json: bool,
) -> None:  # fmt: skip
    """The safeguards of a mission; change one while its run is under way.

    \b
    What is narrower holds at once, for the next call and for held mails. What is wider is asked for:
    the run pauses, and goes on once the changed plan is approved.

    \b
    Examples:
      aicp mission guard m-7k3
      aicp mission guard m-7k3 G2 --set max_recipients=10 --reason "the list is stale"
      aicp mission guard m-7k3 --add tone --set 'forbid=["urgent"]' --reason "legal"
    """
    url = f"{path_of(mission_id)}/safeguards"
    if not safeguard and not kind:
        if settings or reason:
            raise BadInput(
                "name the safeguard to change", hint=f"see `aicp mission guard {mission_id}`"
            )
        rows = here.client().get(url)
        put(rows) if as_json else lines(_listed(rows, look(utc=utc)))
        return
    body = {"safeguard": safeguard, "kind": kind, "params": _params(settings), "reason": reason}
    done = here.client().post(url, body)
    if as_json:
        put(done)
        return
    if done["holds"] == "now":
        click.echo(f"{done['safeguard']} holds from now on: {done['text']}")
        return
    click.echo(
        f"{done['safeguard']} is asked for; the run waits for an approval of {done['digest'][:12]}"
    )
    suggest(here, f"aicp mission approve {mission_id}")


def _params(settings: tuple[str, ...]) -> Doc:
    """The parameters by name; a value that is no JSON is the text itself."""
    found: Doc = {}
    for one in settings:
        name, equals, text = one.partition("=")
        if not equals or not name:
            raise BadInput(f"'{one[:60]}' sets nothing", hint="write --set max_recipients=10")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def _listed(rows: list[Doc], look: Look) -> Iterator[str]:
    if not rows:
        say("no plan is chosen yet: the safeguards are chips of the brief")
        return
    told = [(row["id"], row["kind"], row["text"], _values(row["params"])) for row in rows]
    yield from table(told, ("ID", "KIND", "RULE", "PARAMETERS"), look, wraps=True)
    changes = [
        (when(one["at"], look, "%H:%M:%S"), row["id"], one["by"], one["reason"])
        for row in rows
        for one in row["tightenings"]
    ]
    if changes:
        yield ""
        yield from table(changes, ("TIGHTENED", "WHICH", "BY", "WHY"), look, wraps=True)


def _values(params: Doc) -> str:
    told = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in params.items())
    return ", ".join(text if len(text) <= 60 else f"{text[:57]}…" for text in told)
