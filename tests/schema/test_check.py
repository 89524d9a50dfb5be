"""A live database held against the schema file: shadow, lock file, roles, days, Supabase (OP-3, PC-4)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from aicp.errors import UpstreamDown
from aicp.schema import apply as applying
from aicp.schema import check as checking
from aicp.schema.apply import LOGIN, apply
from aicp.schema.check import Report, check
from aicp.schema.diff import compare, lasting, lines, unchecked
from aicp.schema.shadow import expected
from aicp.schema.snapshot import Snapshot, fingerprint, snapshot
from conftest import Cluster
from schema.drifts import BASE


@pytest.fixture
def live(cluster: Cluster) -> Iterator[str]:
    """The owner's URL of a database with our schema."""
    name = cluster.clone()
    yield cluster.owner_url(name)
    cluster.drop(name)


def change(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement)


def told(report: Report) -> list[str]:
    return [line for line in lines(report.changes) if not line.startswith(" ")]


def test_what_was_applied_is_clean_and_leaves_no_shadow_behind(live: str) -> None:
    report = check(live, login=LOGIN)
    assert (told(report), report.against, report.notes, report.unchecked) == ([], "shadow", [], [])
    assert len(report.fingerprint) == 64
    with psycopg.connect(live) as conn:
        left = conn.execute("select datname from pg_database where datname like 'aicp_shadow%'")
        assert left.fetchall() == []


def test_a_shadow_that_was_left_by_a_killed_process_is_cleared_away(live: str) -> None:
    change(live, "create database aicp_shadow_1_dead")
    check(live, login=LOGIN)
    with psycopg.connect(live) as conn:
        assert (
            conn.execute("select 1 from pg_database where datname like 'aicp_sh%'").fetchone()
            is None
        )


def test_drift_is_a_readable_list(live: str) -> None:
    change(
        live,
        "alter policy missions_read on missions using (true)",
        "create index by_hand on missions (title)",
        "drop trigger tool_calls_keep on tool_calls",
        "alter function app.tenant_id() volatile",
        "drop table holds",
        "grant delete on plans to authenticated",
    )
    assert list(lines(check(live, login=LOGIN).changes)) == [
        "~ function app.tenant_id()",
        "    definition:",
        "      - STABLE",
        "- table public.holds",
        "+ index public.missions.by_hand",
        "~ policy public.missions.missions_read",
        "    using: (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) → true",
        "~ table public.plans",
        "    acl authenticated: INSERT SELECT → DELETE INSERT SELECT",
        "- trigger public.tool_calls.tool_calls_keep",
    ]  # fmt: skip


def test_a_role_that_gained_a_right_is_drift_though_no_dump_holds_it(live: str) -> None:
    try:
        change(live, f"alter role {LOGIN} bypassrls", "alter role authenticated createdb")
        assert list(lines(check(live, login=LOGIN).changes)) == [
            "~ role authenticated", "    createdb: False → True",
            "~ role login", "    bypassrls: False → True",
        ]  # fmt: skip
    finally:
        change(live, f"alter role {LOGIN} nobypassrls", "alter role authenticated nocreatedb")


def test_where_no_shadow_can_be_made_the_lock_file_serves(live: str, cluster: Cluster) -> None:
    """The product's own login may not make databases, yet the catalog is open to it."""
    name = live.rpartition("/")[2]
    report = check(cluster.url(name), login=LOGIN)
    assert (told(report), report.against) == ([], "lock")
    assert "permission denied to create database" in report.notes[0]
    change(live, "drop view play_precedents")
    assert told(check(cluster.url(name), login=LOGIN)) == ["- view public.play_precedents"]


def test_a_lock_file_of_another_server_says_so(live: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = checking.read_lock() | {"server_version": 15}
    monkeypatch.setattr(checking, "read_lock", lambda: lock)
    report = check(live, login=LOGIN, against="lock")
    assert "the lock file is of PostgreSQL 15" in report.notes[1]


def test_no_server_is_a_sentence() -> None:
    with pytest.raises(UpstreamDown, match="does not answer"):
        check("postgresql://nobody@127.0.0.1:1/none", login=LOGIN)


# Days ---------------------------------------------------------------------------------------

DAY = "create table shop.marks_{0} partition of shop.marks for values from ('{1}') to ('{2}')"


@pytest.fixture
def shop(cluster: Cluster) -> Iterator[str]:
    name = cluster.clone("template0")
    with psycopg.connect(cluster.owner_url(name)) as conn:
        conn.execute(BASE)
    yield cluster.owner_url(name)
    cluster.drop(name)


def look(url: str) -> Snapshot:
    with psycopg.connect(url) as conn:
        return snapshot(conn)


def test_a_day_that_the_product_made_is_no_drift_and_an_altered_one_is(shop: str) -> None:
    whole = look(shop)
    change(
        shop,
        DAY.format("20261128", "2026-11-28", "2026-11-29"),
        DAY.format("20261129", "2026-11-29", "2026-11-30"),
    )
    assert compare(whole, look(shop)) == []
    assert fingerprint(lasting(look(shop))) == fingerprint(lasting(whole))
    change(
        shop,
        "create index by_hand on shop.marks_20261129 (at)",
        "grant select on shop.marks_20261129 to anon",
        "alter table shop.marks_20261128 alter n set default 7",
    )
    assert [(c.sign, c.kind, c.name, *c.fields) for c in compare(whole, look(shop))] == [
        ("~", "column", "shop.marks_20261128.n", "default"),
        ("~", "table", "shop.marks_20261129", "acl"),
        ("+", "index", "shop.marks_20261129.by_hand"),
    ]


def test_a_partition_that_is_not_the_day_in_its_name_is_drift(shop: str) -> None:
    whole = look(shop)
    change(
        shop,
        DAY.format("20261128", "2026-11-28", "2026-12-28"),
        DAY.format("20269999", "2026-12-28", "2026-12-29"),
        DAY.format("old", "1999-01-01", "1999-01-02"),
        "create table shop.marks_20261130 (id int)",
    )
    assert {(c.sign, c.name) for c in compare(whole, look(shop))} == {
        ("+", f"shop.marks_{name}") for name in ("20261128", "20269999", "old", "20261130")
    }


MARKS = """
create table public.marks (at timestamptz not null, tenant_id uuid, primary key (at)) partition by range (at);
alter table public.marks enable row level security, force row level security;
"""


def test_the_shadow_knows_what_a_day_looks_like(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A schema file with a further table by days: the expected day is made as the product makes it."""
    # The file itself makes a first day, which no lock file may hold.
    first = "select app.make_partition('public.marks', '2026-11-27');"
    text = applying.schema_sql() + MARKS + first
    monkeypatch.setattr(applying, "schema_sql", lambda: text)
    name = cluster.clone("template0")
    url = cluster.owner_url(name)
    try:
        apply(url)
        kept = check(url, login=LOGIN).fingerprint
        days = {key for key in expected(url, login=LOGIN) if key.startswith("table: public.marks_")}
        assert days == {"table: public.marks_20000101"}
        for day in ("2026-11-28", "2026-11-29"):
            change(url, f"select app.make_partition('public.marks', '{day}')")
        report = check(url, login=LOGIN)
        assert (told(report), report.fingerprint) == ([], kept)
        change(
            url,
            "alter table public.marks_20261129 disable row level security, add check (at > '2020-01-01')",
        )
        found = {(c.sign, c.kind, c.name) for c in check(url, login=LOGIN).changes}
        assert found == {
            ("+", "constraint", "public.marks_20261129.marks_20261129_at_check"),
            ("~", "table", "public.marks_20261129"),
        }
    finally:
        cluster.drop(name)


def test_what_is_not_compared_inside_is_said(shop: str) -> None:
    assert unchecked(look(shop), look(shop)) == ["unmanaged statistics object: shop.together"]


# Supabase -----------------------------------------------------------------------------------

# What Supabase puts beside us: its administrator, schemas, defaults and publication. Not the real thing:
# the names and rights its documentation gives.
PLATFORM = """
create schema auth; create table auth.users (id uuid primary key, email text);
create schema extensions; create extension pg_trgm schema extensions;
create schema storage; create table storage.objects (id uuid primary key, owner uuid);
grant usage on schema public to anon, authenticated, service_role;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
create publication supabase_realtime;
"""


@pytest.fixture
def supabase(cluster: Cluster) -> Iterator[str]:
    """A database like a fresh one of Supabase, with our schema applied."""
    name = cluster.clone("template0")
    url = cluster.owner_url(name)
    change(url, "create role supabase_admin", PLATFORM)
    apply(url)
    yield url
    cluster.drop(name)
    change(cluster.embedded.owner_url, "drop role supabase_admin")


def test_on_supabase_its_own_schemas_are_left_out_and_its_defaults_open_nothing(
    supabase: str,
) -> None:
    report = check(supabase, login=LOGIN)
    assert (report.platform, told(report)) == (True, [])
    change(supabase, "create table auth.more (id int)", "grant select on plans to anon")
    assert told(check(supabase, login=LOGIN)) == ["~ table public.plans"]
    everything = told(check(supabase, login=LOGIN, platform=False))
    assert {"+ schema auth", "+ schema storage", "+ extension pg_trgm"} <= set(everything)


def test_a_report_is_json(live: str) -> None:
    change(live, "drop view play_precedents")
    told_as = json.loads(json.dumps(check(live, login=LOGIN).as_dict()))
    assert told_as["clean"] is False
    assert told_as["changes"] == [
        {"change": "-", "kind": "view", "name": "public.play_precedents", "fields": {}}
    ]
