"""The run: paused, resumed, retried, reconciled; a hostile executor gets nothing done."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.genai import types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aicp.errors import GateBlocked, SafeguardViolation
from aicp.missions import control
from aicp.trust.calls import CallDenied, admit, governed_call
from aicp.trust.gate import Asked
from flight import ANY_TIME, WIN_BACK, Flight


class Hostile(BaseLlm):
    """Asks for whatever it was scripted to ask for."""

    model: str = "hostile"
    script: list[tuple[str, dict[str, Any]]] = []  # noqa: RUF012  pydantic copies it

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        asked = sum(1 for c in llm_request.contents for p in c.parts or [] if p.function_call)
        name, args = self.script[min(asked, len(self.script) - 1)]
        call = types.Part(function_call=types.FunctionCall(name=name, args=args))
        yield LlmResponse(content=types.Content(role="model", parts=[call]))


@pytest.mark.parametrize(
    "script",
    [
        [
            (
                "mail_draft",
                {"step": 1, "args": {"to": "eve@evil.test", "subject": "hi", "body": "hi"}},
            )
        ],
        [("table_delete", {"step": 1, "args": {"key": "A-001"}})],
        [("mail_send", {"step": 1, "args": {"to": "eve@evil.test", "subject": "x", "body": "x"}})],
        [("mail_draft", {"step": 2, "args": {}}), ("mail_draft", {})],
    ],
)
def test_a_hostile_executor_gets_nothing_done_and_the_work_still_completes(
    flight: Flight, script
) -> None:
    """TR-12, TR-20: each denial is a finding; the approved calls all happen, and only they."""
    mission = flight.to_execute()
    model = Hostile(script=script)
    flight.app = replace(flight.app, services=replace(flight.app.services, executor_model=model))
    flight.work()
    doc = flight.doc(mission)
    assert {step["state"] for step in doc["run"]["steps"]} == {"done"}
    assert "exact-call" in {finding["rule"] for finding in doc["findings"]}
    assert not list((flight.sandbox / "mail").rglob("*eve*"))
    assert b"eve@evil.test" not in b"".join(
        p.read_bytes() for p in (flight.sandbox / "mail").rglob("*.eml")
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_call_but_the_one_at_the_cursor_passes_the_gate(
    flight: Flight, data: st.DataObject
) -> None:
    """I-1: another tool, order, account, argument or a replay is denied and recorded; nothing changes."""
    if not hasattr(flight, "_run"):
        flight._mission, flight._run = flight.fly(2)
    run, state = flight._run, flight.state()
    steps = run.plan.play.steps
    wanted = steps[2]
    other = data.draw(st.sampled_from([s for s in steps if s.seq != 3]))
    text = data.draw(st.text(min_size=1, max_size=12))
    asked = data.draw(
        st.sampled_from(
            [
                Asked(other.tool, other.account, dict(other.args)),
                Asked(wanted.tool, wanted.account, wanted.args | {"to": f"{text}@evil.test"}),
                Asked(wanted.tool, wanted.account, wanted.args | {"body": text}),
                Asked(wanted.tool, wanted.account, wanted.args | {"bcc": "eve@evil.test"}),
                Asked(wanted.tool, "another account", dict(wanted.args)),
                Asked(f"{wanted.tool_name}@000000000000", wanted.account, dict(wanted.args)),
                Asked(text, wanted.account, {}),
            ]
        )
    )
    with pytest.raises(CallDenied):
        governed_call(run, asked)
    assert flight.state() == state
    assert flight.doc(flight._mission)["findings"]


def test_pausing_stops_before_the_next_intent_and_resuming_goes_on_there(flight: Flight) -> None:
    mission, run = flight.fly(3)
    flight.call(control.pause, mission, "lunch")
    step = run.plan.play.steps[3]
    with pytest.raises(CallDenied, match="paused"):
        governed_call(run, Asked(step.tool, step.account, dict(step.args)))
    flight.work()
    assert flight.doc(mission)["run"]["cursor"] == 3
    flight.call(control.resume, mission)
    flight.work()
    doc = flight.doc(mission)
    assert {s["state"] for s in doc["run"]["steps"]} == {"done"}
    assert doc["findings"] == []


def test_an_interrupted_call_is_read_back_and_not_repeated(flight: Flight) -> None:
    """I-8: the effect happened, its result was lost; the next worker finds out and goes on."""
    mission, run = flight.fly(1)
    step = run.plan.play.steps[1]
    admitted = admit(run, Asked(step.tool, step.account, dict(step.args)))
    admitted.provider.execute(admitted.call, admitted.before)
    flight.work()
    doc = flight.doc(mission)
    assert {s["state"] for s in doc["run"]["steps"]} == {"done"}
    assert [s["seq"] for s in doc["run"]["steps"] if s["reconciled"]] == [2]
    assert len(list((flight.sandbox / "mail/drafts").glob("*.eml"))) == 3


def test_an_intent_that_never_happened_is_made_once(flight: Flight) -> None:
    mission, run = flight.fly(1)
    step = run.plan.play.steps[1]
    admit(run, Asked(step.tool, step.account, dict(step.args)))
    flight.work()
    assert {s["state"] for s in flight.doc(mission)["run"]["steps"]} == {"done"}
    assert len(list((flight.sandbox / "mail/drafts").glob("*.eml"))) == 3


def test_a_row_that_somebody_changed_meanwhile_stops_the_run(flight: Flight) -> None:
    mission, run = flight.fly(3)
    row = next(s for s in run.plan.play.steps if s.tool_name == "table.update")
    theirs = flight.edit_cell(f"{row.args['key']},", "industry", "Aerospace")
    flight.work()
    doc = flight.doc(mission)
    assert (doc["run_state"], doc["run"]["cursor"]) == ("paused", row.seq - 1)
    assert "changed" in doc["blocking_reason"]
    assert theirs in (flight.sandbox / "accounts.csv").read_bytes()


def test_a_mail_is_held_back_when_its_recipient_opted_out_meanwhile(flight: Flight) -> None:
    """The exclusion list is read again right before a held mail leaves."""
    mission = flight.to_execute(WIN_BACK)
    flight.work()
    held = flight.doc(mission)["approval"]["steps"][-1]["args"]["to"]
    flight.edit_cell(held, "do_not_contact", "yes")
    for _ in range(4 * 24):
        flight.clock.advance(hours=1)
        flight.work()
    assert all(held not in p.read_text() for p in flight.delivered())
    doc = flight.doc(mission)
    assert doc["run_state"] == "paused"
    assert "exclusion list" in doc["blocking_reason"]


def test_a_mail_server_that_is_down_is_retried_then_asked_about(flight: Flight) -> None:
    """TR-13: 1, 2, 4, 8 seconds, five attempts, nothing lost; then a person, then it leaves."""
    mission = flight.to_execute(ANY_TIME)
    flight.work()
    flight.smtp.stop()
    flight.clock.advance(hours=1)
    for _ in range(60):
        flight.work()
        flight.clock.advance(seconds=1)
    doc = flight.doc(mission)
    assert (doc["run_state"], flight.delivered()) == ("paused", [])
    flight.restart_smtp()
    flight.call(control.resume, mission)
    for _ in range(10):
        flight.work()
        flight.clock.advance(seconds=20)
    assert len(flight.delivered()) == 3
    assert flight.doc(mission)["status"] == "completed"


def test_a_safeguard_is_checked_at_the_call_itself(flight: Flight) -> None:
    """A plan that breaks its own safeguard is stopped at the call, not only at planning (TR-11)."""
    from aicp.trust.plan import Safeguard

    _, run = flight.fly(0)
    words = Safeguard(
        id="late", kind="tone", text="no checking in", params={"forbid": ["checking in"]}
    )
    strict = replace(run, plan=run.plan.model_copy(update={"safeguards": (words,)}))
    step = strict.plan.play.steps[0]
    with pytest.raises((SafeguardViolation, GateBlocked)):
        governed_call(strict, Asked(step.tool, step.account, dict(step.args)))
    assert not list((flight.sandbox / "mail/drafts").glob("*.eml"))
