"""secret: what connections sign in with. It goes in and never comes out."""

from __future__ import annotations

import sys
from urllib.parse import quote

import click

from aicp.cli.edge import Here, Verbs, json_option, lines, look, pass_here, put, say
from aicp.cli.render import table, when
from aicp.errors import BadInput


@click.group(cls=Verbs)
def secret() -> None:
    """What connections sign in with.

    \b
    Example:
      aicp secret set deploy_hook < token.txt
    """


@secret.command("set")
@click.argument("name")
@json_option
@pass_here
def set_(here: Here, name: str, as_json: bool) -> None:
    """Keep a secret under a name, sealed. It is read from standard input, or asked for.

    \b
    Examples:
      aicp secret set deploy_hook < token.txt
      aicp secret set deploy_hook               # asks, and shows nothing
    """
    value = (
        click.prompt("Secret", hide_input=True, err=True)
        if sys.stdin.isatty()
        else sys.stdin.read()
    )
    if not value.strip():
        raise BadInput("the secret is empty", hint=f"aicp secret set {name} < token.txt")
    done = here.client().put("/api/secrets", {"name": name, "value": value.strip()})
    put(done) if as_json else say(f"{name} is kept, sealed")


@secret.command("list")
@json_option
@pass_here
def list_(here: Here, as_json: bool) -> None:
    """The names of what is kept, with their fingerprints.

    \b
    Example:
      aicp secret list
    """
    rows = here.client().get("/api/secrets")
    if as_json:
        put(rows)
        return
    told = [(r["name"], r["fingerprint"], when(r["created_at"], look())) for r in rows]
    lines(table(told, ("NAME", "FINGERPRINT", "SINCE"), look()))


@secret.command()
@click.argument("name")
@json_option
@pass_here
def forget(here: Here, name: str, as_json: bool) -> None:
    """Destroy a secret for good.

    \b
    Example:
      aicp secret forget deploy_hook
    """
    done = here.client().delete(f"/api/secrets/{quote(name, safe='')}")
    put(done) if as_json else say(f"{name} is forgotten")
