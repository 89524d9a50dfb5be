"""doctor: what is missing and how to fix it. Works with nothing running, changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict

import click

from aicp.cli.checkup import Check, checks
from aicp.cli.edge import Here, json_option, lines, look, pass_here, put, say
from aicp.cli.render import Look, dim, tint, wrap


@click.command()
@json_option
@pass_here
def doctor(here: Here, as_json: bool) -> int:
    """What is missing, and how to fix it. Exit 1 when something must be fixed.

    \b
    Examples:
      aicp doctor
      DATABASE_URL=postgresql://… aicp doctor --json
    """
    found = checks(here.data_dir)
    failed = sum(check.level == "fail" for check in found)
    if as_json:
        put([asdict(check) for check in found])
        return 1 if failed else 0
    lines(report(found, look()))
    warned = sum(check.level == "warn" for check in found)
    sys.stdout.flush()
    say(f"\n{failed} to fix, {warned} to know" if failed or warned else "\nall is well")
    return 1 if failed else 0


def report(found: list[Check], how: Look) -> Iterator[str]:
    """One line a check; a fix under what is not well."""
    for check in found:
        head = f"{tint(f'{check.level:<5}')} {check.name:<12} "
        told = list(wrap(check.text, how, indent=19))
        yield head + (told[0].lstrip() if told else "")
        yield from told[1:]
        if check.fix:
            yield from (dim(line) for line in wrap(check.fix, how, indent=19, bullet="fix: "))
