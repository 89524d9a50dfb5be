"""people and login: who may do what, and how they come in."""

from __future__ import annotations

from typing import Any

import click

from aicp.cli.edge import Here, Verbs, json_option, lines, look, pass_here, put, say, suggest
from aicp.cli.render import table
from aicp.client import keep_token, tokens

ROLES = (
    "operator", "governance", "engineering_lead", "security_lead", "database_lead",
    "product_partner", "analytics", "oncall", "admin",
)  # fmt: skip


@click.group(cls=Verbs)
def people() -> None:
    """Who may do what.

    \b
    Example:
      aicp people add "Gabriela Ortiz" gabriela@home.example --role governance
    """


@people.command("list")
@json_option
@pass_here
def list_(here: Here, as_json: bool) -> None:
    """Everybody of this tenant; a star marks whom this machine can act as.

    \b
    Examples:
      aicp people list
      aicp people list --json
    """
    rows = here.client().get("/api/people")
    if as_json:
        put(rows)
        return
    known = tokens(here.data_dir).get("tokens", {})
    told = [
        (p["name"], p["email"], "*" if p["email"] in known else "", ", ".join(p["roles"]))
        for p in rows
    ]
    lines(table(told, ("NAME", "EMAIL", "HERE", "ROLES"), look()))


@people.command()
@click.argument("name")
@click.argument("email")
@click.option(
    "--role", "roles", multiple=True, required=True, type=click.Choice(ROLES),
    help="May be repeated.",
)  # fmt: skip
@click.option("--show-token", is_flag=True, help="Print the token, for another machine.")
@json_option
@pass_here
def add(
    here: Here, name: str, email: str, roles: tuple[str, ...], show_token: bool, as_json: bool
) -> None:
    """Add a person. Their token stays on this machine, readable by you only, so that --as works.

    \b
    Examples:
      aicp people add "Gabriela Ortiz" gabriela@home.example --role governance
      aicp people add "Sam Lee" sam@home.example --role operator --role oncall --show-token
    """
    made: dict[str, Any] = here.client().post(
        "/api/people", {"name": name, "email": email, "roles": list(roles)}
    )
    token = made.pop("token")
    keep_token(here.data_dir, made["email"], token)
    if as_json:
        put(made | {"token": token} if show_token else made)
        return
    click.echo(f"{made['name']} <{made['email']}>  {', '.join(made['roles'])}")
    if show_token:
        click.echo(f"token  {token}")
    suggest(here, f"aicp --as {made['email']} mission list")


@click.command()
@click.option("--as", "as_email", metavar="EMAIL", default="", help="For this person.")
@json_option
@pass_here
def login(here: Here, as_email: str, as_json: bool) -> None:
    """A one-time link into the console, good for half an hour.

    \b
    Examples:
      aicp login
      aicp login --as gabriela@home.example
    """
    asking = Here(here.data_dir, as_email or here.as_email, here.prefix)
    client = asking.client()
    url = f"{client.place.url}{client.post('/api/login-link')['path']}"
    if as_json:
        put({"url": url, "email": client.place.email})
        return
    click.echo(url)
    say(f"opens the console as {client.place.email or 'you'}, once, within 30 minutes")
