"""An agent of somebody else on a flight: its mission, its token's holder, and what it asks."""

from __future__ import annotations

from typing import Any

from aicp.missions import agent, agent_status, define, offer, store
from aicp.missions.agent import Wanted
from aicp.people import agent_tokens
from aicp.people.agent_tokens import Holder
from flight import Flight
from offers import WINDOW, a_plan

Json = dict[str, Any]
WORDS = "Tidy up after the call with Kim"


def agent_mission(flight: Flight, *, rules: list[Any] | None = None, **sources: Any) -> str:
    """A mission that waits in Plan for a proposal, its safeguards acknowledged by two people."""
    actor = flight.people["riley"]
    guards = offer.read_rules([WINDOW] if rules is None else rules)
    new = define.NewMission(WORDS, flight.sources(**sources), agent=True, safeguards=guards)
    with flight.app.transaction(actor) as conn:
        mission = define.create(conn, actor, flight.app.services, new)
    flight.work()
    flight.ack(mission, "riley")
    flight.ack(mission, "gabriela")
    flight.work()
    return mission


def token(flight: Flight, mission: str, hours: int = 8) -> str:
    owner = flight.people["riley"]
    with flight.app.db.service() as conn:
        return agent_tokens.issue(
            conn, tenant_id=owner.tenant_id, owner_id=owner.person_id, mission_id=mission,
            hours=hours, at=flight.clock(),
        )  # fmt: skip


def holder(flight: Flight, mission: str) -> Holder:
    with flight.app.db.service() as conn:
        found = agent_tokens.holder(conn, token(flight, mission), at=flight.clock())
    assert found is not None
    return found


def ask(
    flight: Flight, mission: str, tool: Any, account: Any = "", args: Any = None, step: Any = None
) -> Json:
    """One call of the agent, without a network."""
    who = holder(flight, mission)
    wanted = Wanted(tool, account, {} if args is None else args, step)
    return agent.call(flight.app.services, who, wanted)


def propose(flight: Flight, mission: str, plan: Json | None = None) -> Json:
    said = agent.propose(
        flight.app.services, holder(flight, mission), a_plan(flight) if plan is None else plan
    )
    flight.work()
    return said


def running(flight: Flight, plan: Json | None = None, **given: Any) -> str:
    """An agent's mission whose proposal was approved and whose run waits for its calls."""
    mission = agent_mission(flight, **given)
    said = propose(flight, mission, plan)
    assert said["allowed"], said
    flight.select(mission)
    flight.approve(mission, naming=True)
    flight.work()
    return mission


def status(flight: Flight, mission: str) -> Json:
    return agent_status.status(flight.app.services, holder(flight, mission))


def step(flight: Flight, mission: str) -> Json:
    """The next approved call, made as the status shows it."""
    now = status(flight, mission)["next"]
    return ask(flight, mission, now["tool"], now["account"], now["args"], now["step"])


def finish(flight: Flight, mission: str) -> None:
    """Every call that is left, then what the worker does after the last one."""
    while status(flight, mission)["next"]:
        said = step(flight, mission)
        assert said["allowed"], said
    flight.work()


def findings(flight: Flight, mission: str) -> list[str]:
    return [finding["rule"] for finding in flight.doc(mission)["findings"]]


def made(flight: Flight, mission: str) -> list[tuple[int, str]]:
    """What really reached a tool, by the journal: seq and state of every mutating row."""
    with flight.app.transaction(flight.people["riley"]) as conn:
        store.get(conn, mission)
        rows = conn.execute(
            "select seq, state from tool_calls where mission_id = %s and mutates order by id",
            (mission,),
        )
        return [(int(str(seq)), str(state)) for seq, state in rows]
