"""What can be mended while planning, before anybody approves: never a call that was approved. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aicp.trust.leaving import leaves
from aicp.trust.plan import Play, Provenance, Safeguard, Step
from aicp.trust.windows import inside, next_opening, zone_for


@dataclass(frozen=True, slots=True)
class Fix:
    """A step that was changed, by which safeguard, and how."""

    safeguard: str
    step: int
    what: str


def mended(play: Play, safeguards: Sequence[Safeguard], now: datetime) -> tuple[Play, list[Fix]]:
    """The play with each held effect that would leave outside its window moved to the next opening.

    What cannot be mended stays as it is: the check before the call refuses it.
    """
    steps, fixes = list(play.steps), []
    for guard in safeguards:
        for n, step in enumerate(steps):
            moved = _moved(step, guard, now) if guard.kind == "window" else None
            if moved is not None:
                steps[n] = moved
                fixes.append(Fix(guard.id, step.seq, f"leaves at {moved.args['not_before']}"))
    return (play.model_copy(update={"steps": tuple(steps)}) if fixes else play), fixes


def _moved(step: Step, guard: Safeguard, now: datetime) -> Step | None:
    """The step at the next opening of its window; None when it is inside already, or cannot be."""
    moment, zone = _leaves_at(step), zone_for(guard.params, step.zone)
    if moment is None or zone is None or inside(moment, guard.params, zone):
        return None
    opening = next_opening(guard.params, step.zone, max(moment, now))
    if opening is None:
        return None
    where = f"safeguard {guard.id}: the window was closed at {moment.isoformat()}"
    source = Provenance(source="policy", where=where)
    return step.model_copy(
        update={
            "args": step.args | {"not_before": opening.astimezone(moment.tzinfo).isoformat()},
            "provenance": step.provenance | {"not_before": source},
        }
    )


def _leaves_at(step: Step) -> datetime | None:
    if not leaves(step) or not isinstance(step.args.get("not_before"), str):
        return None
    try:
        moment = datetime.fromisoformat(step.args["not_before"])
    except ValueError:
        return None
    return moment if moment.tzinfo else None
