"""The one schema file: applied once, row security on everything, invariants as constraints (OP-3, I-1, I-10)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from aicp.errors import Conflict, UpstreamDown
from aicp.kernel.db import Actor
from aicp.schema.apply import apply, schema_sha256
from conftest import Cluster
from flight import Flight, land, take_off

DELETABLE = {"plays", "inspections"}
COMMANDS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}


# Applying ---------------------------------------------------------------------------------


@pytest.fixture
def empty(cluster: Cluster) -> Iterator[str]:
    name = cluster.clone("template0")
    yield cluster.owner_url(name)
    cluster.drop(name)


def test_the_schema_is_applied_once_and_again_changes_nothing(empty: str) -> None:
    assert apply(empty) is True
    assert apply(empty) is False
    with psycopg.connect(empty) as conn:
        assert conn.execute("select schema_sha256 from app.meta").fetchall() == [(schema_sha256(),)]


def test_two_appliers_at_once_make_one_schema(empty: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda _: apply(empty), range(2)))
    assert sorted(made) == [False, True]


def test_a_database_of_another_schema_file_is_refused_and_untouched(empty: str) -> None:
    apply(empty)
    with psycopg.connect(empty) as conn:
        conn.execute("update app.meta set schema_sha256 = 'another'")
    with pytest.raises(Conflict) as caught:
        apply(empty)
    assert caught.value.reason_code == "schema_drift"
    assert "empty database" in caught.value.hint
    with psycopg.connect(empty) as conn:
        assert conn.execute("select schema_sha256 from app.meta").fetchall() == [("another",)]


def test_a_schema_that_fails_half_way_leaves_nothing(empty: str) -> None:
    with psycopg.connect(empty) as conn:
        conn.execute("create table public.missions (mine int)")
    with pytest.raises(UpstreamDown, match="already exists"):
        apply(empty)
    with psycopg.connect(empty) as conn:
        left = conn.execute(
            "select nspname from pg_namespace where nspname in ('app', 'queue')"
        ).fetchall()
    assert left == []


def test_no_server_is_a_sentence() -> None:
    with pytest.raises(UpstreamDown, match="could not be applied"):
        apply("postgresql://nobody@127.0.0.1:1/none")


# Row security, from the catalog -----------------------------------------------------------


@pytest.fixture(scope="module")
def tables(database_url: str, cluster: Cluster) -> dict[str, dict[str, Any]]:
    """Every public table: its flags, what `authenticated` may do, and its policies' commands."""
    with psycopg.connect(cluster.owner_url(database_url.rsplit("/", 1)[1])) as conn:
        found = conn.execute(
            "select c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity from pg_class c"
            " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
        ).fetchall()
        return {
            name: {"enabled": on, "forced": forced, **_rights(conn, oid)}
            for oid, name, on, forced in found
        }


def _rights(conn: psycopg.Connection, oid: int) -> dict[str, set[str]]:
    granted = {
        command
        for command in COMMANDS.values()
        if conn.execute(
            "select has_table_privilege('authenticated', %s::oid, %s)", (oid, command)
        ).fetchone()
        == (True,)
    }
    policies = conn.execute(
        "select polcmd::text from pg_policy where polrelid = %s and"
        " (select oid from pg_roles where rolname = 'authenticated') = any(polroles)",
        (oid,),
    ).fetchall()
    anon = conn.execute(
        "select has_table_privilege('anon', %s::oid, 'select, insert, update, delete')", (oid,)
    ).fetchone()
    return {
        "granted": granted, "policies": {COMMANDS[row[0]] for row in policies},
        "anon": {"anything"} if anon == (True,) else set(),
    }  # fmt: skip


def test_every_table_forces_row_security_and_has_a_policy_for_each_granted_command(
    tables: dict[str, dict[str, Any]],
) -> None:
    assert len(tables) >= 21
    wrong = {
        name: found
        for name, found in tables.items()
        if not (found["enabled"] and found["forced"])
        or not found["granted"] <= found["policies"]
        or found["anon"]
    }
    assert wrong == {}


def test_only_plays_and_inspections_may_be_deleted_and_secrets_not_even_read(
    tables: dict[str, dict[str, Any]],
) -> None:
    assert {name for name, found in tables.items() if "DELETE" in found["granted"]} == DELETABLE
    assert tables["credentials"]["granted"] == set()
    assert tables["plans"]["granted"] == {"SELECT", "INSERT"}
    assert tables["approval_decisions"]["granted"] == {"SELECT", "INSERT"}
    assert tables["telemetry_events"]["granted"] == {"SELECT", "INSERT"}


def test_views_look_with_the_askers_eyes_and_functions_pin_their_search_path(
    tables: dict[str, dict[str, Any]], database_url: str, cluster: Cluster
) -> None:
    with psycopg.connect(cluster.owner_url(database_url.rsplit("/", 1)[1])) as conn:
        views = conn.execute(
            "select relname, coalesce(reloptions, '{}') from pg_class where relnamespace = 'public'::regnamespace"
            " and relkind in ('v', 'm')"
        ).fetchall()
        loose = conn.execute(
            "select proname from pg_proc where pronamespace = 'app'::regnamespace and"
            " not exists (select from unnest(coalesce(proconfig, '{}')) s where s like 'search_path=%')"
        ).fetchall()
        open_ = conn.execute(
            "select proname from pg_proc where pronamespace = 'app'::regnamespace"
            " and has_function_privilege('anon', oid, 'execute')"
        ).fetchall()
    assert views
    assert [name for name, options in views if "security_invoker=true" not in options] == []
    assert (loose, open_) == ([], [])


# Row security, by trying ------------------------------------------------------------------


@pytest.fixture(scope="module")
def worlds(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Flight, Flight]]:
    """A tenant whose mission left a row in almost every table, and a stranger, in a database of their own."""
    name = cluster.clone()
    flown = take_off(
        tmp_path_factory.mktemp("s") / "home", cluster.url(name), cluster.owner_url(name)
    )
    other = take_off(tmp_path_factory.mktemp("s") / "strange", cluster.url(name))
    mission = flown.to_execute()
    flown.work()
    flown.undo(mission)
    yield flown, other
    land(flown)
    land(other)
    cluster.drop(name)


@contextmanager
def acting(flight: Flight, actor: Actor) -> Iterator[Any]:
    """A transaction as somebody that leaves nothing behind."""
    with flight.app.db.transaction(actor) as conn:
        yield conn
        conn.rollback()


def count(conn: Any, table: str) -> int:
    return conn.execute(
        sql.SQL("select count(*) from public.{}").format(sql.Identifier(table))
    ).fetchone()[0]


def test_a_stranger_sees_changes_and_deletes_no_row_of_any_table(
    worlds: tuple[Flight, Flight], tables: dict[str, dict[str, Any]]
) -> None:
    """I-10, TR-22."""
    home, strange = worlds
    mine, theirs = home.people["riley"], strange.people["riley"]
    seen: set[str] = set()
    for name, found in sorted(tables.items()):
        column = "id" if name == "tenants" else "tenant_id"
        table = sql.SQL("public.{}").format(sql.Identifier(name))
        where = sql.SQL(" where {} = {}").format(
            sql.Identifier(column), sql.Literal(mine.tenant_id)
        )
        if "SELECT" in found["granted"]:
            with acting(home, mine) as conn:
                seen |= {name} if count(conn, name) else set()
            with acting(strange, theirs) as conn:
                hidden = conn.execute(sql.SQL("select count(*) from ") + table + where).fetchone()
                assert hidden == (0,), name
        for command, statement in (
            ("UPDATE", sql.SQL("update {} set {c} = {c}").format(table, c=sql.Identifier(column))),
            ("DELETE", sql.SQL("delete from {}").format(table)),
        ):
            if command in found["granted"]:
                with acting(strange, theirs) as conn:
                    assert conn.execute(statement + where).rowcount == 0, name
    assert seen >= {
        "missions",
        "plans",
        "approvals",
        "tool_calls",
        "holds",
        "undo_steps",
        "bundles",
    }


def test_nobody_writes_a_row_into_another_tenant(
    worlds: tuple[Flight, Flight], tables: dict[str, dict[str, Any]]
) -> None:
    home, strange = worlds
    mine, theirs = home.people["riley"], strange.people["riley"]
    with psycopg.connect(home.owner_url) as conn:
        rows = {
            name: conn.execute(
                sql.SQL("select to_jsonb(t) from public.{} t where tenant_id = %s limit 1").format(sql.Identifier(name)),
                (mine.tenant_id,),
            ).fetchone()
            for name, found in tables.items()
            if "INSERT" in found["granted"]
        }  # fmt: skip
    tried = {name for name, row in rows.items() if row}
    assert len(tried) >= 14
    for name in sorted(tried):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            _put(strange, theirs, name, rows[name])


def _put(flight: Flight, actor: Actor, table: str, row: Any) -> None:
    with acting(flight, actor) as conn:
        conn.execute(
            sql.SQL("insert into public.{t} overriding system value select * from jsonb_populate_record(null::public.{t}, %s::jsonb)")
            .format(t=sql.Identifier(table)), (psycopg.types.json.Jsonb(row[0]),),
        )  # fmt: skip


def test_nobody_moves_a_row_to_another_tenant(worlds: tuple[Flight, Flight]) -> None:
    home, strange = worlds
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        _move(home, strange.people["riley"].tenant_id)


def _move(flight: Flight, to: Any) -> None:
    with acting(flight, flight.people["riley"]) as conn:
        conn.execute("update missions set tenant_id = %s", (to,))


def test_without_claims_nothing_is_seen_and_without_a_role_nothing_is_allowed(
    worlds: tuple[Flight, Flight], tables: dict[str, dict[str, Any]]
) -> None:
    home, _ = worlds
    readable = [name for name, found in tables.items() if "SELECT" in found["granted"]]
    for name in readable:
        with psycopg.connect(home.url) as conn:
            conn.execute("set role authenticated")
            assert count(conn, name) == 0, name
        with psycopg.connect(home.url) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            count(conn, name)


# Invariants as constraints ----------------------------------------------------------------

COPY: dict[str, tuple[str, str, type[psycopg.Error]]] = {
    "two acknowledgements by one person (TR-7)": (
        "safeguard_acks",
        "brief_version = 99, capacity = case capacity when 'owner' then 'governance' else 'owner' end",
        psycopg.errors.UniqueViolation,
    ),
    "two acknowledgements of one capacity (TR-7)": (
        "safeguard_acks", "person_id = {lee}", psycopg.errors.UniqueViolation,
    ),
    "two decisions by one person (TR-10)": (
        "approval_decisions", "capacity = 'governance'", psycopg.errors.UniqueViolation,
    ),
    "two decisions in one capacity (TR-10)": (
        "approval_decisions", "person_id = {lee}", psycopg.errors.UniqueViolation,
    ),
    "a rejection without its reason": (
        "approval_decisions", "person_id = {lee}, capacity = 'lead', decision = 'rejected', rationale = ''",
        psycopg.errors.CheckViolation,
    ),
    "a second open approval": (
        "approvals", "id = 'a-new', status = 'requested', consumed_at = null", psycopg.errors.UniqueViolation,
    ),
    "an approval used though not approved": (
        "approvals", "id = 'a-new', status = 'rejected'", psycopg.errors.CheckViolation,
    ),
    "an approval of a plan that is not there": (
        "approvals", "id = 'a-new', digest = repeat('0', 64)", psycopg.errors.ForeignKeyViolation,
    ),
    "a mutating call without an approval (I-1)": (
        "tool_calls", "key = 'k-new', approval_id = null", psycopg.errors.CheckViolation,
    ),
    "one call twice (I-8)": ("tool_calls", "seq = 1", psycopg.errors.UniqueViolation),
    "an intent that is finished": (
        "tool_calls", "key = 'k-new', state = 'intent'", psycopg.errors.CheckViolation,
    ),
    "two selected plays": (
        "plays", "rank = rank % 3 + 1, selected_at = now()", psycopg.errors.UniqueViolation,
    ),
    "a second undo under way": (
        "undo_runs", "id = 'u-new', state = 'running'", psycopg.errors.UniqueViolation,
    ),
    "a mission in no stage": ("missions", "id = 'm-new', current_stage = 'Nowhere'", psycopg.errors.CheckViolation),
    "a mission of somebody else's person": (
        "missions", "id = 'm-new', owner_id = {stranger}", psycopg.errors.ForeignKeyViolation,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", COPY)
def test_the_database_itself_refuses(worlds: tuple[Flight, Flight], case: str) -> None:
    """A copy of a real row with one thing wrong, written as the owner of the tables."""
    table, change, error = COPY[case]
    home, strange = worlds
    people = {"lee": home.people["lee"].person_id, "stranger": strange.people["riley"].person_id}
    with psycopg.connect(home.owner_url) as conn:
        conn.execute("select set_config('session_replication_role', 'origin', true)")
        conn.execute(sql.SQL("create temp table copy as select * from public.{} where tenant_id = %s limit 1")
                     .format(sql.Identifier(table)), (home.people["riley"].tenant_id,))  # fmt: skip
        if "brief_version = 99" in change:
            conn.execute("update copy set brief_version = 99")
            conn.execute(f"insert into public.{table} select * from copy")
        if table == "undo_runs":
            conn.execute("update copy set id = 'u-first', state = 'running'")
            conn.execute("insert into undo_runs overriding system value select * from copy")
        if table == "approvals" and "requested" in change:
            conn.execute("update copy set id = 'a-first', status = 'requested', consumed_at = null")
            conn.execute("insert into approvals overriding system value select * from copy")
        changed = change.format(**{k: f"'{v}'" for k, v in people.items()})
        conn.execute(f"update copy set {changed}")
        with pytest.raises(error):
            conn.execute(f"insert into public.{table} overriding system value select * from copy")
        conn.rollback()


def test_a_finished_journal_row_never_changes_again(worlds: tuple[Flight, Flight]) -> None:
    home, _ = worlds
    for change in ("error = 'rewritten'", "state = 'failed'", "args = '{}'", "outcome = null"):
        with psycopg.connect(home.owner_url) as conn:
            with pytest.raises(psycopg.errors.RestrictViolation, match="is final"):
                conn.execute(f"update tool_calls set {change} where state = 'done'")
            conn.rollback()


def test_an_intent_may_only_get_its_result_and_an_unknown_one_may_be_settled(
    worlds: tuple[Flight, Flight],
) -> None:
    home, _ = worlds
    tenant = home.people["riley"].tenant_id
    with psycopg.connect(home.owner_url) as conn:
        conn.execute(
            "create temp table copy as select * from tool_calls where tenant_id = %s limit 1",
            (tenant,),
        )
        conn.execute(
            "update copy set id = 0, key = 'k-open', state = 'intent', finished_at = null, outcome = null"
        )
        conn.execute("insert into tool_calls overriding system value select * from copy")
        for column in (
            "args = '{}'",
            "tool = 'x@y'",
            "account = 'z'",
            "seq = 99",
            "before = '{}'",
            "key = 'k'",
        ):
            with (
                pytest.raises(psycopg.errors.RestrictViolation, match="only get its result"),
                conn.transaction(),
            ):
                conn.execute(f"update tool_calls set {column} where id = 0")
        for state in ("unknown", "done"):
            conn.execute(
                "update tool_calls set state = %s, finished_at = now() where id = 0", (state,)
            )
        with pytest.raises(psycopg.errors.RestrictViolation, match="is final"), conn.transaction():
            conn.execute("update tool_calls set state = 'unknown' where id = 0")
        conn.rollback()
