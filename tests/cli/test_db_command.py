"""`aicp db`: the running system's schema, held against its file (OP-3, PC-4)."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from aicp.kernel import postgres
from cli.system import System, typed


@pytest.fixture
def owner(system: System) -> Iterator[psycopg.Connection]:
    """The owner of the running system's database."""
    cluster = postgres.running(system.data)
    assert cluster is not None
    with psycopg.connect(cluster.owner_url, autocommit=True) as conn:
        yield conn


def drift_events(owner: psycopg.Connection) -> list[tuple]:
    return owner.execute(
        "select context, status from telemetry_events where event_type = 'schema_drift_detected' order by id"
    ).fetchall()


def test_a_running_system_is_clean_and_nothing_is_recorded(
    system: System, owner: psycopg.Connection
) -> None:
    said = system.run("db", "diff")
    assert (said.code, said.out) == (0, "")
    assert "clean: the embedded server" in said.err
    assert drift_events(owner) == []


def test_drift_is_listed_recorded_and_exits_5(system: System, owner: psycopg.Connection) -> None:
    owner.execute("create index by_hand on missions (title)")
    try:
        said = system.run("db", "diff")
        assert (said.code, said.out) == (5, "+ index public.missions.by_hand\n")
        assert "1 difference" in said.err
        told = system.run("db", "diff", "--json")
        assert told.code == 5
        assert told.json["changes"][0]["name"] == "public.missions.by_hand"
        assert "changed since it was applied" in " ".join(system.run("doctor").out.split())
        [(context, status), _] = drift_events(owner)
        assert status == "error"
        assert context == {
            "change_count": 1, "kinds": {"index": 1}, "against": "shadow",
            "fingerprint": told.json["fingerprint"],
        }  # fmt: skip
    finally:
        owner.execute("drop index by_hand")
        owner.execute("delete from telemetry_events where event_type = 'schema_drift_detected'")
    assert system.run("db", "diff").code == 0


def test_drift_that_leaves_no_place_for_the_event_is_still_drift(
    system: System, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    owner.execute("create database broken")
    url = owner.info.dsn
    try:
        target = psycopg.conninfo.make_conninfo(url, dbname="broken", password=owner.info.password)
        monkeypatch.setenv("DATABASE_URL", target)
        said = typed("--data-dir", str(tmp_path), "db", "diff")
        assert said.code == 5
        assert "- table public.missions" in said.out
        assert "could not be recorded" in said.err
        assert owner.info.password not in said.out + said.err
    finally:
        owner.execute("drop database broken")


def test_a_folder_without_a_database_is_told_how_to_get_one(tmp_path) -> None:
    said = typed("--data-dir", str(tmp_path / "none"), "db", "diff")
    assert said.code == 3
    assert "no database" in said.err
    assert "up" in said.err
    assert not (tmp_path / "none").exists()


def test_the_lint_says_what_it_could_not_check_and_exits_by_level(
    system: System, owner: psycopg.Connection
) -> None:
    said = system.run("db", "lint")
    assert said.code == 0
    assert said.out.startswith("not checked: function-broken (")
    owner.execute("create table unkeyed (tenant_id uuid)")
    owner.execute("alter table unkeyed enable row level security, force row level security")
    try:
        said = system.run("db", "lint")
        assert said.code == 5
        assert "no-primary-key" in said.out
        assert "fix: alter table … add primary key" in said.out
        assert system.run("db", "lint", "--fail-on", "error").code == 0
        told = system.run("db", "lint", "--json").json
        assert {f["rule"] for f in told["findings"]} == {"no-primary-key", "rls-no-policy"}
        assert told["clean"] is False
    finally:
        owner.execute("drop table unkeyed")


def test_a_product_that_signs_in_as_the_owner_is_told(
    system: System, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    url = psycopg.conninfo.make_conninfo(owner.info.dsn, password=owner.info.password)
    monkeypatch.setenv("DATABASE_URL", url)
    said = typed("--data-dir", str(tmp_path), "db", "lint")
    assert said.code == 5
    assert "login-too-strong" in said.out
    assert "is a superuser" in said.out


def test_types_are_written_and_a_stale_file_is_told(system: System, tmp_path) -> None:
    said = system.run("db", "types", "--lang", "typescript")
    assert said.code == 0
    assert "missions: {" in said.out
    file = tmp_path / "types.ts"
    file.write_text(said.out)
    words = ("db", "types", "--lang", "typescript", "--check", str(file))
    assert system.run(*words).code == 0
    file.write_text(said.out.replace("missions: {", "mission: {"))
    stale = system.run(*words)
    assert stale.code == 5
    assert f"aicp db types --lang typescript > {file}" in stale.err
    missing = system.run("db", "types", "--lang", "python", "--check", str(tmp_path / "none.py"))
    assert missing.code == 3
    assert system.run("db", "types", "--lang", "cobol").code == 2
