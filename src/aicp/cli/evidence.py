"""evidence: hash every sealed byte again and name what is not as it was."""

from __future__ import annotations

from typing import Any

import click

from aicp.cli import sheets
from aicp.cli.edge import Here, Verbs, json_option, lines, pass_here, path_of, put, say
from aicp.cli.render import bold, clean


@click.group(cls=Verbs)
def evidence() -> None:
    """Verify evidence bundles.

    \b
    Example:
      aicp evidence verify
    """


@evidence.command()
@click.argument("missions", metavar="[MISSION]...", nargs=-1)
@json_option
@pass_here
def verify(here: Here, missions: tuple[str, ...], as_json: bool) -> int:
    """Hash the bundles of these missions again, of all when none is named.

    Exit 1 when a byte changed; file and byte range are named.

    \b
    Examples:
      aicp evidence verify
      aicp evidence verify m-7k3 m-9x1 --json
    """
    client = here.client()
    named = missions or [row["id"] for row in client.get("/api/missions", limit=1000)]
    checked = [
        {"mission_id": name, "bundles": client.post(f"{path_of(name)}/evidence/verification")}
        for name in named
    ]
    damaged = sum(bool(b["damage"]) for one in checked for b in one["bundles"])
    if as_json:
        put(checked)
        return 1 if damaged else 0
    _print(checked, damaged)
    return 1 if damaged else 0


def _print(checked: list[dict[str, Any]], damaged: int) -> None:
    for one in checked:
        if one["bundles"]:
            click.echo(bold(clean(one["mission_id"])))
            lines(sheets.damage(one["bundles"]))
    total = sum(len(one["bundles"]) for one in checked)
    if not total:
        say("nothing is sealed yet: evidence is sealed when a run ends, and after an undo")
    elif damaged:
        say(f"{damaged} of {total} bundles are not as they were sealed")
    else:
        say(f"{total} bundles, every byte as it was sealed")
