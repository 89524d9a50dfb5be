"""mission, the second half: running, watching, stopping, taking back, and what remains to be seen."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
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
from aicp.cli.following import follow
from aicp.cli.progress import follow as follow_events
from aicp.cli.progress import newest
from aicp.cli.render import Look, fields, section, table
from aicp.cli.whose import next_step
from aicp.client import Client
from aicp.errors import Conflict, GateBlocked

Doc = dict[str, Any]


@click.command()
@click.argument("mission_id", metavar="ID")
@wait_option
@utc_option
@json_option
@pass_here
def run(here: Here, mission_id: str, no_wait: bool, utc: bool, as_json: bool) -> int:
    """Start an approved mission and watch it.

    An approval starts it by itself; this says why it has not. Stays until it is done, held or
    wants a person (exit 5 when it is blocked).

    \b
    Examples:
      aicp mission run m-7k3
      aicp mission run m-7k3 --no-wait
    """
    client = here.client()
    since = newest(client, mission_id) if not no_wait else 0
    started = client.post(f"{path_of(mission_id)}/run")
    if no_wait:
        put(started) if as_json else click.echo(f"run {started['run_state']}")
        suggest(here, "" if as_json else f"aicp mission watch {mission_id}")
        return 0
    document = follow(here, client, mission_id, after=since, quiet=as_json, utc=utc)
    blocked = document["status"] == "blocked"
    if as_json:
        put(document)
    else:
        lines(sheets.run(document, look(utc=utc)))
        lines(sheets.findings(document, look(utc=utc)))
        say(f"\n{outcome(document)}")
        suggest(here, next_step(here, client, document))
    return GateBlocked.exit_code if blocked else 0


@click.command()
@click.argument("mission_id", metavar="ID")
@click.option("--from", "since", type=click.IntRange(0), default=0, help="Only after this event.")
@utc_option
@json_option
@pass_here
def watch(here: Here, mission_id: str, since: int, utc: bool, as_json: bool) -> None:
    """Live: stages, calls, verdicts, findings.

    \b
    Ends when the mission wants a person, is held, finished or undone. A broken connection is taken
    up where it broke. --json writes one event a line.

    \b
    Examples:
      aicp mission watch m-7k3
      aicp mission watch m-7k3 --from 120 --json
    """
    client = here.client()
    if as_json:
        _watch_json(client, mission_id, since)
        return
    client.get(path_of(mission_id))
    document = follow(here, client, mission_id, after=since, stream=sys.stdout, utc=utc)
    lines(sheets.findings(document, look(utc=utc)))
    say(f"\n{outcome(document)}")
    suggest(here, next_step(here, client, document))


@click.command()
@click.argument("mission_id", metavar="ID")
@click.option("--reason", default="", help="Shown to whoever looks next.")
@json_option
@pass_here
def pause(here: Here, mission_id: str, reason: str, as_json: bool) -> None:
    """No further call begins; what is held stays held.

    \b
    Example:
      aicp mission pause m-7k3 --reason "checking the list"
    """
    done = here.client().post(f"{path_of(mission_id)}/pause", {"reason": reason})
    put(done) if as_json else click.echo(f"paused at step {done['at_step']}")
    suggest(here, "" if as_json else f"aicp mission resume {mission_id}")


@click.command()
@click.argument("mission_id", metavar="ID")
@click.option(
    "--happened", type=click.Choice(["yes", "no"]), help="Settle a call of unknown outcome."
)
@json_option
@pass_here
def resume(here: Here, mission_id: str, happened: str | None, as_json: bool) -> None:
    """Go on where it stopped.

    A paused run goes on at its cursor, a blocked stage from its beginning.

    \b
    Examples:
      aicp mission resume m-7k3
      aicp mission resume m-7k3 --happened no     # you looked: the call never happened
    """
    answer = None if happened is None else happened == "yes"
    done = here.client().post(f"{path_of(mission_id)}/resume", {"happened": answer})
    put(done) if as_json else click.echo(f"going on, run {done['run_state']}")
    suggest(here, "" if as_json else f"aicp mission watch {mission_id}")


@click.command()
@click.argument("mission_id", metavar="ID")
@json_option
@pass_here
def stop(here: Here, mission_id: str, as_json: bool) -> None:
    """End the run for good. What was done stays until it is undone; what is held never leaves.

    \b
    Example:
      aicp mission stop m-7k3
    """
    done = here.client().post(f"{path_of(mission_id)}/stop")
    put(done) if as_json else click.echo(f"stopped after step {done['done_steps']}")
    suggest(here, "" if as_json else f"aicp mission undo {mission_id}")


@click.command()
@click.argument("mission_id", metavar="ID")
@click.option("--reason", default="", help="Kept with the undo.")
@click.option("--to-step", type=click.IntRange(0), default=0, help="The last step that stays.")
@click.option("--dry-run", is_flag=True, help="Try it on copies; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@utc_option
@json_option
@pass_here
def undo(
    here: Here,
    mission_id: str,
    reason: str,
    to_step: int,
    dry_run: bool,
    yes: bool,
    utc: bool,
    as_json: bool,
) -> int:
    """Take back what was done, last step first.

    A later edit by somebody else is never overwritten: it stops the undo (exit 6). Once the undo
    window has closed, only governance and on-call undo, with a reason.

    \b
    Examples:
      aicp mission undo m-7k3 --dry-run
      aicp mission undo m-7k3
      aicp mission undo m-7k3 --to-step 4         # steps 1 to 4 stay
      aicp mission undo m-7k3 --yes --reason "wrong quarter"
    """
    client = here.client()
    document = client.get(path_of(mission_id))
    since, sealed = newest(client, document["id"]), _undo_bundles(document)
    body = {"reason": reason, "to_step": to_step, "dry_run": dry_run}
    if dry_run:
        return _tried(here, client, document["id"], body, utc=utc, as_json=as_json)
    if not yes and asks():
        lines(sheets.to_take_back(document, look(utc=utc), to_step=to_step))
        click.confirm(
            "\nTake this back?" if to_step else "\nTake it all back?", abort=True, err=True
        )
    client.post(f"{path_of(mission_id)}/undo", body)
    document = follow(
        here, client, document["id"], after=since, quiet=as_json, utc=utc,
        until=lambda now: _undo_settled(now) and _undo_bundles(now) > sealed,
    )  # fmt: skip
    if as_json:
        put(document["undo"])
    else:
        lines(sheets.undo(document, look(utc=utc)))
        say(f"\n{outcome(document)}")
        suggest(here, next_step(here, client, document))
    return Conflict.exit_code if document["run_state"] == "undo_stopped" else 0


@click.command()
@click.argument("mission_id", metavar="ID")
@click.option("--verify", is_flag=True, help="Hash every byte again; exit 1 when one changed.")
@utc_option
@json_option
@pass_here
def evidence(here: Here, mission_id: str, verify: bool, utc: bool, as_json: bool) -> int:
    """The sealed bundles: what proves what happened.

    \b
    Examples:
      aicp mission evidence m-7k3
      aicp mission evidence m-7k3 --verify
    """
    client = here.client()
    if verify:
        rows = client.post(f"{path_of(mission_id)}/evidence/verification")
    else:
        rows = client.get(f"{path_of(mission_id)}/evidence")
    if as_json:
        put(rows)
    elif verify:
        lines(sheets.damage(rows))
    else:
        lines(_bundles(rows, look(utc=utc)))
    if not rows:
        say("nothing is sealed yet: evidence is sealed when a run ends, and after an undo")
    elif not verify and not as_json:
        suggest(here, f"aicp mission evidence {mission_id} --verify")
    return 1 if any(row.get("damage") for row in rows) else 0


@click.command()
@click.argument("mission_id", metavar="ID")
@click.option("--rating", type=click.IntRange(1, 5), required=True, help="1 bad, 5 good.")
@click.option("--note", default="", help="What to keep, what to change.")
@click.option("--hours", type=click.FloatRange(0), help="Hours of work it saved.")
@json_option
@pass_here
def feedback(
    here: Here, mission_id: str, rating: int, note: str, hours: float | None, as_json: bool
) -> None:
    """What came of it.

    Plays rated 4 and better become precedents when plays are ranked.

    \b
    Example:
      aicp mission feedback m-7k3 --rating 5 --note "good list" --hours 6
    """
    body = {"rating": rating, "notes": note, "effort_saved_hours": hours}
    given = here.client().post(f"{path_of(mission_id)}/feedback", body)
    put(given) if as_json else click.echo(f"thank you: {rating} of 5 is noted")


@click.command()
@click.argument("mission_id", metavar="ID")
@click.argument("title")
@click.option(
    "-p",
    "--priority",
    type=click.IntRange(0, 4),
    default=2,
    show_default=True,
    help="0 is the most urgent.",
)
@click.option("-l", "--label", "labels", multiple=True, help="May be repeated.")
@json_option
@pass_here
def followup(
    here: Here, mission_id: str, title: str, priority: int, labels: tuple[str, ...], as_json: bool
) -> None:
    """What is left to do: it becomes an issue, at once or when the issue graph is there.

    \b
    Example:
      aicp mission followup m-7k3 "Ask legal about the two bounced addresses" -p 1 -l ops
    """
    body = {"title": title, "priority": priority, "labels": list(labels)}
    made = here.client().post(f"{path_of(mission_id)}/followups", body)
    put(made) if as_json else click.echo(f"{made['id']} is noted; the worker opens its issue")


@click.command()
@click.argument("mission_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_here
def finalize(here: Here, mission_id: str, yes: bool, as_json: bool) -> None:
    """Wait no longer: the undo window closes, and what is held leaves when its time allows.

    \b
    Example:
      aicp mission finalize m-7k3
    """
    client = here.client()
    if not yes and asks():
        say(outcome(client.get(path_of(mission_id))))
        click.confirm("Close the undo window now?", abort=True, err=True)
    done = client.post(f"{path_of(mission_id)}/finalization")
    if as_json:
        put(done)
        return
    click.echo("the undo window is closed")
    for seq, due in done["leaving"].items():
        say(f"step {seq} may leave at {due}")
    suggest(here, f"aicp mission watch {mission_id}")


def outcome(document: Doc) -> str:
    """One sentence on where the mission stands."""
    state, held = document["run_state"], _held(document)
    if state == "held":
        return f"every call is done; {held} effects are held and can still be taken back"
    if state == "undone":
        left = document["blocking_reason"]
        return f"taken back, but {left}" if left else "everything is taken back"
    before = {"undone_partly": "", "undo_stopped": "the undo stopped: "}
    if state in before or document["status"] == "blocked":
        return f"{before.get(state, 'blocked: ')}{document['blocking_reason']}"
    if document["status"] == "completed":
        return "the mission is completed"
    return f"{document['stage']}: {sheets.state_of(document).replace('_', ' ')}"


def _tried(
    here: Here, client: Client, mission_id: str, body: Doc, *, utc: bool, as_json: bool
) -> int:
    """Wait for the trial on copies and show it; exit 6 when the undo would stop."""
    since = newest(client, mission_id)
    asked = client.post(f"{path_of(mission_id)}/undo", body)
    document = follow(
        here, client, mission_id, after=since, quiet=as_json, utc=utc,
        until=lambda now: _trial(now, asked["undo_id"])["state"] != "running",
    )  # fmt: skip
    trial = _trial(document, asked["undo_id"])
    if as_json:
        put(trial)
    else:
        lines(sheets.undo({**document, "undo": [trial]}, look(utc=utc)))
        say("\nnothing was changed: this was tried on copies")
        suggest(here, f"aicp mission undo {mission_id}")
    return Conflict.exit_code if trial["state"] == "stopped" else 0


def _trial(document: Doc, undo_id: str) -> Doc:
    return next(run for run in document["undo"] if run["id"] == undo_id)


def _held(document: Doc) -> int:
    return sum(1 for s in document["run"]["steps"] if s["hold"] and s["hold"]["state"] == "held")


def _undo_settled(document: Doc) -> bool:
    return document["run_state"] in ("undone", "undone_partly", "undo_stopped")


def _undo_bundles(document: Doc) -> int:
    return sum(1 for bundle in document["bundles"] if bundle["occasion"] == "undo")


def _watch_json(client: Client, mission_id: str, since: int) -> None:
    """One event a line, as it happens."""

    def tell(event: Doc) -> None:
        click.echo(json.dumps(event, default=str, ensure_ascii=False))

    follow_events(client, mission_id, tell, after=since, notice=say)


def _bundles(rows: list[Doc], how: Look) -> Iterator[str]:
    for bundle in rows:
        yield from section(f"{bundle['occasion']} bundle, {bundle['artifact_count']} files")
        yield from fields([("manifest", bundle["manifest_sha256"])], how)
        files = [(a["name"], a["size"], a["sha256"]) for a in bundle["artifacts"]]
        yield from table(files, ("FILE", "BYTES", "SHA-256"), how, indent=2)
