"""status, doctor, people, login and db."""

from __future__ import annotations

import json
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from aicp.cli.render import cells
from aicp.kernel import postgres
from cli.system import DELEGATE, OWNER, System, typed


def _named(said, name: str) -> dict[str, str]:
    return next(check for check in said.json if check["name"] == name)


def test_status_fits_80_by_24_however_much_there_is(system: System, waiting, flown, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for n in range(6):
        system.run("mission", "new", "Hm", "--data", str(system.files / f"gone-{n}.csv"), "--no-wait",
                   "--title", "A very long title " * 8)  # fmt: skip
    said = system.run("status")
    lines = (said.out + said.err).splitlines()
    assert said.code == 0
    assert len(lines) <= 24
    assert max(map(cells, said.out.splitlines())) <= 80
    assert "approve as owner" in json.dumps(system.run("status", "--json").json["needs_you"])


def test_status_shows_each_person_their_own_turn(system: System, waiting):
    mission, _ = waiting
    mine = {row["id"] for row in system.run("status", "--json").json["needs_you"]}
    theirs = {
        row["id"] for row in system.run("status", "--json", as_email=DELEGATE).json["needs_you"]
    }
    assert mission in mine
    assert mission not in theirs


def test_doctor_finds_a_running_system_well(system: System):
    said = system.run("doctor", "--json")
    assert said.code == 0, said
    assert {"server", "worker", "database", "schema", "roles", "clock"} <= {
        c["name"] for c in said.json
    }
    assert "all is well" in system.run("doctor").err


def test_doctor_works_with_nothing_and_makes_nothing(tmp_path):
    folder = tmp_path / "new"
    said = typed("--data-dir", str(folder), "doctor")
    assert said.code == 0, said
    assert not folder.exists()


def test_doctor_names_each_fault_and_its_fix(tmp_path, monkeypatch):
    tokens = tmp_path / "tokens.json"
    tokens.write_text(
        json.dumps({"default": "a@b.example", "tokens": {"a@b.example": "s3cr3t-token"}})
    )
    tokens.chmod(0o644)
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:s3cr3t-word@127.0.0.1:9/db")
    monkeypatch.setenv("GOOGLE_API_KEY", "s3cr3t-key")
    monkeypatch.setenv("AICP_FILE_ROOTS", "/nowhere/at/all")
    said = typed("--data-dir", str(tmp_path), "doctor", "--json")
    assert said.code == 1
    assert _named(said, "database")["level"] == "fail"
    assert _named(said, "people")["fix"] == f"chmod 600 {tokens}"
    assert _named(said, "files")["level"] == "warn"
    assert "GOOGLE_API_KEY is set" in _named(said, "model")["text"]
    assert "s3cr3t" not in said.out
    assert "fix: chmod 600" in typed("--data-dir", str(tmp_path), "doctor").out.replace(
        "\n" + " " * 24, " "
    )


def test_doctor_reports_a_setting_that_is_no_number(tmp_path, monkeypatch):
    monkeypatch.setenv("AICP_PORT", "eighty")
    said = typed("--data-dir", str(tmp_path), "doctor", "--json")
    assert said.code == 1
    assert "AICP_PORT" in _named(said, "settings")["text"]


def test_people_are_added_listed_and_can_act_from_this_machine(system: System):
    said = system.run(
        "people", "add", "Sam Lee", "sam@home.example", "--role", "operator", "--role", "oncall"
    )
    assert said.code == 0, said
    token = json.loads((system.data / "tokens.json").read_text())["tokens"]["sam@home.example"]
    assert token not in said.out + said.err
    assert (system.data / "tokens.json").stat().st_mode & 0o077 == 0
    assert system.run("mission", "list", as_email="sam@home.example").code == 0
    listed = {p["email"]: p["roles"] for p in system.run("people", "list", "--json").json}
    assert listed["sam@home.example"] == ["operator", "oncall"]
    again = system.run("people", "add", "Sam Lee", "sam@home.example", "--role", "operator")
    assert again.code == 6
    assert system.run("people", "add", "X", "x@home.example", "--role", "king").code == 2
    assert system.run("people", "add", "X", "x@home.example").code == 2
    assert system.run("people", "add", "X", "not-an-address", "--role", "oncall").code == 2
    refused = system.run(
        "people", "add", "X", "x@home.example", "--role", "oncall", as_email=DELEGATE
    )
    assert refused.code == 4


def test_a_token_is_shown_only_when_asked_for(system: System):
    said = system.run(
        "people",
        "add",
        "Far Away",
        "far@home.example",
        "--role",
        "oncall",
        "--show-token",
        "--json",
    )
    known = json.loads((system.data / "tokens.json").read_text())["tokens"]
    assert said.json["token"] == known["far@home.example"]


@pytest.mark.parametrize("words", [("login", "--as", DELEGATE), ("--as", DELEGATE, "login")])
def test_login_prints_one_full_link_for_the_person_named(system: System, words):
    said = typed("--data-dir", str(system.data), *words)
    assert said.code == 0
    assert said.out.startswith(f"{system.client(OWNER).place.url}/login/")
    assert len(said.out.splitlines()) == 1
    assert DELEGATE in said.err


def test_the_schema_is_applied_once_and_a_foreign_one_is_refused(
    system: System, tmp_path, monkeypatch
):
    said = system.run("db", "apply")
    assert said.code == 0
    assert "already" in said.out
    cluster = postgres.running(system.data)
    assert cluster is not None
    with psycopg.connect(cluster.owner_url, autocommit=True) as conn:
        conn.execute("create database fresh")
    url = urlunsplit(urlsplit(cluster.owner_url)._replace(path="/fresh"))
    monkeypatch.setenv("DATABASE_URL", url)
    doctor = ("--data-dir", str(tmp_path), "doctor", "--json")
    before = typed(*doctor)
    assert before.code == 1
    assert "db apply" in _named(before, "schema")["fix"]
    apply = ("--data-dir", str(tmp_path), "db", "apply", "--json")
    assert [typed(*apply).json["applied"] for _ in range(2)] == [True, False]
    after = typed(*doctor)
    assert _named(after, "schema")["level"] == "ok"
    assert _named(after, "roles")["level"] == "warn"  # the owner's own login is past row security
    assert "AICP_OWNER_DATABASE_URL" in _named(after, "roles")["fix"]
    with psycopg.connect(url) as conn:
        conn.execute("update app.meta set schema_sha256 = repeat('0', 64)")
    refused = typed(*apply)
    assert refused.code == 6
    assert cluster.owner_password not in refused.out + refused.err
    assert _named(typed(*doctor), "schema")["level"] == "fail"


def test_the_schema_can_be_applied_by_an_owner_for_a_login_of_fewer_rights(
    system: System, tmp_path, monkeypatch
):
    cluster = postgres.running(system.data)
    assert cluster is not None
    with psycopg.connect(cluster.owner_url, autocommit=True) as conn:
        conn.execute("create role narrow login noinherit password 'narrow'")
        conn.execute("create database split")
    owner = urlunsplit(urlsplit(cluster.owner_url)._replace(path="/split"))
    monkeypatch.setenv("AICP_OWNER_DATABASE_URL", owner)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://narrow:narrow@127.0.0.1:{cluster.port}/split")
    assert typed("--data-dir", str(tmp_path), "db", "apply", "--json").json["applied"] is True
    said = typed("--data-dir", str(tmp_path), "doctor", "--json")
    assert {_named(said, n)["level"] for n in ("database", "schema", "roles", "clock")} == {"ok"}
