"""Our own executor with a hostile model: the twin of the gateway's test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agents import Json, made
from aicp.brain.executor import tool_name
from aicp.missions import define, offer
from aicp.missions.define import NewMission
from attack.hostile import VALUES, Hostile
from flight import Flight
from offers import a_plan, draft, event, hold, update

ASKS = st.one_of(
    st.tuples(st.just("call"), st.integers(0, 4)),
    st.tuples(st.just("change"), st.integers(0, 4), VALUES),
    st.tuples(st.just("renumber"), st.integers(0, 4), st.integers(-1, 7)),
    st.tuples(st.just("swap"), st.integers(0, 4), st.integers(0, 4)),  # one's tool, another's arguments
    st.tuples(st.just("invent"), st.sampled_from(["mail_send", "table_delete", "x"])),
)  # fmt: skip


@settings(
    max_examples=8, deadline=None, derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # an example takes a second: shrinking would take hours
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(asks=st.lists(st.lists(ASKS, min_size=1, max_size=2), min_size=1, max_size=8))
def test_a_hostile_model_makes_no_unapproved_call_and_the_work_completes(
    flight: Flight, asks: list[list[tuple[Any, ...]]]
) -> None:
    """TR-12: replayed, reordered, changed, renumbered, two at once; each step still happens once."""
    before = flight.state()
    mission = _approved(flight)
    steps = flight.doc(mission)["approval"]["steps"]
    model = Hostile(script=[[_call(one, steps) for one in turn] for turn in asks])
    plain = flight.app
    flight.app = replace(plain, services=replace(plain.services, executor_model=model))
    flight.work()
    flight.app = plain
    doc = flight.doc(mission)
    assert {step["state"] for step in doc["run"]["steps"]} == {"done"}
    assert made(flight, mission) == [(n, "done") for n in range(1, 6)]
    first = asks[0][0]
    if first != ("call", 0):
        assert "exact-call" in {finding["rule"] for finding in doc["findings"]}
    assert flight.undo(mission)["run_state"] == "undone"
    assert flight.state() == before


def _approved(flight: Flight) -> str:
    plan = a_plan(
        flight, update(flight), draft(flight), hold(flight, 2), event(), update(flight, 1)
    )
    actor = flight.people["riley"]
    with flight.app.transaction(actor) as conn:
        new = NewMission("", flight.sources(), plan=offer.read(plan))
        mission = define.create(conn, actor, flight.app.services, new)
    flight.work()
    flight.ack(mission, "riley")
    flight.ack(mission, "gabriela")
    flight.work()
    flight.select(mission)
    flight.approve(mission)
    return mission


def _call(ask: tuple[Any, ...], steps: list[Json]) -> tuple[str, Json]:
    """What the model asks for: a tool, the step it claims to be, and arguments."""
    kind, step = ask[0], steps[ask[1]] if isinstance(ask[1], int) else steps[0]
    name = tool_name(step["tool"].split("@")[0])
    args: Json = {"step": step["seq"], "args": dict(step["args"])}
    if kind == "change":
        args["args"][min(args["args"])] = ask[2]
    elif kind == "renumber":
        args["step"] = ask[2]
    elif kind == "swap":
        args["args"] = dict(steps[ask[2]]["args"])
    elif kind == "invent":
        return ask[1], args
    return name, args
