"""mission: from plain words to evidence, and back. Data on standard output, everything else beside it."""

from __future__ import annotations

import click

from aicp.cli import (
    mission_agent,
    mission_approve,
    mission_connect,
    mission_guard,
    mission_plan,
    mission_run,
)
from aicp.cli.edge import Verbs


@click.group(cls=Verbs)
def mission() -> None:
    """Missions, from plain words to evidence. An id may be shortened.

    \b
    Example of a whole mission:
      aicp mission new "Normalise the phone numbers of all accounts" --data accounts.csv
      aicp mission ack m-7k3                      # and once more by a governance delegate
      aicp mission plan m-7k3 --select 1
      aicp mission approve m-7k3
      aicp mission watch m-7k3
      aicp mission undo m-7k3
    """


for verb in (
    mission_plan.new, mission_plan.list_, mission_plan.show, mission_plan.brief, mission_plan.ack,
    mission_plan.prepare, mission_plan.plan, mission_plan.approve, mission_plan.reject,
    mission_connect.connect, mission_connect.disconnect, mission_approve.delegate, mission_approve.sheet,
    mission_guard.guard, mission_run.run, mission_run.watch, mission_run.pause, mission_run.resume, mission_run.stop,
    mission_run.undo, mission_run.finalize, mission_run.evidence, mission_run.feedback,
    mission_run.followup, mission_agent.token, mission_agent.plan_schema,
):  # fmt: skip
    mission.add_command(verb)
