"""mission connect and disconnect: signing in to what a mission needs, and out again."""

from __future__ import annotations

from typing import Any

import click

from aicp.cli.edge import (
    Here,
    asks,
    json_option,
    lines,
    look,
    pass_here,
    path_of,
    put,
    say,
    suggest,
)
from aicp.cli.following import follow
from aicp.cli.progress import newest
from aicp.cli.render import section, table
from aicp.cli.whose import next_step
from aicp.errors import GateBlocked

Doc = dict[str, Any]


@click.command()
@click.argument("mission_id", metavar="ID")
@click.argument("account", required=False)
@click.option("--yes", is_flag=True, help="Do not ask: consent to what is shown.")
@json_option
@pass_here
def connect(here: Here, mission_id: str, account: str | None, yes: bool, as_json: bool) -> int:
    """Consent to a sign-in, and get the link for it.

    Shows the scopes in plain words first; nothing is asked of anybody before you say yes. The link is
    good for 30 minutes.

    \b
    Examples:
      aicp mission connect m-7k3
      aicp mission connect m-7k3 gmail --yes
    """
    client = here.client()
    document = client.get(path_of(mission_id))
    chosen = _chosen(document, account)
    if not as_json:
        what = " (SANDBOX)" if chosen["sandbox"] else ""
        lines(section(f"{chosen['account']}{what} would be allowed to"))
        lines(
            table(
                sorted(chosen["wanted"].items()),
                ("SCOPE", "IN PLAIN WORDS"),
                look(),
                indent=2,
                wraps=True,
            )
        )
    if not yes:
        if not asks():
            raise GateBlocked(
                "nobody consented: nobody is there to ask",
                hint=f"aicp mission connect {document['id']} {chosen['account']} --yes",
            )
        click.confirm("\nConsent to exactly this?", abort=True, err=True)
    since = newest(client, document["id"])
    client.post(
        f"{path_of(mission_id)}/consents",
        {"account": chosen["account"], "scopes": sorted(chosen["wanted"])},
    )
    document = follow(
        here, client, document["id"], after=since, quiet=as_json,
        until=lambda now: _of(now, chosen["account"])["auth"] not in ("needed", "expired"),
    )  # fmt: skip
    row = _of(document, chosen["account"])
    if as_json:
        put(row)
    elif row["link"] and row["auth"] == "linking":
        click.echo(row["link"]["url"])
        say("\nopen it, decide there, and this mission goes on by itself")
        suggest(here, f"aicp mission watch {document['id']}")
    else:
        say(document["blocking_reason"] or f"{row['account']} is {row['auth']}")
        suggest(here, next_step(here, client, document))
    return GateBlocked.exit_code if row["auth"] == "failed" else 0


@click.command()
@click.argument("mission_id", metavar="ID")
@click.argument("account")
@json_option
@pass_here
def disconnect(here: Here, mission_id: str, account: str, as_json: bool) -> None:
    """Take a grant back now. Every grant ends with its mission anyway.

    A run that still needs it is paused; what it did there can then not be undone by us.

    \b
    Example:
      aicp mission disconnect m-7k3 gmail
    """
    done = here.client().post(f"{path_of(mission_id)}/disconnection", {"account": account})
    put(done) if as_json else say(f"{account} is disconnected")


def _chosen(document: Doc, account: str | None) -> Doc:
    """The account to sign in to: the named one, or the first that waits for it."""
    waiting = [c for c in document["connections"] if c["wanted"] and c["auth"] != "active"]
    named = [c for c in waiting if account in (None, c["account"])]
    if not named:
        raise GateBlocked(
            f"{account or 'nothing here'} waits for a sign-in",
            hint=f"see `aicp mission show {document['id']}`",
        )
    return named[0]


def _of(document: Doc, account: str) -> Doc:
    return next(c for c in document["connections"] if c["account"] == account)
