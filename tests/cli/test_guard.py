"""`aicp mission guard …` (TR-7, TR-10)."""

from __future__ import annotations

from cli.system import System


def test_the_safeguards_are_listed_with_their_ids(system: System, flown: str) -> None:
    rows = system.run("mission", "guard", flown, "--json").json
    said = system.run("mission", "guard", flown)
    assert (said.code, bool(rows)) == (0, True)
    assert all(row["id"] in said.out for row in rows)


def test_a_change_that_cannot_be_made_says_why_and_how(system: System, flown: str) -> None:
    about = system.run("mission", "guard", flown, "--json").json[0]["id"]
    over = system.run("mission", "guard", flown, about, "--set", "x=1", "--reason", "why")
    assert (over.code, "no run is under way" in over.err) == (5, True), over
    nothing = system.run("mission", "guard", flown, about, "--set", "x", "--reason", "why")
    assert (nothing.code, "sets nothing" in nothing.err) == (2, True), nothing
    unnamed = system.run("mission", "guard", flown, "--set", "x=1")
    assert (unnamed.code, "name the safeguard" in unnamed.err) == (2, True), unnamed
