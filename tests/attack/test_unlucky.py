"""Machines that stop at the worst moment, servers that lie, people who act at the same time."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

from aicp.errors import AicpError
from aicp.missions import control, plan_store, undo
from aicp.toolkits.model import Call
from aicp.trust import journal
from aicp.trust.calls import admit
from aicp.trust.gate import Asked, resolve
from aicp.trust.safeguards import bare
from flight import ANY_TIME, WIN_BACK, Flight


def held(flight: Flight, intent: str = WIN_BACK) -> str:
    mission = flight.to_execute(intent)
    flight.work()
    assert flight.doc(mission)["run_state"] == "held"
    return mission


def first_due(flight: Flight, mission: str):
    with flight.app.transaction(flight.people["riley"]) as conn:
        return min((due, seq) for seq, (due, _) in journal.holds(conn, mission).items())


def recipient(flight: Flight, mission: str, seq: int) -> str:
    with flight.app.transaction(flight.people["riley"]) as conn:
        entry = next(e for e in journal.entries(conn, mission) if e.seq == seq)
    return str(*bare(entry.args["to"]))


def intend_release(flight: Flight, mission: str, seq: int) -> None:
    """What a worker leaves that is killed right after committing the intent of a release."""
    actor = flight.people["riley"]
    with flight.app.transaction(actor) as conn:
        row = plan_store.approval(conn, mission)
        entry = next(e for e in journal.entries(conn, mission) if e.seq == seq)
        journal.intend(
            conn, actor, mission, seq=seq, purpose="release", tool=entry.tool,
            call=Call(entry.call.tool, entry.args, f"{entry.key}.release.0"), account=entry.account,
            mutates=True, approval_id=row.id, before=entry.image, worker="w", verdicts={},
            at=flight.clock(),
        )  # fmt: skip


def test_a_release_taken_up_after_its_window_closed_waits_for_the_next_one(flight: Flight):
    mission = held(flight)
    due, seq = first_due(flight, mission)
    to = recipient(flight, mission, seq)
    flight.clock.now = due
    intend_release(flight, mission, seq)
    flight.clock.now = due + timedelta(hours=12)
    flight.work()
    assert not any(to.encode() in path.read_bytes() for path in flight.delivered())
    flight.clock.now = due + timedelta(hours=24)
    flight.work()
    assert sum(to.encode() in path.read_bytes() for path in flight.delivered()) == 1


def test_an_interrupted_release_is_judged_only_when_the_mail_server_has_settled(flight: Flight):
    """A slow server may still file the mail: absence right after the crash proves nothing."""
    mission = held(flight, ANY_TIME)
    due, seq = first_due(flight, mission)
    to = recipient(flight, mission, seq)
    flight.clock.now = due
    intend_release(flight, mission, seq)
    flight.clock.advance(seconds=30)
    flight.work()
    assert not any(to.encode() in path.read_bytes() for path in flight.delivered())
    assert flight.doc(mission)["run_state"] == "held"
    flight.clock.advance(minutes=3)
    flight.work()
    assert sum(to.encode() in path.read_bytes() for path in flight.delivered()) == 1


def test_a_release_taken_up_after_the_recipient_opted_out_keeps_the_mail(flight: Flight):
    mission = held(flight)
    due, seq = first_due(flight, mission)
    to = recipient(flight, mission, seq)
    flight.clock.now = due
    intend_release(flight, mission, seq)
    flight.edit_cell(to, "do_not_contact", "true")
    flight.work()
    assert not any(to.encode() in path.read_bytes() for path in flight.delivered())


def test_a_release_that_cannot_read_its_table_pauses_with_the_reason(flight: Flight):
    mission = held(flight)
    due, _ = first_due(flight, mission)
    (flight.sandbox / "accounts.csv").unlink()
    flight.clock.now = due
    flight.work()
    doc = flight.doc(mission)
    assert doc["run_state"] == "paused"
    assert "does not exist" in doc["blocking_reason"]
    assert flight.delivered() == []


def test_an_undo_whose_file_is_gone_stops_with_the_reason_and_can_be_asked_again(flight: Flight):
    mission, run = flight.fly(5, ANY_TIME)
    table = flight.sandbox / "accounts.csv"
    kept = table.read_bytes()
    # the worker was killed between the intent and the effect of the sixth step
    step = run.plan.play.steps[5]
    args, _ = resolve(step, {})
    admit(run, Asked(step.tool, step.account, args))
    table.unlink()
    doc = flight.undo(mission)
    assert doc["run_state"] == "undo_stopped"
    assert "does not exist" in doc["blocking_reason"]
    table.write_bytes(kept)
    assert flight.undo(mission)["run_state"] == "undone"


def at_once(*works: Any) -> list[Any]:
    barrier, said = Barrier(len(works)), []

    def go(work: Any) -> None:
        barrier.wait()
        try:
            said.append(work())
        except AicpError as error:
            said.append(error)

    threads = [Thread(target=go, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


def test_two_approvals_at_once_start_one_run(flight: Flight):
    mission = flight.to_approve(ANY_TIME)
    said = at_once(*[lambda: flight.approve(mission)] * 2)
    assert sum(isinstance(one, AicpError) for one in said) == 1
    assert sum(job[0] == "mission.stage" for job in flight.waiting()) == 1


def test_two_undos_at_once_are_one(flight: Flight):
    mission = held(flight, ANY_TIME)
    said = at_once(*[lambda: flight.call(undo.request, mission, "x")] * 2)
    assert sum(isinstance(one, AicpError) for one in said) == 1
    flight.work()
    assert flight.doc(mission)["run_state"] == "undone"


def test_two_acknowledgements_of_one_person_at_once_count_once(flight: Flight):
    mission = flight.new(ANY_TIME)
    flight.work()
    said = at_once(*[lambda: flight.ack(mission, "riley")] * 2)
    assert sum(isinstance(one, AicpError) for one in said) == 1
    assert flight.doc(mission)["stage"] == "Define"


def test_pause_before_release_keeps_the_mail_and_resume_lets_it_go_once(flight: Flight):
    mission = held(flight, ANY_TIME)
    due, _ = first_due(flight, mission)
    flight.call(control.pause, mission, "wait")
    flight.clock.now = due + timedelta(hours=1)
    flight.work()
    assert flight.delivered() == []
    flight.call(control.resume, mission)
    flight.call(control.pause, mission, "wait")
    flight.call(control.resume, mission)
    flight.work()
    assert len(flight.delivered()) == 3
