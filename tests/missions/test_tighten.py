"""Safeguards under a run: narrower holds at once, wider asks, and nothing is half applied (TR-7, TR-10)."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from aicp.errors import BadInput, Forbidden, GateBlocked, NotFound, SafeguardViolation
from aicp.missions import approve, control, flow, plan, plan_store, store, tighten
from aicp.people import tenants
from aicp.trust.calls import Run, admit, governed_call
from aicp.trust.gate import Asked
from flight import NOW, WIN_BACK, Flight

CAPPED = f"{WIN_BACK} At most 3 recipients."


def budget(flight: Flight, mission: str) -> dict[str, Any]:
    return next(g for g in flight.doc(mission)["safeguards"] if g["kind"] == "budget")


def set_budget(flight: Flight, mission: str, most: int, by: str = "riley") -> dict[str, Any]:
    about = budget(flight, mission)["id"]
    return flight.call(
        tighten.tighten, mission, about, {"max_recipients": most}, "the list is stale", by=by
    )


def forbid(flight: Flight, mission: str, word: str) -> dict[str, Any]:
    return flight.call(tighten.add, mission, "tone", {"forbid": [word]}, "legal asks for it")


def call(run: Run, seq: int) -> None:
    step = run.plan.play.steps[seq - 1]
    governed_call(run, Asked(step.tool, step.account, dict(step.args)))


def states(flight: Flight, mission: str) -> list[str]:
    return [step["state"] for step in flight.doc(mission)["run"]["steps"]]


def test_a_word_ruled_out_under_the_run_stops_the_very_next_call(flight: Flight) -> None:
    """No look at the provider, no resume, no new approval in between."""
    mission, run = flight.fly(1)
    word = str(run.plan.play.steps[1].args["body"]).split()[0].strip(",.")
    done = forbid(flight, mission, word)
    assert (done["holds"], done["run_state"]) == ("now", "running")
    drafts = list((flight.sandbox / "mail").rglob("*.eml"))
    with pytest.raises(SafeguardViolation, match=word):
        call(run, 2)
    assert list((flight.sandbox / "mail").rglob("*.eml")) == drafts
    flight.work()
    doc = flight.doc(mission)
    assert (doc["run_state"], doc["run"]["cursor"]) == ("paused", 1)
    assert doc["findings"][-1]["rule"] == "safeguard:added-1"
    assert [t["reason"] for g in doc["safeguards"] for t in g["tightenings"]] == [
        "legal asks for it"
    ]


def test_a_call_that_waited_for_the_tightening_to_commit_is_stopped_by_it(flight: Flight) -> None:
    """The statement that reads the facts began earlier, so its own picture of the table is too old."""
    mission, run = flight.fly(1)
    actor, raised = flight.people["riley"], []

    def next_call() -> None:
        try:
            call(run, 2)
        except SafeguardViolation as error:
            raised.append(error)

    word = str(run.plan.play.steps[1].args["body"]).split()[0].strip(",.")
    with flight.app.transaction(actor) as conn:
        tighten.add(conn, actor, flight.app.services, mission, "tone", {"forbid": [word]}, "legal")
        caller = threading.Thread(target=next_call)
        caller.start()
        wait_for_a_lock(flight)
    caller.join(30)
    assert len(raised) == 1
    assert states(flight, mission)[1] == "pending"


def wait_for_a_lock(flight: Flight) -> None:
    """Until somebody waits for the row this transaction holds."""
    with flight.app.db.service() as conn:
        for _ in range(100_000):
            row = conn.execute("select count(*) from pg_locks where not granted").fetchone()
            if row and row[0]:
                return
    raise AssertionError("nobody waits")


def test_under_a_lower_maximum_the_mail_that_would_exceed_it_stays_here(flight: Flight) -> None:
    mission = flight.to_execute(CAPPED)
    flight.work()
    assert states(flight, mission).count("pending") == 0
    row = budget(flight, mission)
    assert row["params"]["max_recipients"] == 3
    done = set_budget(flight, mission, 2)
    assert (done["holds"], done["run_state"]) == ("now", "held")
    assert budget(flight, mission)["params"]["max_recipients"] == 2
    for _ in range(24 * 9):  # each recipient's window opens at another hour
        flight.clock.advance(hours=1)
        flight.work()
    doc = flight.doc(mission)
    assert doc["run_state"] == "paused"
    assert "stays here" in doc["blocking_reason"]
    assert [(f["rule"], f["facts"]) for f in doc["findings"]] == [
        (f"safeguard:{row['id']}+1", {"step": 12})
    ]
    assert doc["run"]["steps"][11]["hold"]["state"] == "held"


def test_a_held_mail_does_not_leave_against_a_word_ruled_out_since(flight: Flight) -> None:
    mission = flight.to_execute()
    flight.work()
    with flight.app.transaction(flight.people["riley"]) as conn:
        row = store.get(conn, mission)
        steps = plan_store.plan(conn, mission, str(row.plan_digest)).play.steps
    body = next(str(s.args["body"]) for s in steps if s.tool_name == "mail.draft")
    forbid(flight, mission, body.split()[0].strip(",."))
    flight.clock.advance(days=3)
    flight.work()
    doc = flight.doc(mission)
    assert (doc["run_state"], flight.delivered()) == ("paused", [])
    assert doc["findings"][-1]["rule"] == "safeguard:added-1"
    flight.call(control.resume, mission)
    flight.work()
    assert flight.delivered() == []
    assert flight.undo(mission)["run_state"] == "undone"


def test_an_intent_from_before_is_not_made_good_against_what_was_ruled_out_since(
    flight: Flight,
) -> None:
    """The worker died between intent and effect; the next one finds a narrower safeguard."""
    mission, run = flight.fly(1)
    step = run.plan.play.steps[1]
    admit(run, Asked(step.tool, step.account, dict(step.args)))
    forbid(flight, mission, str(step.args["body"]).split()[0].strip(",."))
    flight.work()
    doc = flight.doc(mission)
    assert (doc["run_state"], doc["run"]["cursor"]) == ("paused", 1)
    assert doc["run"]["steps"][1]["state"] == "failed"
    assert "nothing was called" in doc["run"]["steps"][1]["error"]


def asked_for_more(flight: Flight, steps: int = 2) -> tuple[str, Run, str]:
    mission, run = flight.fly(steps, CAPPED)
    done = set_budget(flight, mission, 9)
    assert (done["holds"], done["digest"] != run.plan.digest) == ("once approved", True)
    return mission, run, run.plan.digest


def test_a_wider_safeguard_asks_and_the_run_goes_on_where_it_stood(flight: Flight) -> None:
    mission, run, before = asked_for_more(flight)
    doc = flight.doc(mission)
    assert (doc["stage"], doc["run_state"], doc["run"]["cursor"]) == ("Approve", "paused", 2)
    sheet = doc["approval"]
    assert sheet["approval"]["required"] == ["owner", "governance"]
    (change,) = sheet["changes"]
    assert (change["what"], change["kind"]) == ("safeguard", "changed")
    assert '"max_recipients":3' in change["was"]
    assert '"max_recipients":9' in change["now"]
    with pytest.raises(GateBlocked):
        call(run, 3)
    flight.work()
    assert states(flight, mission)[2] == "pending"
    flight.approve(mission, "riley")
    assert flight.doc(mission)["run"]["cursor"] == 2
    flight.approve(mission, "gabriela")
    flight.work()
    doc = flight.doc(mission)
    assert (doc["stage"], set(states(flight, mission))) == ("Reflect", {"done"})
    assert budget(flight, mission)["params"]["max_recipients"] == 9
    with flight.app.transaction(flight.people["riley"]) as conn:
        keys = [row[0] for row in conn.execute(
            "select key from tool_calls where mission_id = %s and purpose = 'step'", (mission,))]  # fmt: skip
        assert store.get(conn, mission).plan_digest != before
    assert len(keys) == len(set(keys)) == len(doc["run"]["steps"])
    assert flight.undo(mission)["run_state"] == "undone"


def test_a_rejected_widening_leaves_the_old_plan_and_a_paused_run(flight: Flight) -> None:
    mission, run, before = asked_for_more(flight)
    flight.call(approve.reject, mission, rationale="no", by="gabriela")
    flight.work()
    doc = flight.doc(mission)
    assert (doc["stage"], doc["run_state"], doc["status"]) == ("Execute", "paused", "blocked")
    assert "rejected" in doc["blocking_reason"]
    assert doc["approval"]["approval"]["status"] == "rejected"
    assert budget(flight, mission)["params"]["max_recipients"] == 3
    with flight.app.transaction(flight.people["riley"]) as conn:
        assert store.get(conn, mission).plan_digest == before
    with pytest.raises(GateBlocked, match="rejected"):
        flight.call(control.resume, mission)
    with pytest.raises(GateBlocked):
        call(run, 3)
    assert flight.undo(mission)["run_state"] == "undone"


def test_nobody_deciding_leaves_it_the_same_and_it_may_be_asked_about_anew(flight: Flight) -> None:
    mission, _, _ = asked_for_more(flight)
    flight.clock.advance(hours=25)
    flight.work()
    doc = flight.doc(mission)
    assert (doc["stage"], doc["run_state"]) == ("Execute", "paused")
    assert "expired" in doc["blocking_reason"]
    set_budget(flight, mission, 4)
    flight.approve(mission, "riley")
    flight.approve(mission, "gabriela")
    flight.work()
    assert set(states(flight, mission)) == {"done"}


def test_while_a_request_waits_nothing_else_moves_the_run(flight: Flight) -> None:
    mission, _, _ = asked_for_more(flight)
    with pytest.raises(GateBlocked):
        flight.call(plan.select, mission, 1)
    with pytest.raises(GateBlocked, match="waiting"):
        set_budget(flight, mission, 2)
    with pytest.raises(GateBlocked, match="requested"):
        flight.call(control.resume, mission)
    flight.call(control.stop, mission)
    assert flight.doc(mission)["approval"]["approval"]["status"] == "voided"
    with pytest.raises(GateBlocked):
        flight.approve(mission)


def test_what_was_tightened_stays_so_under_the_plan_that_is_asked_for(flight: Flight) -> None:
    """Widening one safeguard must not quietly take back another's tightening."""
    mission, _ = flight.fly(2, CAPPED)
    forbid(flight, mission, "guaranteed")
    set_budget(flight, mission, 2)
    set_budget(flight, mission, 3)  # as approved, but wider than what holds now
    names = {c["name"]: c["kind"] for c in flight.doc(mission)["approval"]["changes"]}
    assert names.pop("added-1") == "added"
    flight.approve(mission, "riley")
    flight.approve(mission, "gabriela")
    flight.work()
    guards = {g["id"]: g for g in flight.doc(mission)["safeguards"]}
    assert guards["added-1"]["params"] == {"forbid": ["guaranteed"]}
    assert budget(flight, mission)["params"]["max_recipients"] == 3
    assert set(states(flight, mission)) == {"done"}


def test_a_further_approval_is_asked_for_since_nobody_could_give_it_otherwise(
    flight: Flight,
) -> None:
    mission, _ = flight.fly(1)
    done = flight.call(tighten.add, mission, "approval", {"by": "lead"}, "the lead wants a look")
    assert done["holds"] == "once approved"
    asked = flight.doc(mission)["approval"]["approval"]
    assert asked["required"] == ["owner", "lead", "governance"]
    for by in ("riley", "lee", "gabriela"):
        flight.approve(mission, by)
    flight.work()
    assert set(states(flight, mission)) == {"done"}


def test_only_owner_governance_and_on_call_change_safeguards(flight: Flight) -> None:
    mission, _ = flight.fly(1, CAPPED)
    for by in ("lee", "sam"):
        with pytest.raises(Forbidden):
            set_budget(flight, mission, 2, by=by)
    assert budget(flight, mission)["params"]["max_recipients"] == 3
    with flight.app.db.service() as conn:
        tenant = conn.execute(
            "select id from tenants where id = %s", (flight.people["riley"].tenant_id,)
        ).fetchone()
        assert tenant is not None
        flight.people["olga"] = tenants.add_person(
            conn, tenant[0], email="olga@home.example", name="Olga On-Call", roles=("oncall",), at=NOW  # type: ignore[arg-type]
        ).actor  # fmt: skip
    assert set_budget(flight, mission, 2, by="olga")["holds"] == "now"
    assert set_budget(flight, mission, 1, by="gabriela")["holds"] == "now"


def test_what_cannot_be_applied_changes_nothing_and_says_why(flight: Flight) -> None:
    mission = flight.to_approve(CAPPED)
    with pytest.raises(GateBlocked, match="no run"):
        set_budget(flight, mission, 2)
    flight.approve(mission)
    flight.work()
    about = budget(flight, mission)["id"]
    for wrong in (
        (about, {"max_recipients": "few"}, "why"),
        (about, {"maximum": 1}, "why"),
        (about, {"max_recipients": 3}, "why"),  # as it is
        (about, {"max_recipients": 1}, " "),
        (about, {"max_recipients": float("nan")}, "why"),
    ):
        with pytest.raises(BadInput):
            flight.call(tighten.tighten, mission, *wrong)
    with pytest.raises(NotFound):
        flight.call(tighten.tighten, mission, "nobody", {"max_recipients": 1}, "why")
    with pytest.raises(GateBlocked, match="every call is made"):
        set_budget(flight, mission, 9)
    with pytest.raises(BadInput, match="needs"):
        flight.call(tighten.add, mission, "window", {"from": "09:00"}, "why")
    doc = flight.doc(mission)
    assert (doc["run_state"], budget(flight, mission)["tightenings"]) == ("held", [])


def test_a_run_that_waits_for_its_window_goes_on_at_once_under_a_wider_one(flight: Flight) -> None:
    mission, run = flight.fly(2)
    with flight.app.transaction(flight.people["riley"]) as conn:
        row = store.get(conn, mission, lock=True)
        flow.enqueue_stage(conn, row, "Execute", at=flight.clock() + timedelta(days=2))
    window = next(g for g in run.plan.safeguards if g.kind == "window")
    flight.call(tighten.tighten, mission, window.id, {"until": "18:00"}, "an hour more")
    flight.approve(mission, "riley")
    flight.approve(mission, "gabriela")
    flight.work()
    assert set(states(flight, mission)) == {"done"}
