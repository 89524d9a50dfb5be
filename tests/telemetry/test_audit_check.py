"""OB-5, PC-5: the audit in check mode holds the code to the catalogue, and finds each planted fault."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aicp.telemetry.audit import check as audit
from aicp.telemetry.audit.findings import Finding, Report
from aicp.telemetry.audit.sites import odd_lines, sites
from aicp.telemetry.catalogue import Event, Field, catalogue, declare, fields
from aicp.telemetry.redaction import redact
from cli.system import typed

ROOT = Path(__file__).parents[2]
KIND = Field("kind", "string", "none", "low", "x")
KNOWN = {"seen": Event("seen", "Seen.", (KIND,), (Field("more", "integer", "none", "low", 1),))}


def source(folder: Path, text: str) -> Path:
    (folder / "some.py").write_text(text)
    return folder


def test_this_package_has_no_findings() -> None:
    declare()
    report = audit.check()
    assert [one.line for one in report.findings] == []
    assert report.exit_code == 0
    assert report.checked["sites"] > 70
    assert report.checked["coverage"] == len(catalogue())
    assert report.unchecked == {}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('record(conn, actor, "seen", {"kind": "x"}, at=now)', []),
        ('record(conn, actor, "seen", {"kind": "x"} | more, at=now)', []),
        ('record(conn, actor, "unseen", {"kind": "x"}, at=now)', ["there is no event unseen"]),
        ('record(conn, actor, "seen", {}, at=now)', ["seen lacks kind"]),
        ('record(conn, actor, "seen", {"kind": "x", "who": 1}, at=now)', ["seen has no field who"]),
        ('record(conn, actor, "seen", made(), at=now)', ["the context of seen is made elsewhere, so it cannot be read"]),
        ('record(conn, actor, f"{a}", {"kind": "x"}, at=now)', ["its event's name is made at run time"]),
        ("def record(conn, actor, name, context):\n    return _event(conn, actor, name, context)", []),
    ],
)  # fmt: skip
def test_what_a_recording_says_is_held_against_the_catalogue(
    tmp_path: Path, line: str, why: list[str]
) -> None:
    found = audit.named(sites(source(tmp_path, line)), KNOWN)
    assert [one.message for one in found] == why
    assert all(one.where == "src/aicp/some.py:1" for one in found)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('log.info("seen", kind=x)', ""),
        ('log.info(f"seen {x}")', "makes its message at run time"),
        ('log.error("seen " + x)', "makes its message at run time"),
        ("logging.warning(x)", "root logger"),
        ("print(x)", "prints"),
    ],
)
def test_a_line_that_passes_the_one_way_of_logging_by_is_found(
    tmp_path: Path, line: str, why: str
) -> None:
    found = odd_lines(source(tmp_path, line))
    assert [why in one.why for one in found] == ([True] if why else [])


def test_an_event_is_recorded_exactly_when_the_catalogue_says_so(tmp_path: Path) -> None:
    silent = Event("silent", "Never.", (), emitted=False, why="later")
    known = KNOWN | {"silent": silent}
    nothing = sites(source(tmp_path, "pass"))
    assert [one.message for one in audit.covered(nothing, known)] == ["is recorded nowhere"]
    both = sites(source(tmp_path, 'record(c, a, "seen", {})\nrecord(c, a, "silent", {})'))
    assert [one.message for one in audit.covered(both, known)] == [
        "is recorded, and said not to be"
    ]


def test_what_is_personal_must_not_pass_and_what_is_not_must() -> None:
    """OB-3: a new field needs its class in the catalogue and nothing else."""
    known = {
        "leaks": Field("leaks", "string", "pii", "high", "nothing to see"),
        "harmed": Field("harmed", "string", "none", "high", "kim@acme.example"),
        "fine": Field("fine", "string", "none", "low", "mail"),
    }
    found = audit.redacted(known, redact)
    assert [(one.where, one.message) for one in found] == [
        ("fields.yaml leaks", "is pii, and passes as it is"),
        ("fields.yaml harmed", "is not personal, and is damaged"),
    ]


def test_a_field_that_nobody_carries_and_an_example_that_does_not_fit_are_found() -> None:
    assert [one.where for one in audit.unused({}, {"kind": KIND})] == ["fields.yaml kind"]
    wrong = Event("wrong", "Wrong.", (Field("n", "integer", "none", "low", "one"),))
    assert [one.message for one in audit.examples({"wrong": wrong})] == [
        "wrong: n is not of its type"
    ]


def test_nothing_looked_at_is_never_a_pass() -> None:
    report = Report("check")
    assert report.exit_code == 2
    report.took("sites", 0, [])
    assert (report.exit_code, report.unchecked) == (2, {"sites": "there was nothing to look at"})
    report.took("examples", 3, [])
    assert report.exit_code == 2  # other checks do not stand in for it
    report.took("sites", 3, [])
    assert report.exit_code == 0
    report.took("coverage", 1, [Finding("coverage", "a.yaml x", "is recorded nowhere")])
    assert report.exit_code == 1


def test_the_command_tells_lines_json_and_sarif() -> None:
    assert typed("telemetry", "audit").code == 0
    told = json.loads(typed("telemetry", "audit", "--mode", "check", "--json").out)
    assert (told["findings"], told["exit_code"]) == ([], 0)
    assert typed("telemetry", "audit", "--json", "--sarif").code == 2
    report = Report(
        "check",
        [Finding("sites", "src/aicp/some.py:7", "wrong"), Finding("coverage", "a x", "odd")],
    )
    run: dict[str, Any] = report.as_sarif()["runs"][0]
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"] == {"startLine": 7}
    assert run["results"][1]["locations"][0]["logicalLocations"] == [{"name": "a x"}]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["coverage", "sites"]


def test_the_playbook_s_script_is_the_same_audit() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/audit_telemetry_events.py", "--mode", "check", "--json"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert (done.returncode, json.loads(done.stdout)["mode"]) == (0, "check")


def test_an_event_is_shown_with_its_fields_and_by_its_older_name() -> None:
    said = typed("telemetry", "events", "plan_approved")
    assert (said.code, "approval_granted" in said.out, "approver_role" in said.out) == (
        0,
        True,
        True,
    )
    every = json.loads(typed("telemetry", "events", "--json").out)
    assert every.keys() == catalogue().keys()
    assert typed("telemetry", "events", "made_up").code == 3
    assert len(fields()) > 100
