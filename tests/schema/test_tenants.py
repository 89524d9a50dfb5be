"""Who sees and changes what: every role, table, command and tenant, from the catalog (TR-22, I-10).

A new table is in the matrix by itself. Its rows are made up here, without the constraints that would
refuse them; privileges and policies are those of the schema file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest
from psycopg import errors, sql

from aicp.schema.apply import LOGIN
from conftest import Cluster

OWN, OTHER = UUID(int=1), UUID(int=2)
COMMANDS = ("select", "insert", "update", "delete")

# What a right of `authenticated` to delete, and of anybody past row security, is for.
DELETES = {"plays": "planning again replaces them", "inspections": "planning again replaces them"}
DEFINERS = {
    "app.enqueue": "a job commits with its rows, by the queue's own function",
    "app.live_workers": "a number for the health page",
    "app.make_days": "partitions of days, which only the owner of their table can make",
    "app.mark_late": "notes that some 5 minutes are to be counted again, and nothing of any tenant",
}
# What is counted from the events, and counted again.
COUNTED = {"telemetry_rollup_5m", "telemetry_rollup_1h"}
# Rows that a view shows only after this was done to them.
FILL = {
    "play_precedents": "update missions set status = 'completed';"
    ' update plays set selected_at = now(), play = \'{"id": "win"}\''
}


@dataclass(frozen=True)
class Table:
    name: str
    tenant: str  # the column that says whose a row is
    columns: tuple[str, ...]
    granted: dict[str, frozenset[str]]  # role -> commands

    @property
    def sql(self) -> sql.Identifier:
        return sql.Identifier("public", self.name)


@pytest.fixture(scope="module")
def owner(cluster: Cluster) -> Iterator[psycopg.Connection]:
    """The owner of a database in which each table has one row of each of two tenants."""
    name = cluster.clone()
    with psycopg.connect(cluster.owner_url(name), autocommit=True) as conn:
        _loosen(conn)
        for table in tables(conn):
            for number, tenant in enumerate((OWN, OTHER), start=1):
                _fill(conn, table, number, tenant)
        for statement in FILL.values():
            conn.execute(statement)
        conn.execute("set session_replication_role = origin")
        yield conn
    cluster.drop(name)


@pytest.fixture(scope="module")
def product(cluster: Cluster, owner: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """The product's login on that database."""
    with psycopg.connect(cluster.url(owner.info.dbname)) as conn:
        yield conn


def tables(conn: psycopg.Connection) -> list[Table]:
    """Every table of the exposed schema. A partition is reached by its table only: see below."""
    found = conn.execute(
        "select c.oid, c.relname, array_agg(a.attname::text order by a.attnum) from pg_class c"
        " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition"
        " group by 1, 2 order by 2"
    ).fetchall()
    return [
        Table(name, "id" if name == "tenants" else "tenant_id", tuple(columns),
              {role: _granted(conn, role, oid) for role in ("anon", "authenticated", "service_role", LOGIN)})
        for oid, name, columns in found
    ]  # fmt: skip


def _granted(conn: psycopg.Connection, role: str, oid: int) -> frozenset[str]:
    # The login inherits nothing, so what counts is what it was given itself.
    rows = conn.execute(
        "select lower(a.privilege_type) from pg_class c, aclexplode(c.relacl) a"
        " where c.oid = %s and a.grantee in (0, (select oid from pg_roles where rolname = %s))",
        (oid, role),
    ).fetchall()
    return frozenset(row[0] for row in rows)


def _loosen(conn: psycopg.Connection) -> None:
    """Without checks, NOT NULL, foreign keys and triggers; with a partition for whatever comes."""
    conn.execute("set session_replication_role = replica")
    for table, part in conn.execute(
        "select conrelid::regclass::text, 'constraint ' || quote_ident(conname) from pg_constraint"
        " where contype = 'c' and connamespace = 'public'::regnamespace and conrelid <> 0 and conislocal"
    ).fetchall():
        conn.execute(f"alter table {table} drop {part}")
    for table, column in conn.execute(
        "select c.oid::regclass::text, quote_ident(a.attname) from pg_class c join pg_attribute a on a.attrelid = c.oid"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition"
        " and a.attnum > 0 and a.attnotnull and a.attidentity = '' and not exists ("
        " select from pg_index i where i.indrelid = c.oid and i.indisprimary and a.attnum = any (i.indkey))"
    ).fetchall():
        conn.execute(f"alter table {table} alter {column} drop not null")
    for (name,) in conn.execute(
        "select partrelid::regclass::text from pg_partitioned_table where partdefid = 0"
    ).fetchall():
        conn.execute(f"create table {name}_rest partition of {name} default")


def _fill(conn: psycopg.Connection, table: Table, number: int, tenant: UUID) -> None:
    """A row of a tenant: its own id, something else than the other's in every key, null elsewhere."""
    types = dict(
        conn.execute(
            "select a.attname::text, y.typname from pg_attribute a join pg_type y on y.oid = a.atttypid"
            " where a.attrelid = %s::regclass and a.attnum > 0 and a.attgenerated = '' and a.attidentity = ''"
            " and exists (select from pg_index i where i.indrelid = a.attrelid and i.indisprimary"
            "             and a.attnum = any (i.indkey))",
            (f"public.{table.name}",),
        ).fetchall()
    )
    values = {
        "uuid": UUID(int=100 + number),
        "timestamptz": f"2026-11-{number:02}",
        "date": f"2026-11-{number:02}",
    }
    row = {name: values.get(kind, str(number)) for name, kind in types.items()} | {
        table.tenant: tenant
    }
    conn.execute(
        sql.SQL("insert into {} ({}) values ({})").format(
            table.sql, sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Literal, row.values()))
        )
    )  # fmt: skip


def attempt(
    conn: psycopg.Connection,
    role: str,
    claims: UUID | None,
    command: str,
    table: Table,
    whose: UUID,
) -> str:
    """What became of a command on one tenant's row: "through", "nothing" or "refused"."""
    mine = sql.SQL("{} = {}").format(sql.Identifier(table.tenant), sql.Literal(whose))
    text = {
        "select": sql.SQL("select 1 from {t} where {mine}"),
        "update": sql.SQL("update {t} set {c} = {c} where {mine}"),
        "delete": sql.SQL("delete from {t} where {mine}"),
        "insert": sql.SQL("insert into {t} ({c}) values ({whose})"),
    }[command].format(
        t=table.sql, mine=mine, c=sql.Identifier(table.tenant), whose=sql.Literal(whose)
    )
    with conn.transaction(force_rollback=True):
        told = json.dumps({"tenant_id": str(claims)}) if claims else ""
        if role != LOGIN:
            conn.execute(
                "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)",
                (role, told),
            )
        try:
            return "through" if conn.execute(text).rowcount else "nothing"
        except errors.InsufficientPrivilege as error:
            return "nothing" if "row-level security" in str(error) else "refused"
        except errors.IntegrityError:  # past the policies, stopped by a key
            return "through"


def test_signed_in_people_reach_their_own_tenants_rows_and_no_others(
    owner: psycopg.Connection, product: psycopg.Connection
) -> None:
    """Own, another's and no tenant at all; a command that was granted reaches exactly the own rows."""
    wrong, tried = [], 0
    for table in tables(owner):
        for command in COMMANDS:
            may = command in table.granted["authenticated"]
            for claims, whose, reached in (
                (OWN, OWN, True),
                (OWN, OTHER, False),
                (None, OWN, False),
            ):
                expected = "refused" if not may else "through" if reached else "nothing"
                became = attempt(product, "authenticated", claims, command, table, whose)
                tried += 1
                if became != expected:
                    wrong.append((table.name, command, claims, whose, became, expected))
    assert wrong == []
    assert tried >= 31 * 12


@pytest.mark.parametrize("role", ["anon", LOGIN])
def test_who_is_not_signed_in_and_the_login_by_itself_are_refused_everything(
    owner: psycopg.Connection, product: psycopg.Connection, role: str
) -> None:
    reached = [
        (table.name, command)
        for table in tables(owner)
        for command in COMMANDS
        if attempt(owner if role == "anon" else product, role, OWN, command, table, OWN)
        != "refused"
    ]
    assert reached == []


def test_the_service_role_deletes_nothing_and_changes_no_record(
    owner: psycopg.Connection, product: psycopg.Connection
) -> None:
    """It sees across tenants by its attribute, so what it was granted is all that binds it."""
    for table in tables(owner):
        for command in COMMANDS:
            may = command in table.granted["service_role"]
            became = attempt(product, "service_role", None, command, table, OTHER)
            assert became == ("through" if may else "refused"), (table.name, command)
        assert ("delete" in table.granted["service_role"]) == (table.name in COUNTED), table.name


def test_only_what_planning_replaces_may_be_deleted(owner: psycopg.Connection) -> None:
    assert {
        t.name for t in tables(owner) if "delete" in t.granted["authenticated"]
    } == DELETES.keys()


def test_nobody_hands_a_row_to_another_tenant(
    owner: psycopg.Connection, product: psycopg.Connection
) -> None:
    for table in tables(owner):
        if "update" not in table.granted["authenticated"]:
            continue
        move = sql.SQL("update {} set {} = {}").format(
            table.sql, sql.Identifier(table.tenant), sql.Literal(OTHER)
        )
        with product.transaction(force_rollback=True):
            _claim(product, OWN)
            with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
                product.execute(move)


def test_every_view_shows_its_asker_the_own_tenants_rows_only(
    owner: psycopg.Connection, product: psycopg.Connection
) -> None:
    views = owner.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('v', 'm')"
    ).fetchall()
    assert views
    for (view,) in views:
        ask = sql.SQL("select distinct tenant_id from {}").format(sql.Identifier("public", view))
        assert {row[0] for row in owner.execute(ask)} == {OWN, OTHER}, f"fill {view} in FILL"
        for claims, seen in ((OWN, {OWN}), (OTHER, {OTHER}), (None, set())):
            with product.transaction(force_rollback=True):
                _claim(product, claims)
                assert {row[0] for row in product.execute(ask)} == seen, view


def test_a_partition_is_open_to_nobody_by_its_own_name(owner: psycopg.Connection) -> None:
    """Policies of a table bind who asks the table; whoever could ask its partition would be past them."""
    open_ = owner.execute(
        "select c.relname, r.rolname from pg_class c, pg_roles r where c.relispartition and c.relkind in ('r', 'p')"
        " and r.rolname in ('anon', 'authenticated', 'service_role', %s)"
        " and has_table_privilege(r.oid, c.oid, 'select, insert, update, delete, truncate')",
        (LOGIN,),
    ).fetchall()
    assert open_ == []


def test_functions_with_their_owners_rights_are_few_and_known(owner: psycopg.Connection) -> None:
    found = owner.execute(
        "select n.nspname || '.' || p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where p.prosecdef and n.nspname in ('app', 'public')"
    ).fetchall()
    assert {name for (name,) in found} == DEFINERS.keys()


def test_a_new_table_without_a_policy_fails_the_matrix(
    owner: psycopg.Connection, product: psycopg.Connection
) -> None:
    """The matrix can fail: a table that only has its grants lets another tenant's row through."""
    owner.execute(
        "create table public.forgotten (tenant_id uuid); grant select on public.forgotten to authenticated"
    )
    try:
        table = next(t for t in tables(owner) if t.name == "forgotten")
        _fill(owner, table, 2, OTHER)
        assert attempt(product, "authenticated", OWN, "select", table, OTHER) == "through"
    finally:
        owner.execute("drop table public.forgotten")


def _claim(conn: psycopg.Connection, tenant: UUID | None) -> None:
    told = json.dumps({"tenant_id": str(tenant)}) if tenant else ""
    conn.execute(
        "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', %s, true)",
        (told,),
    )
