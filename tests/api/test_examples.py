"""The shipped examples, as their own programs against a real server; the test plays the people."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agents import agent_mission, findings, made, token
from flight import Flight
from offers import rows

EXAMPLES = Path(__file__).parents[2] / "examples"


def play(flight: Flight, mission: str, url: str, example: str, *words: str) -> dict[str, str]:
    """Run an example to its end, deciding what people decide; what it told."""
    command = [
        sys.executable,
        str(EXAMPLES / example),
        "--url",
        f"{url}/mcp",
        "--poll",
        "0.05",
        *words,
    ]
    told: dict[str, str] = {}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(f"{token(flight, mission)}\n")
        program.stdin.flush()
        for line in program.stdout:
            what, text = line[:10].strip(), line[11:].strip()
            told[what] = text
            if what == "proposed":
                flight.work()
                flight.select(mission)
                flight.approve(mission, naming=True)
                flight.work()
        wrong = program.stderr.read() if program.stderr else ""
    assert program.returncode == 0, wrong[-2000:]
    flight.work()
    return told


@pytest.mark.parametrize(
    ("example", "words", "denied"),
    [
        ("agent_mcp.py", ("--column", "notes"), "key"),
        ("agent_adk.py", ("--account", "calendar.ics"), "summary"),
    ],
)
def test_an_example_proposes_waits_is_denied_a_change_and_carries_out(
    flight: Flight, live_url: str, example: str, words: tuple[str, ...], denied: str
) -> None:
    before = flight.state()
    mission = agent_mission(flight)
    told = play(flight, mission, live_url, example, *words)
    assert told["denied"] == f"exact-call: step 1 was approved with other arguments ({denied})"
    assert told["done"] == "step 1 of 1"
    assert made(flight, mission) == [(1, "done")]
    assert findings(flight, mission) == ["exact-call"]
    assert (rows(flight)[0]["notes"] == "called, sends regards") == (example == "agent_mcp.py")
    assert flight.doc(mission)["status"] == "completed"
    assert flight.undo(mission)["run_state"] == "undone"
    assert flight.state() == before
