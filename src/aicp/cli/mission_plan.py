"""mission, the first half: from plain words to an approval."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from aicp.cli import sheets
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
    utc_option,
    wait_option,
)  # fmt: skip
from aicp.cli.following import follow, when_worked
from aicp.cli.mission_agent import json_file
from aicp.cli.render import Look, clean
from aicp.cli.whose import next_step
from aicp.client import Client
from aicp.errors import BadInput, GateBlocked

Doc = dict[str, Any]
STAGES = ("Home", "Define", "Prepare", "Plan", "Approve", "Execute", "Reflect")
STATUSES = ("draft", "in_progress", "ready", "blocked", "completed", "archived")


@click.command()
@click.argument("intent", default="")
@click.option("--data", multiple=True, metavar="SOURCE", help="A table; may be repeated.")
@click.option(
    "--connect", multiple=True, metavar="KIND:TARGET", help="Anything else a mission may use."
)
@click.option(
    "--smtp",
    default="",
    metavar="HOST:PORT",
    help="Mail server, or smtp+starttls://user@host:port.",
)
@click.option("--sender", default="", metavar="ADDRESS", help="Whom mails come from.")
@click.option("--calendar", default="", metavar="FILE.ics", help="Calendar for follow-ups.")
@click.option("--mail-folder", default="", metavar="DIR", help="Where drafts and held mails lie.")
@click.option("--delivered", default="", metavar="MAILDIR", help="Inbox to look sent mails up in.")
@click.option("--plan", "plan_file", default="", metavar="FILE.json", help="A ready plan.")
@click.option("--agent", is_flag=True, help="An agent of yours proposes and makes the calls.")
@click.option(
    "--safeguards",
    "rules_file",
    default="",
    metavar="FILE.json",
    help="Rules of an agent's mission.",
)
@click.option("--title", default="", help="Instead of the first words.")
@click.option("--priority", type=click.IntRange(0, 4), default=2, help="0 first, 4 last.")
@click.option("--issue", default="", metavar="ID", help="The issue it is about, for example ops-1.")
@wait_option
@json_option
@pass_here
def new(
    here: Here, intent: str, no_wait: bool, as_json: bool, data: tuple[str, ...], plan_file: str,
    rules_file: str, **given: Any,
) -> int:  # fmt: skip
    """Give a mission in plain words, or with a ready plan.

    INTENT is what you want; '-' reads it from standard input. With --plan it may be left out, and
    with --agent it is what your agent is to plan for (see `aicp mission token`).

    \b
    SOURCE is a CSV file, a SQLite table (crm.sqlite#accounts) or a PostgreSQL table
    (postgresql://user@host/crm#accounts; its password comes from the server's ~/.pgpass).

    \b
    Examples:
      aicp mission new "Win back manufacturing accounts that went quiet in Q2" \\
          --data accounts.csv --smtp localhost:2525 --sender "Riley <riley@example.com>"
      aicp mission new - --data crm.sqlite#accounts --issue ops-1 < intent.txt
      aicp mission new --plan plan.json --data accounts.csv
      aicp mission new "Tidy the table" --agent --data accounts.csv
    """
    if not intent and not plan_file:
        raise BadInput("the mission is empty", hint="say what you want, or add --plan FILE.json")
    paths = {name: _absolute(given[name]) for name in ("calendar", "mail_folder", "delivered")}
    words = _standard_input() if intent == "-" else intent
    lists = {
        "data": [_absolute(source) for source in data],
        "connect": [connected(source) for source in given["connect"]],
    }
    body = {**given, **paths, **lists, "intent": words}
    body |= {"plan": json_file(plan_file)} if plan_file else {}
    body |= {"safeguards": json_file(rules_file)} if rules_file else {}
    client = here.client()
    made = client.post("/api/missions", body)
    if no_wait:
        put(made) if as_json else click.echo(made["id"])
        suggest(here, "" if as_json else f"aicp mission watch {made['id']}")
        return 0
    document = follow(here, client, made["id"], quiet=as_json)
    return _told(here, client, document, as_json=as_json, show=_defined)


@click.command("list")
@click.option("--stage", type=click.Choice(STAGES, case_sensitive=False), help="Only this stage.")
@click.option("--status", type=click.Choice(STATUSES), help="Only this status.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@utc_option
@json_option
@pass_here
def list_(
    here: Here, stage: str | None, status: str | None, limit: int, utc: bool, as_json: bool
) -> None:
    """The newest missions first.

    \b
    Examples:
      aicp mission list
      aicp mission list --status blocked --json
    """
    rows = here.client().get("/api/missions", stage=stage, status=status, limit=limit)
    if as_json:
        put(rows)
        return
    lines(sheets.missions(rows, look(utc=utc)))
    if not rows:
        say("no missions here yet" if not (stage or status) else "no mission is like that")
        suggest(here, 'aicp mission new "…" --data accounts.csv')


@click.command()
@click.argument("mission_id", metavar="ID")
@utc_option
@json_option
@pass_here
def show(here: Here, mission_id: str, utc: bool, as_json: bool) -> None:
    """Everything about a mission, in the order of its stages.

    \b
    Examples:
      aicp mission show m-7k3
      aicp mission show m-7k3 --json | jq .run.steps
    """
    client = here.client()
    document = client.get(path_of(mission_id))
    if as_json:
        put(document)
        return
    lines(sheets.whole(document, look(utc=utc)))
    suggest(here, next_step(here, client, document))


@click.command()
@click.argument("mission_id", metavar="ID")
@click.option("--set", "words", multiple=True, metavar="CHIP=WORDS", help="Put a chip into words.")
@click.option("--accept", multiple=True, metavar="CHIP", help="Take a chip as it is.")
@click.option(
    "--answer", "answers", multiple=True, metavar="QUESTION=WORDS", help="Answer a question."
)
@json_option
@pass_here
def brief(
    here: Here,
    mission_id: str,
    words: tuple[str, ...],
    accept: tuple[str, ...],
    answers: tuple[str, ...],
    as_json: bool,
) -> None:
    """What was understood, and from which words.

    --set, --accept and --answer change it; a change voids earlier acknowledgements.

    \b
    Examples:
      aicp mission brief m-7k3
      aicp mission brief m-7k3 --set "audience=accounts in Germany over $50k ARR"
      aicp mission brief m-7k3 --accept kpi-1
      aicp mission brief m-7k3 --answer "question-1=Leave it out"
    """
    edits = [_edit(pair) for pair in words] + [(chip, None) for chip in accept]
    client = here.client()
    document = when_worked(here, client, mission_id, ("Define",), quiet=as_json)
    for chip, text in edits:
        document = client.put(f"{path_of(mission_id)}/brief/{chip}", {"text": text})
    for question, text in map(_edit, answers):
        document = client.put(f"{path_of(mission_id)}/questions/{question}", {"text": text})
    if as_json:
        put(document["brief"])
        return
    lines(_defined(document, look()))
    suggest(here, next_step(here, client, document))


@click.command()
@click.argument("mission_id", metavar="ID")
@json_option
@pass_here
def ack(here: Here, mission_id: str, as_json: bool) -> None:
    """Stand by the safeguards. Two different people must: the owner and a governance delegate.

    \b
    Examples:
      aicp mission ack m-7k3
      aicp --as gabriela@home.example mission ack m-7k3
    """
    client = here.client()
    given = client.post(f"{path_of(mission_id)}/acknowledgements")
    if as_json:
        put(given)
        return
    click.echo(f"safeguards acknowledged as {given['capacity']}")
    for gap in given["missing"]:
        say(f"still missing: {gap}")
    suggest(here, next_step(here, client, client.get(path_of(mission_id))))


@click.command()
@click.argument("mission_id", metavar="ID")
@click.option("--override", metavar="WHY", help="Governance: pass the coverage gate, recorded.")
@wait_option
@json_option
@pass_here
def prepare(
    here: Here, mission_id: str, override: str | None, no_wait: bool, as_json: bool
) -> None:
    """Coverage, scopes, and what was read.

    \b
    Examples:
      aicp mission prepare m-7k3
      aicp --as gabriela@home.example mission prepare m-7k3 --override "pilot with known gaps"
    """
    client = here.client()
    if override is not None:
        client.post(f"{path_of(mission_id)}/override", {"rationale": override})
    stages = () if no_wait else ("Prepare",)
    document = when_worked(here, client, mission_id, stages, quiet=as_json)
    if as_json:
        keys = ("id", "coverage_percent", "connections", "inspections")
        put({k: document[k] for k in keys} | {"coverage": sheets.coverage_of(document)})
        return
    lines(sheets.header(document, look()))
    lines(sheets.readiness(document, look()))
    suggest(here, next_step(here, client, document))


@click.command()
@click.argument("mission_id", metavar="ID")
@click.option("--select", "rank", type=click.IntRange(1), help="Choose the play of this rank.")
@wait_option
@json_option
@pass_here
def plan(here: Here, mission_id: str, rank: int | None, no_wait: bool, as_json: bool) -> None:
    """The ranked plays; choose one.

    --select binds a play call by call, and asks for its approval.

    \b
    Examples:
      aicp mission plan m-7k3
      aicp mission plan m-7k3 --select 1
    """
    client = here.client()
    stages = () if no_wait else ("Prepare", "Plan")
    document = when_worked(here, client, mission_id, stages, quiet=as_json)
    if rank is not None:
        _select(client, mission_id, rank, as_json=as_json)
        document = client.get(path_of(mission_id))
    elif as_json:
        put(document["plays"])
    else:
        lines(sheets.plays(document, look()))
        if not document["plays"]:
            say(here.typed(document["blocking_reason"] or "no plays yet"))
    if as_json:
        return
    suggest(here, next_step(here, client, document))


@click.command()
@click.argument("mission_id", metavar="ID")
@click.option("--digest", default="", help="The digest you read, at least its first 12 digits.")
@click.option("--reason", default="", help="Kept with the decision.")
@click.option(
    "--calls", is_flag=True, help="Show every argument of every call, and approve nothing."
)
@click.option("--yes", is_flag=True, help="Do not ask: approve what the sheet shows now.")
@click.option(
    "--name",
    "named",
    multiple=True,
    metavar="VALUE",
    help="Stand by a value from untrusted content; may be repeated.",
)
@utc_option
@json_option
@pass_here
def approve(
    here: Here,
    mission_id: str,
    digest: str,
    reason: str,
    calls: bool,
    yes: bool,
    named: tuple[str, ...],
    utc: bool,
    as_json: bool,
) -> None:
    """Approve the exact calls of the plan. The last approval needed starts the run.

    \b
    Examples:
      aicp mission approve m-7k3                  # shows the sheet, then asks
      aicp mission approve m-7k3 --calls          # every argument, to the letter
      aicp mission approve m-7k3 --digest 9f2c4a1be07d --reason "read all calls"
      aicp mission approve m-7k3 --name kim@acme.example
    """
    client = here.client()
    if calls:
        sheet = _sheet(client.get(path_of(mission_id)))
        put(sheet["steps"]) if as_json else lines(sheets.arguments(sheet, look()))
        return
    if named and _sheet(client.get(path_of(mission_id)))["approval"]["status"] != "requested":
        _name(here, client, mission_id, named, as_json=as_json)
        return
    if not digest:
        digest = _read_and_agreed(client, mission_id, yes=yes, as_json=as_json, utc=utc)
    body = {"digest": digest, "rationale": reason, "named": list(named)}
    given = client.post(f"{path_of(mission_id)}/approval", body)
    if as_json:
        put(given)
        return
    click.echo(f"approved as {given['capacity']}")
    say(f"still missing: {given['missing']}" if given["missing"] else "the run starts")
    suggest(here, next_step(here, client, client.get(path_of(mission_id))))


def _name(
    here: Here, client: Client, mission_id: str, named: tuple[str, ...], *, as_json: bool
) -> None:
    """After the approval: stand by values that the run met, so that it may go on."""
    given = client.post(f"{path_of(mission_id)}/names", {"values": list(named)})
    put(given) if as_json else click.echo(f"named: {clean(', '.join(given['named']))}")
    suggest(here, "" if as_json else f"aicp mission resume {mission_id}")


@click.command()
@click.argument("mission_id", metavar="ID")
@click.option("--reason", required=True, help="What should be different.")
@json_option
@pass_here
def reject(here: Here, mission_id: str, reason: str, as_json: bool) -> None:
    """Refuse the plan, with a reason.

    The mission goes back to Plan.

    \b
    Example:
      aicp mission reject m-7k3 --reason "too many mails for one day"
    """
    client = here.client()
    given = client.post(f"{path_of(mission_id)}/rejection", {"reason": reason})
    put(given) if as_json else click.echo("rejected; the mission is back in Plan")
    suggest(here, "" if as_json else f"aicp mission plan {mission_id}")


def _told(
    here: Here, client: Client, document: Doc, *, as_json: bool,
    show: Callable[[Doc, Look], Iterable[str]],
) -> int:  # fmt: skip
    """Print what a command waited for; a blocked mission is exit 5, with its reason."""
    blocked = document["status"] == "blocked"
    if as_json:
        put(document)
        return GateBlocked.exit_code if blocked else 0
    lines(show(document, look()))
    if blocked:
        say(f"blocked: {here.typed(document['blocking_reason'])}")
    suggest(here, next_step(here, client, document))
    return GateBlocked.exit_code if blocked else 0


def _defined(document: Doc, how: Look) -> Iterable[str]:
    yield from sheets.header(document, how)
    if document["brief"]:
        yield from sheets.brief(document, how)


def _read_and_agreed(
    client: Client, mission_id: str, *, yes: bool, as_json: bool, utc: bool
) -> str:
    """Show the sheet and have it agreed to; the digest of exactly what was shown.

    Raises:
        GateBlocked: nothing is open to approve, or nobody is there to agree.
    """
    document = client.get(path_of(mission_id))
    sheet = _sheet(document)
    if as_json and not yes:
        put(sheet)
    if not as_json:
        lines(sheets.sheet(sheet, look(utc=utc), whole=True))
    digest = sheet["approval"]["digest"]
    if sheet["approval"]["status"] != "requested":
        raise GateBlocked(
            f"this request is {sheet['approval']['status']}, not open", code="not-open"
        )
    if yes:
        return digest
    if not asks():
        raise GateBlocked(
            "nothing was approved: nobody is there to ask",
            hint=f"read it (all arguments: --calls), then: aicp mission approve {document['id']} --digest {digest[:16]}",
            code="not-asked",
        )
    typed = click.prompt(
        "\nType the first 8 digits of the digest to approve",
        err=True,
        default="",
        show_default=False,
    )
    if typed.strip().lower() != digest[:8]:
        raise GateBlocked("nothing was approved: those are not the first 8 digits", code="digest")
    return digest


def _sheet(document: Doc) -> Doc:
    if document["approval"] is None:
        raise GateBlocked(
            f"there is nothing to approve yet: the mission is in {document['stage']}",
            hint=f"see `{document['next'] or 'aicp mission show ' + document['id']}`",
            code="not-open",
        )
    return document["approval"]


def _select(client: Client, mission_id: str, rank: int, *, as_json: bool) -> None:
    """Bind a play, and show the sheet that people will approve."""
    chosen = client.post(f"{path_of(mission_id)}/plan", {"rank": rank})
    if as_json:
        put(chosen)
        return
    lines(sheets.sheet(client.get(path_of(mission_id))["approval"], look(), whole=False))


def _edit(pair: str) -> tuple[str, str | None]:
    chip, equals, text = pair.partition("=")
    if not equals or not chip.strip() or not text.strip():
        raise BadInput(
            f"'{pair}' is not NAME=WORDS", hint='write --set "audience=accounts in Spain"'
        )
    return chip.strip(), text.strip()


PATHS = ("files", "git", "inbox")


def connected(source: str) -> str:
    """KIND:TARGET with a path made absolute: of a kind that takes paths, or that looks like one."""
    kind, colon, target = source.partition(":")
    is_path = kind in PATHS or target in (".", "..") or target.startswith(("./", "../", "~"))
    return f"{kind}{colon}{_absolute(target)}" if is_path else source


def _absolute(source: str) -> str:
    """A path made absolute against the caller's folder; URLs and empty values stay."""
    if not source or "://" in source:
        return source
    path, mark, table_name = source.partition("#")
    return f"{Path(path).expanduser().absolute()}{mark}{table_name}"


def _standard_input() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:
        raise BadInput(
            "standard input is not UTF-8 text", hint="save the intent as UTF-8"
        ) from None
