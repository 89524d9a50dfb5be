"""PC-4: a backup is believed once it was restored; what was tampered with or lost is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from aicp.errors import BadInput, Conflict, UpstreamDown
from aicp.schema.backup import Table, back_up, backups, listing, prune, read
from aicp.schema.backups import Result, keep, latest
from aicp.schema.drill import LOCK, PREFIX, compare, drill

AT = datetime(2026, 11, 1, 2, 0, tzinfo=UTC)
TENANT = "00000000-0000-4000-8000-00000000000b"


@pytest.fixture
def owner(cluster: Any) -> Any:
    """The owner's URL of a database with a tenant in it."""
    name = cluster.clone()
    with psycopg.connect(cluster.owner_url(name)) as conn:
        conn.execute("insert into tenants values (%s, 'home', 'Home', now())", (TENANT,))
    yield cluster.owner_url(name)
    cluster.drop(name)


def test_a_backup_restores_to_the_same_rows_and_the_same_schema(owner: str, tmp_path: Path) -> None:
    made = back_up(owner, tmp_path / "kept", login="aicp_app", at=AT)
    assert made.file.name == "aicp-20261101T020000Z.dump"
    assert made.tables["public.tenants"].rows == 1
    assert read(made.file) == made
    assert oct(made.file.stat().st_mode)[-3:] == "600"
    done = drill(owner, made, login="aicp_app")
    assert done.problems == []
    with psycopg.connect(owner) as conn:
        left = conn.execute(
            "select count(*) from pg_database where starts_with(datname, %s)", (PREFIX,)
        )
        assert left.fetchone() == (0,)


def test_dump_and_list_are_of_one_moment_although_rows_arrive_meanwhile(
    owner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row arrives after the dump was taken and before the rows are counted."""
    from aicp.schema import backup

    run = backup.run

    def slowly(*args: Any, **kwargs: Any) -> None:
        run(*args, **kwargs)
        with psycopg.connect(owner) as conn:
            conn.execute("update tenants set name = 'Elsewhere'")

    monkeypatch.setattr(backup, "run", slowly)
    assert (
        drill(owner, back_up(owner, tmp_path, login="aicp_app", at=AT), login="aicp_app").problems
        == []
    )


def test_a_changed_byte_is_named_and_nothing_is_restored(owner: str, tmp_path: Path) -> None:
    made = back_up(owner, tmp_path, login="aicp_app", at=AT)
    with made.file.open("r+b") as dump:
        dump.seek(-9, 2)
        dump.write(b"X")
    assert drill(owner, made, login="aicp_app").problems == [
        f"{made.file.name} is not the file that was written: its hash differs"
    ]


def test_rows_that_are_not_those_of_the_list_are_named(owner: str, tmp_path: Path) -> None:
    """A list that says something else than its dump, whoever changed which."""
    made = back_up(owner, tmp_path, login="aicp_app", at=AT)
    told = json.loads(listing(made.file).read_text())
    told["tables"]["public.tenants"]["digest"] = "1"
    told["fingerprint"] = "f" * 64
    listing(made.file).write_text(json.dumps(told))
    assert drill(owner, read(made.file), login="aicp_app").problems == [
        "the restored schema has another fingerprint",
        "public.tenants has 1 rows, but not the same ones",
    ]


def test_each_difference_between_a_list_and_a_copy_is_one_sentence() -> None:
    wanted = {
        "a.x": Table(1, "5"),
        "a.y": Table(2, "6"),
        "a.gone": Table(0, "0"),
        "a.same": Table(3, "7"),
    }
    found = {
        "a.x": Table(1, "9"),
        "a.y": Table(3, "6"),
        "a.new": Table(0, "0"),
        "a.same": Table(3, "7"),
    }
    assert compare(wanted, found) == [
        "a.gone is missing", "a.new was not in the backup",
        "a.x has 1 rows, but not the same ones", "a.y has 3 rows instead of 2",
    ]  # fmt: skip


def test_a_failed_dump_leaves_nothing_behind(
    owner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aicp.schema import programs

    broken = tmp_path / "pg_dump"
    broken.write_text("#!/bin/sh\necho 'pg_dump: error: No space left on device' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(programs, "program", lambda _name: broken)
    with pytest.raises(UpstreamDown, match="No space left"):
        back_up(owner, tmp_path / "kept", login="aicp_app", at=AT)
    assert list((tmp_path / "kept").iterdir()) == []


def test_only_one_drill_runs_at_a_time(owner: str, tmp_path: Path) -> None:
    made = back_up(owner, tmp_path, login="aicp_app", at=AT)
    with psycopg.connect(owner, autocommit=True) as other:
        other.execute("select pg_advisory_lock(%s)", (LOCK,))
        with pytest.raises(Conflict, match="another restore drill"):
            drill(owner, made, login="aicp_app")


def test_the_newest_are_kept_and_files_of_others_are_left_alone(tmp_path: Path) -> None:
    for day in (1, 2, 3):
        file = tmp_path / f"aicp-2026110{day}T020000Z.dump"
        file.touch()
        listing(file).write_text("{}")
    (tmp_path / "aicp-20261104T020000Z.dump").touch()  # its list is missing: no backup
    (tmp_path / "aicp-notes.dump").touch()
    assert [p.name for p in prune(tmp_path, 1)] == [
        "aicp-20261101T020000Z.dump",
        "aicp-20261102T020000Z.dump",
    ]
    assert [p.name for p in backups(tmp_path)] == ["aicp-20261103T020000Z.dump"]
    assert (tmp_path / "aicp-notes.dump").exists()
    with pytest.raises(BadInput, match="at least one"):
        prune(tmp_path, 0)


def test_a_file_that_is_no_backup_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.dump").touch()
    with pytest.raises(BadInput, match=r"x\.dump is no backup"):
        read(tmp_path / "x.dump")


def test_a_failure_counts_until_something_went_well_after_it(owner: str) -> None:
    def result(kind: str, problem: str, hours: int) -> None:
        keep(owner, Result(kind, "f", 1, 1.0, "x", problem, AT + timedelta(hours=hours)))

    result("backup", "", 0)
    result("backup", "disk full", 1)
    result("drill", "a.x is missing", 2)
    with psycopg.connect(owner) as conn:
        assert {k: v.problem for k, v in latest(conn).items()} == {
            "backup": "", "backup_failed": "disk full", "drill_failed": "a.x is missing",
        }  # fmt: skip
        result("drill", "", 3)
        result("backup", "", 3)
        conn.rollback()
        assert set(latest(conn)) == {"backup", "drill"}
