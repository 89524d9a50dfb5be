"""`aicp kill …` and `aicp limits` (MI-8)."""

from __future__ import annotations

from cli.system import DELEGATE, System


def test_a_mission_is_stopped_looked_at_and_let_go_on(system: System) -> None:
    mission = system.give(system.table("killed.csv"))
    assert system.run("kill", "status").err.strip() == "no kill switch is pulled"
    said = system.run("kill", "pull", "--mission", mission, "--reason", "wrong list")
    assert said.code == 0, said
    assert f"mission {mission} is stopped: no further call leaves" in said.out
    assert "aicp" in said.err
    status = system.run("kill", "status")
    assert f"mission {mission}" in status.out
    assert "wrong list" in status.out
    assert f"kill lift --mission {mission}" in status.err
    assert system.run("kill", "status", "--json").json[0]["ours"] is True
    again = system.run("kill", "pull", "--mission", mission, "--reason", "wrong list")
    assert again.code == 6
    lifted = system.run(
        "kill", "lift", "--mission", mission, "--reason", "corrected", as_email=DELEGATE
    )
    assert lifted.code == 0, lifted
    assert "may make calls again" in lifted.out
    assert system.run("kill", "status", "--json").json == []


def test_exactly_one_thing_is_named_and_a_reason_given(system: System) -> None:
    for words in ((), ("--tenant", "--system"), ("--toolkit", "mail", "--mission", "m-1")):
        said = system.run("kill", "pull", *words, "--reason", "x")
        assert (said.code, "--mission ID" in said.err) == (2, True), words
    assert system.run("kill", "pull", "--tenant").code == 2
    assert system.run("kill", "pull", "--tenant", "--reason", " ").code == 2
    assert system.run("kill", "pull", "--tenant", "--reason", "x", as_email=DELEGATE).code == 4


def test_limits_name_each_toolkit_in_use(system: System, flown: str) -> None:
    assert flown
    said = system.run("limits")
    assert said.code == 0
    assert "60 calls in 60 s" in said.err
    assert system.run("limits", "--json").json["usual"]["calls"] == 60
