"""Kill switches: who pulls and lifts them, and that nothing leaves while one is pulled (MI-8, TR-22)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from aicp.errors import BadInput, Conflict, Forbidden, NotFound, SafeguardViolation
from aicp.kernel.db import Actor
from aicp.missions import control
from aicp.missions.execute import caller
from aicp.trust import stops
from aicp.trust.calls import Run, admit, perform
from aicp.trust.gate import Asked
from flight import Flight, land, take_off

SCOPES = ("mission", "toolkit", "tenant", "system")


def pull(flight: Flight, scope: str, target: str = "", by: str = "riley", why: str = "test") -> str:
    actor = flight.people[by]
    with flight.app.transaction(actor) as conn:
        return stops.pull(conn, actor, scope=scope, target=target, reason=why, at=flight.clock())  # type: ignore[arg-type]


def lift(flight: Flight, scope: str, target: str = "", by: str = "gabriela") -> list[str]:
    actor = flight.people[by]
    with flight.app.transaction(actor) as conn:
        return stops.lift(conn, actor, scope=scope, target=target, reason="over", at=flight.clock())  # type: ignore[arg-type]


@contextmanager
def pulled(flight: Flight, scope: str, target: str = "") -> Iterator[None]:
    """A system switch concerns every tenant of the database: it must not outlive its test."""
    pull(flight, scope, target)
    try:
        yield
    finally:
        lift(flight, scope, target)


@dataclass
class Watched:
    """A provider through which every call is counted before it reaches the tool."""

    inner: Any
    reached: list[str]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def execute(self, call: Any, before: Any) -> Any:
        self.reached.append(call.key)
        return self.inner.execute(call, before)

    def release(self, call: Any, outcome: Any) -> Any:
        self.reached.append(call.key)
        return self.inner.release(call, outcome)


def watched(run: Run) -> tuple[Run, list[str]]:
    reached: list[str] = []
    return replace(
        run, providers={a: Watched(p, reached) for a, p in run.providers.items()}
    ), reached


def asked(run: Run, seq: int) -> Asked:
    step = run.plan.play.steps[seq - 1]
    return Asked(step.tool, step.account, dict(step.args))


# What it stops --------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", SCOPES)
def test_a_pulled_switch_stops_the_next_call_before_its_intent(flight: Flight, scope: str) -> None:
    mission, run = flight.fly(1)
    run, reached = watched(run)
    target = {"mission": mission, "toolkit": run.plan.play.steps[1].toolkit}.get(scope, "")
    with pulled(flight, scope, target):
        state = flight.state()
        with pytest.raises(
            SafeguardViolation, match=r"kill switch of .* is pulled: test"
        ) as caught:
            caller(run)(run.plan.play.steps[1])
        assert caught.value.reason_code == "kill-switch"
        assert "undo is possible" in caught.value.hint
        assert flight.state() == state
    assert reached == []
    doc = flight.doc(mission)
    assert [s["state"] for s in doc["run"]["steps"]][:2] != ["done", "intent"]
    assert "kill-switch" in {f["rule"] for f in doc["findings"]}
    caller(run)(run.plan.play.steps[1])
    assert len(reached) == 1, "once it is lifted the same call is made"


@pytest.mark.parametrize("scope", SCOPES)
def test_a_switch_pulled_between_intent_and_dispatch_lets_nothing_reach_the_tool(
    flight: Flight, scope: str
) -> None:
    mission, run = flight.fly(0)
    run, reached = watched(run)
    admitted = admit(run, asked(run, 1))
    target = {"mission": mission, "toolkit": admitted.step.toolkit}.get(scope, "")
    state = flight.state()
    with pulled(flight, scope, target), pytest.raises(SafeguardViolation, match="kill switch"):
        perform(run, admitted)
    assert (reached, flight.state()) == ([], state)
    with flight.app.transaction(run.actor) as conn:
        rows = conn.execute(
            "select state, error from tool_calls where mission_id = %s", (mission,)
        ).fetchall()
    assert [row[0] for row in rows] == ["failed"]
    assert str(rows[0][1]).startswith("nothing was called: the kill switch")
    with flight.app.transaction(run.actor) as conn:
        failed = conn.execute("select max(failed) from breakers").fetchone()
    assert failed in {(None,), (0,)}, "it says nothing about the toolkit"


def test_a_run_that_meets_it_is_paused_says_why_and_goes_on_after_lifting_and_resuming(
    flight: Flight,
) -> None:
    mission = flight.to_execute()
    pull(flight, "mission", mission, why="wrong list")
    flight.work()
    doc = flight.doc(mission)
    assert (doc["run_state"], doc["step"]) == ("paused", 0)
    assert f"the kill switch of mission {mission} is pulled: wrong list" in doc["blocking_reason"]
    assert lift(flight, "mission", mission) == [mission]
    flight.call(control.resume, mission)
    flight.work()
    assert flight.doc(mission)["run_state"] == "held"


def test_held_mails_stay_while_it_is_pulled_and_leave_after_it(flight: Flight) -> None:
    mission = flight.to_execute("Win back our 3 best manufacturing accounts (over $50k ARR) that went quiet in Q2.")  # fmt: skip
    flight.work()
    pull(flight, "toolkit", "mail")
    flight.clock.advance(days=7)
    flight.work()
    assert flight.delivered() == []
    doc = flight.doc(mission)
    assert doc["run_state"] == "paused"
    assert "stays here: the kill switch of toolkit mail" in doc["blocking_reason"]
    lift(flight, "toolkit", "mail")
    flight.call(control.resume, mission)
    flight.work()
    assert len(flight.delivered()) == 3


def test_undo_works_while_everything_is_stopped(flight: Flight) -> None:
    state = flight.state()
    mission, _run = flight.fly(3)
    assert flight.state() != state
    with pulled(flight, "tenant"):
        assert flight.undo(mission)["run_state"] == "undone"
    assert flight.state() == state


# Who, and who sees it -------------------------------------------------------------------------


def test_only_some_roles_pull_and_others_lift_and_both_say_why(flight: Flight) -> None:
    for by in ("gabriela", "lee", "sam"):
        with pytest.raises(Forbidden):
            pull(flight, "tenant", by=by)
    pull(flight, "tenant")
    with pytest.raises(Conflict, match="pulled already"):
        pull(flight, "tenant")
    for by in ("lee", "sam"):
        with pytest.raises(Forbidden):
            lift(flight, "tenant", by=by)
    lift(flight, "tenant")
    with pytest.raises(NotFound, match="no kill switch of this tenant"):
        lift(flight, "tenant")
    for scope, target, why in (
        ("tenant", "", "  "), ("tenant", "x", "why"), ("toolkit", "", "why"), ("tenant", "", "a\nb"),
    ):  # fmt: skip
        with pytest.raises(BadInput):
            pull(flight, scope, target, why=why)
    with pytest.raises(NotFound):
        pull(flight, "mission", "m-nothere")


def test_a_system_switch_stops_and_shows_in_every_tenant_and_only_its_own_lifts_it(
    flight: Flight, tmp_path: Any, database_url: str
) -> None:
    other = take_off(tmp_path / "other", database_url)
    try:
        mission, run = other.fly(0)
        with pulled(flight, "tenant"):
            caller(run)(run.plan.play.steps[0])
            assert _seen(other) == []
        with pulled(flight, "system"):
            with pytest.raises(SafeguardViolation, match="the whole system"):
                caller(run)(run.plan.play.steps[1])
            assert [(s.scope, s.ours, s.pulled_by) for s in _seen(other)] == [
                ("system", False, None)
            ]
            with pytest.raises(NotFound, match="no kill switch of the whole system"):
                lift(other, "system")
            _cannot_lift_by_hand(other.people["riley"], other)
        caller(run)(run.plan.play.steps[1])
        assert other.doc(mission)["step"] == 2
    finally:
        land(other)


def _seen(flight: Flight) -> list[stops.Switch]:
    with flight.app.transaction(flight.people["riley"]) as conn:
        return stops.pulled(conn)


def _cannot_lift_by_hand(actor: Actor, flight: Flight) -> None:
    """The database says it too."""
    with flight.app.transaction(actor) as conn:
        done = conn.execute(
            "update kill_switches set lifted_at = now(), lifted_by = %s, lift_reason = 'x'"
            " where scope = 'system' and lifted_at is null",
            (actor.person_id,),
        )
        assert done.rowcount == 0
