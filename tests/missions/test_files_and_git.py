"""A folder and a repository in a whole mission: rehearsed, approved, run, taken back (M4, M7)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from aicp.missions import plan, plan_store, prepare, store
from aicp.toolkits.model import Call
from aicp.toolkits.providers.base import Provider
from aicp.toolkits.providers.local import confined
from aicp.trust.plan import Play, Provenance, Step
from flight import ANY_TIME, Flight
from toolkits import world_files, world_git

# an executor may hold six tools at once: two of files, four of git
FILE_CALLS = tuple(c for c in world_files.WRITES if c.tool in ("files.delete", "files.redact"))
SOMEBODY = Provenance(source="human", where="named by Riley")


@pytest.fixture
def connected(flight: Flight) -> Flight:
    world_files.make(flight.folder / "papers")
    world_git.make(flight.folder / "repo")
    tests = json.dumps(["grep", "-q", "Hello", "greet.py"])
    (flight.folder / "repo/.git/aicp.toml").write_text(f"[tests]\ncommand = {tests}\n")
    return flight


def _play(like: Play, providers: dict[str, Provider], calls: list[tuple[str, Call]]) -> Play:
    """The calls as the steps of a play."""
    steps = []
    for seq, (account, call) in enumerate(calls, start=1):
        spec = next(tool for tool in providers[account].tools() if tool.name == call.tool)
        steps.append(
            Step(seq=seq, tool=spec.ref, account=account, args=call.args,
                 provenance=dict.fromkeys(call.args, SOMEBODY), effect=spec.title,
                 mutates=spec.mutates, undo_tier=spec.undo_tier, undo=spec.undo)
        )  # fmt: skip
    return like.model_copy(update={"steps": tuple(steps), "affected": {"files": len(steps)}})


def _to_approve(flight: Flight, git_calls: tuple[Call, ...]) -> tuple[str, dict[str, Provider]]:
    connect = (f"files:{flight.folder / 'papers'}", f"git:{flight.folder / 'repo'}")
    mission = flight.to_plan(ANY_TIME, connect=connect)
    riley, services = flight.people["riley"], flight.app.services
    with flight.app.transaction(riley) as conn:
        row = store.get(conn, mission)
        offered = plan_store.plays(conn, mission)
    providers = prepare.open_providers(services, row, riley)
    calls = [("files papers", call) for call in FILE_CALLS]
    calls += [("git repo", call) for call in git_calls]
    play = _play(Play.model_validate(offered[0]["play"]), providers, calls)
    scopes = sorted({tool.scope for p in providers.values() for tool in p.tools()})
    rehearsed = plan.rehearse(play, providers)
    assert rehearsed == {"exact": True, "steps": len(calls), "undone": len(calls)}
    with flight.app.transaction(riley) as conn:
        plan_store.replace_plays(conn, riley, mission, [(play, rehearsed | {"scopes": scopes})])
    flight.select(mission)
    flight.approve(mission)
    return mission, providers


def test_a_folder_and_a_repository_are_changed_as_approved_and_come_back(connected: Flight) -> None:
    if not confined.possible(connected.folder, {"PATH": os.environ["PATH"]}):
        pytest.skip("this machine cannot confine a command")
    branch, commit, request = world_git.WRITES
    tests = Call("git.run_tests", {"ref": "fix/greeting"})
    mission, providers = _to_approve(connected, (branch, commit, tests, request))
    watched = [providers[name] for name in ("files papers", "git repo")]
    before = [provider.state_hash() for provider in watched]
    connected.work()
    doc = connected.doc(mission)
    assert {step["state"] for step in doc["run"]["steps"]} == {"done"}
    assert b"[redacted]" in (connected.folder / "papers/statement.txt").read_bytes()
    assert not (connected.folder / "papers/twin-b").exists()
    assert (connected.folder / "repo/.git/aicp/merge-requests/fix%2Fgreeting.md").exists()
    assert all(p.state_hash() != old for p, old in zip(watched, before, strict=True))
    doc = connected.undo(mission)
    assert doc["run_state"] == "undone"
    assert {step["status"] for step in doc["undo"][0]["steps"]} == {"restored"}
    assert [provider.state_hash() for provider in watched] == before


def test_tests_that_fail_stop_the_run_before_anything_is_proposed(connected: Flight) -> None:
    if not confined.possible(connected.folder, {"PATH": os.environ["PATH"]}):
        pytest.skip("this machine cannot confine a command")
    branch, commit, request = world_git.WRITES
    tests = Call("git.run_tests", {"ref": "main"})
    mission, _ = _to_approve(connected, (branch, commit, tests, request))
    connected.work()
    doc = connected.doc(mission)
    assert doc["run_state"] == "paused"
    assert "the tests failed with exit status 1" in json.dumps(doc)
    assert not list(Path(connected.folder / "repo/.git/aicp").glob("merge-requests/*"))
