"""telemetry: what is recorded, and whether it is what the catalogue says (OB-5)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from aicp.cli.edge import Here, Verbs, json_option, lines, look, pass_here, put, say
from aicp.cli.render import bold, clean, fields, table
from aicp.errors import BadInput, NotFound

if TYPE_CHECKING:
    from aicp.telemetry.audit.findings import Report


@click.group(cls=Verbs)
def telemetry() -> None:
    """Events, and whether they are what the catalogue says.

    \b
    Examples:
      aicp telemetry events composio_tool_call
      aicp telemetry audit --mode check
    """


@telemetry.command()
@click.argument("name", required=False)
@json_option
def events(name: str | None, as_json: bool) -> None:
    """The events of the catalogue; of one its fields. Older names are known too.

    \b
    Examples:
      aicp telemetry events
      aicp telemetry events plan_approved
      aicp telemetry events --json | jq 'keys'
    """
    from aicp.telemetry.catalogue import aliases, catalogue

    if name is None:
        known = catalogue().values()
        if as_json:
            put({one.name: one.schema for one in known})
            return
        rows = [(one.name, one.stage, one.scope, one.retention, one.brief) for one in known]
        lines(table(rows, ("event", "stage", "scope", "kept", "what happened"), look(), wraps=True))
        return
    event = catalogue().get(aliases().get(name, name))
    if event is None:
        raise NotFound(f"there is no event {clean(name)}", hint="see `aicp telemetry events`")
    if as_json:
        put(event.schema)
        return
    lines(_one(event))


def _one(event: Any) -> Iterator[str]:
    yield bold(event.name)
    said = [("what happened", event.brief), ("stage", event.stage), ("scope", event.scope),
            ("kept", event.retention), ("since", event.since), ("older names", ", ".join(event.aliases)),
            ("not recorded", event.why)]  # fmt: skip
    yield from fields(said, look())
    required = {one.name for one in event.required}
    rows = [
        (one.name, one.type, "yes" if one.name in required else "", one.pii, str(one.example))
        for one in event.fields
    ]
    yield from table(
        rows, ("field", "type", "required", "personal", "for example"), look(), indent=2
    )


@telemetry.command()
@click.option(
    "--mode", type=click.Choice(["check", "spot", "report"]), default="check", show_default=True,
    help="check: catalogue and code, without a network. spot: what was stored. report: both.",
)  # fmt: skip
@click.option(
    "--minutes", type=click.IntRange(1, 1440), default=15, show_default=True,
    help="How far back spot looks.",
)  # fmt: skip
@click.option("--issue", metavar="ID", help="Attach the result to this issue as a comment.")
@click.option("--sarif", is_flag=True, help="SARIF 2.1.0 on standard output.")
@json_option
@pass_here
def audit(
    here: Here, mode: str, minutes: int, issue: str | None, sarif: bool, as_json: bool
) -> int:
    """Whether telemetry is what the catalogue says. Exit 0 clean, 1 findings, 2 nothing could be checked.

    \b
    Examples:
      aicp telemetry audit --mode check
      aicp telemetry audit --mode spot --minutes 60 --issue ops-1
      aicp telemetry audit --mode check --sarif > audit.sarif
    """
    if sarif and as_json:
        raise BadInput("--json and --sarif are two forms of one output", hint="choose one")
    report = _report(here, mode, minutes)
    if issue:
        here.client().post(f"/api/issues/{issue}/comments", {"text": report.summary})
    if as_json or sarif:
        put(report.as_sarif() if sarif else report.as_dict())
        return report.exit_code
    lines(one.line for one in report.findings)
    for name, why in report.unchecked.items():
        say(f"not checked: {name} ({why})")
    say(report.summary)
    return report.exit_code


def _report(here: Here, mode: str, minutes: int) -> Report:
    """The audit of a mode; check is made here, spot by the server, which has what was stored."""
    from aicp.telemetry.audit.check import check
    from aicp.telemetry.audit.findings import Finding, Report
    from aicp.telemetry.catalogue import declare

    declare()
    report = check() if mode != "spot" else Report(mode)
    report.mode = mode
    if mode != "check":
        told = here.client().get("/api/telemetry/audit", minutes=minutes)
        report.findings += [Finding(**one) for one in told["findings"]]
        report.checked |= told["checked"]
        report.unchecked |= told["unchecked"]
    return report


@telemetry.command()
@click.option(
    "--check", "only_check", is_flag=True, help="Write nothing; exit 1 when a file is stale."
)
def generate(only_check: bool) -> int:
    """Write the pages that are made from the catalogue (in a checkout).

    \b
    Examples:
      aicp telemetry generate
      aicp telemetry generate --check
    """
    from aicp.telemetry import docs

    if only_check:
        if stale := docs.current():
            click.echo(stale)
        return 1 if docs.current() else 0
    docs.PAGE.write_text(docs.page(), encoding="utf-8")
    say(f"wrote {docs.PAGE}")
    sys.stdout.flush()
    return 0
