"""kill and limits: stop calls at once, and see what else holds them back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from aicp.cli.edge import (
    Here,
    Verbs,
    json_option,
    lines,
    look,
    pass_here,
    put,
    say,
    suggest,
    utc_option,
)
from aicp.cli.render import clean, table, tint, when
from aicp.errors import BadInput

Command = Callable[..., Any]


@click.group(cls=Verbs)
def kill() -> None:
    """Stop every call of a mission, a toolkit, this tenant or the whole system.

    A pulled switch holds for every call that has not left yet. Undo stays possible.

    \b
    Example:
      aicp kill pull --toolkit mail --reason "wrong recipients"
    """


@kill.command("status")
@utc_option
@json_option
@pass_here
def status(here: Here, utc: bool, as_json: bool) -> None:
    """The kill switches that are pulled.

    \b
    Examples:
      aicp kill status
      aicp kill status --json
    """
    rows = here.client().get("/api/kill-switches")
    if as_json:
        put(rows)
        return
    if not rows:
        say("no kill switch is pulled")
        return
    how = look(utc=utc)
    told = [
        (row["target"], when(row["pulled_at"], how, "%Y-%m-%d %H:%M:%S"),
         clean(row["pulled_by"] or "another tenant"), clean(row["reason"]))
        for row in rows
    ]  # fmt: skip
    lines(table(told, ("STOPPED", "SINCE", "BY", "WHY"), how))
    suggest(here, f'aicp kill lift {_flag(rows[0])} --reason "…"' if rows[0]["ours"] else "")


def _flag(row: dict[str, Any]) -> str:
    """How a switch is named on the command line."""
    target = row["mission_id"] or row["toolkit"]
    return f"--{row['scope']} {target}".rstrip()


def _scoped(command: Command) -> Command:
    for option in (
        click.option("--reason", required=True, help="Why; kept with the switch."),
        click.option("--system", is_flag=True, help="Everything, in every tenant."),
        click.option("--tenant", is_flag=True, help="Everything in this tenant."),
        click.option("--toolkit", metavar="NAME", default="", help="All calls to one toolkit."),
        click.option("--mission", metavar="ID", default="", help="All calls of one mission."),
    ):
        command = option(command)
    return command


def _body(mission: str, toolkit: str, tenant: bool, system: bool, reason: str) -> dict[str, str]:
    """What is meant.

    Raises:
        BadInput: nothing is, or more than one thing.
    """
    meant = {"mission": mission, "toolkit": toolkit, "tenant": tenant, "system": system}
    given = [scope for scope, value in meant.items() if value]
    if len(given) != 1:
        raise BadInput(
            "say one thing to stop" if not given else f"{' and '.join(given)} are two things",
            hint="give one of --mission ID, --toolkit NAME, --tenant, --system",
        )
    return {"scope": given[0], "target": mission or toolkit, "reason": reason}


@kill.command()
@_scoped
@json_option
@pass_here
def pull(
    here: Here, mission: str, toolkit: str, tenant: bool, system: bool, reason: str, as_json: bool
) -> None:
    """Stop calls at once; held mails stay held.

    \b
    Examples:
      aicp kill pull --mission m-4k2p9x --reason "wrong list"
      aicp kill pull --toolkit mail --reason "wrong recipients"
      aicp kill pull --system --reason "incident 42"
    """
    body = _body(mission, toolkit, tenant, system, reason)
    made = here.client().post("/api/kill-switches", body)
    if as_json:
        put(made)
        return
    click.echo(f"{tint('fail')}  {clean(made['target'])} is stopped: no further call leaves")
    suggest(here, "aicp kill status")


@kill.command()
@_scoped
@json_option
@pass_here
def lift(
    here: Here, mission: str, toolkit: str, tenant: bool, system: bool, reason: str, as_json: bool
) -> None:
    """Let calls be made again; paused missions wait for their resume.

    \b
    Examples:
      aicp kill lift --toolkit mail --reason "list corrected"
      aicp kill lift --system --reason "incident 42 is over"
    """
    body = _body(mission, toolkit, tenant, system, reason)
    done = here.client().post("/api/kill-switches/lift", body)
    if as_json:
        put(done)
        return
    click.echo(f"{tint('ok')}  {clean(done['target'])} may make calls again")
    if done["paused"]:
        say(f"{len(done['paused'])} missions were paused by it: {', '.join(done['paused'])}")
        suggest(here, f"aicp mission resume {done['paused'][0]}")


@click.command()
@utc_option
@json_option
@pass_here
def limits(here: Here, utc: bool, as_json: bool) -> None:
    """Toolkits that rest, and how much of each quota is used.

    \b
    Examples:
      aicp limits
      aicp limits --json
    """
    told = here.client().get("/api/limits")
    if as_json:
        put(told)
        return
    how = look(utc=utc)
    rows = [
        (row["toolkit"], _state(row, how), f"{row['used']} of {row['calls']} in {row['seconds']} s")
        for row in told["toolkits"]
    ]
    lines(table(rows, ("TOOLKIT", "BREAKER", "CALLS"), how))
    usual = told["usual"]
    say(f"quota of a toolkit without its own: {usual['calls']} calls in {usual['seconds']} s")


def _state(row: dict[str, Any], how: Any) -> str:
    if row["state"] == "open":
        return f"resting until {when(row['resume_at'], how, '%H:%M:%S')}, {row['failed_calls']} calls failed"
    if row["state"] == "half_open":
        return "one call is trying it" if row["probing"] else "the next call tries it"
    return f"closed, {row['failed_calls']} calls failed" if row["failed_calls"] else "closed"
