"""Real local tools: how much of a governed call is the tool, how much is governance; and undo."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bench.report import Line, Table
from bench.series import percentile, timed
from bench.world import World

from aicp.cli.demo import INTENT
from aicp.missions import execute, plan, store, undo
from aicp.missions.prepare import open_providers
from aicp.missions.store import Mission
from aicp.trust.calls import Run
from flight import Flight

TIMED = ("before", "execute", "verify")


class Stopwatch:
    """A provider whose calls are timed, and nothing else changed."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        known = getattr(self._provider, name)
        return self._clocked(known) if name in TIMED else known

    def _clocked(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def clocked(*args: Any) -> Any:
            began = time.perf_counter()
            try:
                return method(*args)
            finally:
                self.seconds += time.perf_counter() - began

        return clocked


def bench(world: World) -> list[Table]:
    """The demo's mission call by call, its rehearsal, and its undo."""
    whole: dict[str, list[float]] = defaultdict(list)
    inside: dict[str, list[float]] = defaultdict(list)
    rehearsed: list[float] = []
    undone: list[float] = []
    rounds = 1 if world.quick else 4
    for _ in range(rounds):
        with world.flight() as flight:
            mission, run = flight.fly(0, INTENT)
            rehearsed.append(_rehearsal(flight, mission, run))
            _execute(run, whole, inside)
            undone.append(_undo(flight, mission, len(run.plan.play.steps)))
    return [_shares(whole, inside), _backwards(rehearsed, undone, rounds)]


def _execute(run: Run, whole: dict[str, list[float]], inside: dict[str, list[float]]) -> None:
    watches = {account: Stopwatch(provider) for account, provider in run.providers.items()}
    watched = replace(run, providers=watches)  # type: ignore[arg-type]
    call = execute.caller(watched)
    for step in run.plan.play.steps:
        watch = watches[step.account]
        before = watch.seconds
        whole[step.tool_name].append(timed(lambda s=step: call(s)))
        inside[step.tool_name].append(watch.seconds - before)


def _rehearsal(flight: Flight, mission_id: str, run: Run) -> float:
    """Seconds to run the play and its undo on copies, before a call was made."""
    providers = open_providers(flight.app.services, _row(flight, mission_id), run.actor)
    began = time.perf_counter()
    result = plan.rehearse(run.plan.play, providers)
    seconds = time.perf_counter() - began
    if not result["exact"]:
        raise AssertionError(result)
    return seconds


def _undo(flight: Flight, mission_id: str, steps: int) -> float:
    """Undone steps a second: the job from its start to the sealed evidence."""
    before = flight.call(undo.request, mission_id, "measured")
    if before["steps"] != steps:
        raise AssertionError(before)
    seconds = timed(flight.work)
    if flight.doc(mission_id)["run_state"] != "undone":
        raise AssertionError("the mission was not undone")
    return steps / seconds


def _row(flight: Flight, mission_id: str) -> Mission:
    with flight.app.transaction(flight.people["riley"]) as conn:
        return store.get(conn, mission_id)


def _shares(whole: dict[str, list[float]], inside: dict[str, list[float]]) -> Table:
    lines = []
    for tool in sorted(whole):
        total, own = whole[tool], inside[tool]
        share = 100 * sum(own) / sum(total)
        lines += [
            Line(f"{tool}, p50", percentile(total, 50), "ms", note=f"{len(total)} calls"),
            Line(f"{tool}, p95", percentile(total, 95), "ms"),
            Line(f"{tool}, the tool itself", share, "%", note=f"governance {100 - share:.0f} %"),
        ]
    return Table("tools", "governed calls of real tools on real files", tuple(lines))


def _backwards(rehearsed: list[float], undone: list[float], rounds: int) -> Table:
    lines = (
        Line("rehearsal of an 80-step play and its undo", 1000 * min(rehearsed), "ms",
             note=f"best of {rounds}; worst {1000 * max(rehearsed):.0f} ms"),
        Line("undo, steps a second", max(undone), "/s", note=f"best of {rounds}; worst {min(undone):.0f} /s"),
    )  # fmt: skip
    return Table("undo", "the demo's mission, taken back", lines,
                 rounds={"rehearsal_s": rehearsed, "undone_per_s": undone})  # fmt: skip
