"""policy: checked, shown and held against the past by the running system."""

from __future__ import annotations

from pathlib import Path

from cli.system import System

FORBID = '@id("no-updates")\n@reason("rows stay as they are")\nforbid (principal, action == Action::"table.update", resource);'


def test_a_candidate_is_checked_and_tested_by_its_contents(
    system: System, flown: str, tmp_path: Path
) -> None:
    own, broken = tmp_path / "own.cedar", tmp_path / "broken.cedar"
    own.write_text(FORBID)
    broken.write_text("forbid (principal")
    assert "2 policies hold" not in system.run("policy", "check", str(own)).out
    assert system.run("policy", "check", str(own)).code == 0
    said = system.run("policy", "check", str(broken))
    assert said.code == 2
    assert "broken.cedar line 1" in said.out
    tested = system.run("policy", "test", str(own))
    assert tested.code == 0
    assert "would have denied" in tested.out
    assert flown in tested.out
    assert "no-updates" in tested.out
    assert system.run("policy", "test", "--strict", str(own)).code == 9
    assert system.run("policy", "test", "--strict").code == 0
    assert system.run("policy", "test", "--since", "soon").code == 2
    assert system.run("policy", "check", str(tmp_path / "gone.cedar")).code == 2


def test_a_broken_policy_in_force_is_told_by_check_show_and_doctor(system: System) -> None:
    folder = system.data / "policies"
    folder.mkdir(exist_ok=True)
    own = folder / "own.cedar"
    try:
        own.write_text("forbid (principal")
        assert "own.cedar line 1" in system.run("policy", "check").out
        assert "every call is denied" in system.run("policy", "show").err
        told = system.run("doctor", "--json")
        found = next(one for one in told.json if one["name"] == "policies")
        assert (told.code, found["level"]) == (1, "fail")
        assert "own.cedar line 1" in found["text"]
    finally:
        own.unlink()
    assert "approved-calls" in system.run("policy", "show").out
    assert "table.update" in system.run("policy", "schema").out
