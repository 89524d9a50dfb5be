"""policy: what operators allow and forbid, judged before it counts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from aicp.cli.edge import Here, Verbs, json_option, lines, look, pass_here, put, say
from aicp.cli.render import bold, clean, table, when, wrap
from aicp.errors import BadInput, SafeguardViolation

UNITS = {"h": 3600, "d": 86_400, "w": 604_800}
files_argument = click.argument(
    "files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path)
)


@click.group(cls=Verbs)
def policy() -> None:
    """What operators allow and forbid, in Cedar.

    \b
    Example:
      aicp policy test --since 30d night.cedar
    """


@policy.command()
@files_argument
@json_option
@pass_here
def check(here: Here, files: tuple[Path, ...], as_json: bool) -> int:
    """Parse policies and hold them against the tools that are known; those in force without a FILE.

    Exit 2 when one does not hold; in force it would deny every call.

    \b
    Examples:
      aicp policy check
      aicp policy check night.cedar sequences.toml
    """
    found = here.client().post("/api/policies/check", {"files": _read(files)})
    if as_json:
        put(found)
    elif found["problem"]:
        click.echo(clean(found["problem"]))
    else:
        own = sum(one["file"] != "built in" for one in found["policies"])
        click.echo(f"{own} policies hold")
    return BadInput.exit_code if found["problem"] else 0


@policy.command()
@json_option
@pass_here
def schema(here: Here, as_json: bool) -> None:
    """What policies may speak of: every known tool with its typed arguments, as a Cedar schema.

    \b
    Example:
      aicp policy schema > aicp.cedarschema
    """
    found = here.client().get("/api/policies/schema")
    put(found) if as_json else click.echo(found["schema"])


@policy.command()
@files_argument
@click.option("--since", default="30d", show_default=True, help="How far back: 12h, 30d, 8w.")
@click.option("--strict", is_flag=True, help="Exit 9 when a call would have been denied.")
@json_option
@pass_here
def test(here: Here, files: tuple[Path, ...], since: str, strict: bool, as_json: bool) -> int:
    """Hold policies against the calls of the past, and say which they would have denied.

    A FILE counts beside the policies in force; one of the same name stands in for it.

    \b
    Examples:
      aicp policy test night.cedar
      aicp policy test --since 8w --strict night.cedar
    """
    body = {"files": _read(files), "since_seconds": _seconds(since)}
    found = here.client().post("/api/policies/test", body)
    if as_json:
        put(found)
    else:
        _print_denied(found)
    return SafeguardViolation.exit_code if strict and found["denied"] else 0


@policy.command()
@json_option
@pass_here
def show(here: Here, as_json: bool) -> None:
    """The policies and sequence rules in force.

    \b
    Example:
      aicp policy show
    """
    found = here.client().get("/api/policies")
    if as_json:
        put(found)
        return
    for one in found["policies"]:
        name = one["id"] or f"line {one['line']}"
        click.echo(f"{bold(clean(name))}  {one['effect']}  {clean(one['file'])}:{one['line']}")
        lines(wrap(one["reason"] or "no reason is given", look(), indent=2))
    for rule in found["sequences"]:
        click.echo(f"{bold(clean(rule['id']))}  sequence")
        lines(wrap(rule["reason"] or "no reason is given", look(), indent=2))
    say(found["problem"] and f"every call is denied: {found['problem']}")


def _print_denied(found: dict[str, Any]) -> None:
    rows = [
        (one["mission_id"], one["seq"], one["tool"], one["account"], when(one["at"], look()), one["why"])
        for one in found["denied"]
    ]  # fmt: skip
    if rows:
        lines(table(rows, ("MISSION", "STEP", "TOOL", "ACCOUNT", "AT", "WHY"), look(), wraps=True))
    click.echo(f"would have denied {len(rows)} of {found['calls']}")
    if not found["whole"]:
        say(f"only the newest {found['calls']} calls were judged; take a shorter --since")


def _read(files: tuple[Path, ...]) -> list[dict[str, str]]:
    """Names and contents, for the server to judge.

    Raises:
        BadInput: one cannot be read.
    """
    try:
        return [{"name": file.name, "text": file.read_text(encoding="utf-8")} for file in files]
    except OSError as error:
        raise BadInput(f"{error.filename} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise BadInput("a policy file is not UTF-8 text") from None


def _seconds(text: str) -> int:
    match = re.fullmatch(r"([1-9]\d{0,4})([hdw])", text)
    if match is None:
        raise BadInput(f"'{text[:40]}' is no stretch of time", hint="write 12h, 30d or 8w")
    return int(match[1]) * UNITS[match[2]]
