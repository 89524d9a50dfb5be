"""The lint's rules: silent on our schema, each awake on its defect, and never green unasked (PC-4)."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from aicp.schema.apply import LOGIN, apply
from aicp.schema.check import check
from aicp.schema.lint import LintReport, lint, rules
from conftest import Cluster
from schema import debian
from schema.defects import FOUND, PLANTED, ROLES


@pytest.fixture(scope="module")
def ours(cluster: Cluster) -> Iterator[str]:
    name = cluster.clone()
    yield cluster.owner_url(name)
    cluster.drop(name)


@pytest.fixture(scope="module")
def defective(cluster: Cluster) -> Iterator[LintReport]:
    """What the lint says of a schema with every defect."""
    name = cluster.clone()
    with psycopg.connect(cluster.owner_url(name)) as conn:
        conn.execute(PLANTED)
        conn.execute(ROLES)
        yield lint(conn, login="too_mighty")
        conn.rollback()
    cluster.drop(name)


def test_our_schema_and_the_products_login_are_clean_and_one_rule_is_not_checked_here(
    ours: str,
) -> None:
    with psycopg.connect(ours) as conn:
        report = lint(conn, login=LOGIN)
    assert report.findings == []
    assert list(report.unchecked) == ["function-broken"]
    assert "plpgsql_check" in report.unchecked["function-broken"]
    assert report.checked == len(rules()) - 1
    assert report.as_dict()["clean"] is False  # what was not checked is not green


def test_what_is_ignored_is_there_and_has_a_reason(ours: str) -> None:
    """An exception that nothing needs any more would hide the next defect of that name."""
    from aicp.schema.lint import _file

    with psycopg.connect(ours) as conn:
        left = lint(conn, login=LOGIN).ignored
    assert left == _file()["ignore"]
    assert all(len(entry["reason"]) > 20 for entry in left)


@pytest.mark.parametrize("rule", [rule.id for rule in rules() if not rule.needs])
def test_each_rule_finds_its_defect(defective: LintReport, rule: str) -> None:
    found = {finding.object for finding in defective.findings if finding.rule == rule}
    assert FOUND[rule] in found, (found, defective.unchecked)


def test_every_rule_has_a_defect_a_level_and_a_fix() -> None:
    assert {rule.id for rule in rules()} == FOUND.keys()
    assert len(rules()) >= 20
    for rule in rules():
        assert rule.level in ("error", "warn", "info")
        assert rule.says
        assert rule.fix


def test_the_lint_leaves_nothing_behind_and_any_login_may_ask(cluster: Cluster, ours: str) -> None:
    name = ours.rpartition("/")[2]
    with psycopg.connect(cluster.url(name)) as conn:
        assert lint(conn, login=LOGIN).findings == []
        assert conn.execute("show search_path").fetchone() == ('"$user", public',)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (f"alter role {LOGIN} superuser", "login-too-strong"),
        (f"alter role {LOGIN} bypassrls", "login-too-strong"),
        (f"alter table public.plans owner to {LOGIN}", "login-too-strong"),
        (f"alter role {LOGIN} inherit", "login-inherits"),
        ("grant delete on public.telemetry_events to service_role", "record-may-change"),
        ("grant update on public.plans to authenticated", "record-may-change"),
    ],
)
def test_the_login_may_not_do_more_than_it_needs_and_records_only_grow(
    ours: str, change: str, rule: str
) -> None:
    with psycopg.connect(ours) as conn:
        conn.execute(change)
        assert rule in {finding.rule for finding in lint(conn, login=LOGIN).findings}
        conn.rollback()


def test_the_owner_as_the_products_login_is_an_error(ours: str) -> None:
    with psycopg.connect(ours) as conn:
        [found] = lint(conn, login="postgres").findings
    assert (found.rule, found.level, found.detail) == (
        "login-too-strong",
        "error",
        "is a superuser",
    )


# Others' opinions ---------------------------------------------------------------------------

# Rules of pgrls that do not hold here, each with the reason why.
PGRLS_IGNORED = {
    "SEC007": "one policy a command is what there is; a restrictive floor would repeat the same comparison",
    "SEC009": "partitions are reached by their table, whose policies hold; nobody is granted them",
    "SEC013": "the triggers take a lock, notify, refuse, or note a time to count again; no row of a tenant leaves them",
    "SEC016": "service_role signs people in, across tenants; no request runs as it",
    "SEC022": "tenants, people and credentials are written by service_role only",
    "SEC027": "a mission is its tenant's: every person of it may read it (TR-22)",
    "SEC029": "the product's login takes on service_role to find out who is asking",
    "PERF003": "kill_switches_everywhere: never more than a handful of rows",
    "VIEW002": "play_precedents reads as the asker: rows of another tenant are not there to leak",
}  # fmt: skip


def pgrls(url: str, *words: str) -> dict:
    command = [
        str(Path(sys.executable).with_name("pgrls")),
        *words,
        "--database-url",
        url,
        "--format",
        "json",
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(said.stdout)


def test_pgrls_finds_nothing_that_is_not_known_and_nothing_known_is_gone(ours: str) -> None:
    found = {one["rule_id"]: one["location"] for one in pgrls(ours, "lint")["violations"]}
    assert {rule: at for rule, at in found.items() if rule not in PGRLS_IGNORED} == {}
    assert PGRLS_IGNORED.keys() - found.keys() == set()


def test_pgrls_proves_that_nobody_who_is_not_signed_in_reads_a_row(ours: str) -> None:
    summary = pgrls(ours, "verify", "--mode", "anon")["summary"]
    assert summary["tables"] >= 31
    assert summary["isolated"] == summary["tables"]


@pytest.mark.skipif(not debian.there(), reason=debian.MISSING)
def test_on_debians_server_bodies_are_checked_and_the_schema_is_clean_too() -> None:
    """PostgreSQL 15 with plpgsql_check: the one rule that the embedded server cannot check."""
    with (
        tempfile.TemporaryDirectory(prefix="aicp-debian-") as folder,
        debian.server(Path(folder)) as url,
    ):
        apply(url, password="made-up")
        assert check(url, login=LOGIN).changes == []
        with psycopg.connect(url) as conn:
            report = lint(conn, login=LOGIN)
            assert (report.findings, report.unchecked) == ([], {})
            assert report.as_dict()["clean"] is True
            conn.execute(PLANTED)
            broken = [f for f in lint(conn, login=LOGIN).findings if f.rule == "function-broken"]
            assert [f.object for f in broken] == [FOUND["function-broken"]]
            assert "missing_column" in broken[0].detail
