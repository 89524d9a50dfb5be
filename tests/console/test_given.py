"""The mission page of a ready plan and of an agent's mission: whole, and true about whose turn it is."""

from __future__ import annotations

from typing import Any

from agents import agent_mission, propose, step
from aicp.missions import define, offer
from flight import Flight
from offers import a_plan, draft, event


def test_the_page_of_an_agents_mission_tells_whose_turn_it_is(flight: Flight, visit: Any) -> None:
    mission = agent_mission(flight)

    def page() -> str:
        answer = visit("riley").get(f"/missions/{mission}")
        assert answer.status_code == 200
        return answer.text

    assert "Your agent is to propose a plan." in page()
    assert f"aicp mission token {mission}" in page()
    trick = draft(flight) | {"effect": "<script>alert(1)</script>"}
    plan = a_plan(flight, trick, event("<b>bold</b>"), reason="<i>trust me</i>")
    propose(flight, mission, plan)
    shown = page()
    assert "Proposed by an agent" in shown
    assert "its words, unchecked" in shown
    assert "<script>alert" not in shown
    assert "<i>trust me" not in shown
    flight.select(mission)
    flight.approve(mission, naming=True)
    flight.work()
    assert "Your agent makes the approved calls," in page()
    step(flight, mission)
    assert "1 of 2 done" in page()


def test_the_page_of_a_given_plan_says_that_no_words_were_read(flight: Flight, visit: Any) -> None:
    actor = flight.people["riley"]
    new = define.NewMission("", flight.sources(), plan=offer.read(a_plan(flight)))
    with flight.app.transaction(actor) as conn:
        mission = define.create(conn, actor, flight.app.services, new)
    flight.work()
    text = visit("riley").get(f"/missions/{mission}").text
    assert "nobody (given)" in text
    assert "given by the person" in text
