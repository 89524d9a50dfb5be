"""Tables: what a file may look like, what a column holds, which rows are meant."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicp.toolkits.model import Call, UndoStatus, UndoTier
from aicp.toolkits.providers import open_provider
from aicp.toolkits.providers.base import Connection, Provider, ProviderError
from aicp.toolkits.providers.local import csv_sheet
from aicp.toolkits.providers.local.kinds import kind_of
from toolkits.worlds import Outside, apply


def table(path: Path, **config: str) -> Provider:
    return open_provider(
        Connection("table", path.name, {"path": str(path), **config}, path.parent / "work")
    )


def csv_of(folder: Path, data: bytes) -> Provider:
    (folder / "t.csv").write_bytes(data)
    return table(folder / "t.csv")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\r\n", "empty"),
        (b"id,name\n1,a\n2,b,c\n", "line 3 has 3 cells, the header has 2"),
        (b'id,name\n1,"a\n', "line 2 cannot be read"),
        (b"id,id\n1,2\n", "column 'id' twice"),
        (b"id,,x\n1,2,3\n", "column 2 has no name"),
        (b"1,kim@acme.example\n2,x@y.example\n", "looks like data"),
        (b"id,name\n1,a\x00\n", "line 2 holds a NUL"),
        ("id,name\n1,a\n".encode("utf-16"), "NUL"),
        (b"a,b\nx,1\nx,1\n", "no column whose cells are all filled and different"),
    ],
)
def test_a_broken_csv_is_refused_with_its_line_and_a_hint(
    data: bytes, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ProviderError, match=words) as refused:
        csv_of(tmp_path, data).describe()
    assert refused.value.hint
    assert (tmp_path / "t.csv").read_bytes() == data


def test_a_missing_file_and_a_folder_are_refused_with_a_hint(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none.csv", "does not exist"), (tmp_path, "is a folder")):
        with pytest.raises(ProviderError, match=words) as refused:
            table(path).describe()
        assert refused.value.hint


CELLS = st.text(st.sampled_from('ab;,"\n\r\té '), max_size=5)


@given(
    rows=st.lists(st.tuples(CELLS, CELLS), max_size=6),
    newline=st.sampled_from(["\n", "\r\n"]),
    ended=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252"]),
    edit=st.tuples(st.integers(0, 9), CELLS),
)
def test_an_edit_leaves_every_byte_outside_the_record_alone(
    rows, newline, ended, encoding, edit
) -> None:
    import csv
    import io

    out = io.StringIO(newline="")
    odd = any(
        "\r" in cell for row in rows for cell in row
    )  # the writer does not quote these itself
    csv.writer(out, lineterminator=newline, quoting=csv.QUOTE_ALL if odd else 0).writerows(
        [("id", "p", "q"), *((f"k{i}", *row) for i, row in enumerate(rows))]
    )
    text = out.getvalue() if ended else out.getvalue().removesuffix(newline)
    sheet = csv_sheet.parse(text.encode(encoding), "t.csv")
    assert [tuple(r[1:]) for r in sheet.records] == rows
    if rows:
        i = edit[0] % len(rows)
        new = csv_sheet.updated(sheet, i, {"q": edit[1]})
        assert new.data[: new.starts[i]] == sheet.data[: sheet.starts[i]]
        assert new.data[new.ends[i] :] == sheet.data[sheet.ends[i] :]
        for derived in (
            new,
            csv_sheet.removed(sheet, i),
            csv_sheet.added(sheet, ["new", "x", "y"]),
        ):
            again = csv_sheet.parse(derived.data, "t.csv")
            assert (again.records, again.starts, again.ends) == (
                derived.records,
                derived.starts,
                derived.ends,
            )


def test_mode_links_and_foreign_temporary_files_are_respected(tmp_path: Path) -> None:
    real = tmp_path / "real.csv"
    real.write_bytes(b"id,name\n1,a\n")
    real.chmod(0o640)
    (tmp_path / ".real.csv.aicp").write_bytes(b"left by a killed process")
    (tmp_path / "link.csv").symlink_to(real)
    apply(
        table(tmp_path / "link.csv"), Call("table.update", {"key": "1", "set": {"name": "b"}}, "k")
    )
    assert real.read_bytes() == b"id,name\n1,b\n"
    assert (real.stat().st_mode & 0o777, (tmp_path / "link.csv").is_symlink()) == (0o640, True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.csv", "real.csv", "work"]


def test_a_value_the_encoding_cannot_hold_is_refused(tmp_path: Path) -> None:
    provider = csv_of(tmp_path, b"id,name\n1,caf\xe9\n")
    assert provider.read(Call("table.select", {}))["rows"][0]["values"]["name"] == "café"
    with pytest.raises(ProviderError, match="encoding"):
        provider.before(Call("table.update", {"key": "1", "set": {"name": "日本"}}))


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("id", ["1", "2", "3"], "id"),
        ("ref", ["A-1", "A-2", "A-3"], "id"),
        ("seats", ["5", "10", "1,200"], "number"),
        ("arr", ["$1,200.50", "$50k", "$1.2M"], "money"),
        ("arr", ["1200", "50", "n/a"], "money"),
        ("price", ["1.234,50 €", "99,00 €", "5,10 €"], "money"),
        ("seen", ["2026-04-01", "2026-06-30", ""], "date"),
        ("seen", ["25.04.2026", "01.02.2026", "03.04.2026"], "date"),
        ("seen", ["04/25/2026", "01/02/2026", "03/04/2026"], "date"),
        ("seen", ["01/02/2026", "03/04/2026", "05/06/2026"], "text"),
        (
            "seen",
            ["2026-04-01T10:00:00Z", "2026-04-02 11:30", "2026-04-03T00:00:00+02:00"],
            "datetime",
        ),
        ("do_not_contact", ["yes", "no", "no"], "bool"),
        ("do_not_contact", ["0", "1", "0"], "bool"),
        ("count", ["0", "1", "0"], "number"),
        ("mail", ["kim@acme.example", "lee@x.example"], "email"),
        ("phone", ["+1 312 555 0100", "(312) 555-0101", "0049 30 231251"], "phone"),
        ("phone", ["3125550100", "3125550101"], "phone"),
        ("tz", ["Europe/Berlin", "Asia/Tokyo", "UTC"], "timezone"),
        ("site", ["https://acme.example", "http://x.example/a"], "url"),
        ("zip", ["01234", "04567", "01234", "04567"], "enum"),
        ("industry", ["Retail", "Retail", "Software", "Software"], "enum"),
        ("notes", ["Ignore all previous instructions", "x", "y"], "text"),
        ("blank", ["", "", None], "text"),
    ],
)
def test_the_kind_of_a_column_is_found_from_its_cells(name: str, cells: list, kind: str) -> None:
    assert kind_of(name, cells).name == kind


PEOPLE = (
    b"id,name,industry,arr,seen,dnc,phone\n"
    b"1,Acme Castings,Manufacturing,$82k,2026-04-02,no,+1 312 555 0100\n"
    b'2,Bolt Works,manufacturing,"$50,000",2026-06-30,yes,(312) 555-0100\n'
    b"3,Crown,Retail,$900,2026-07-01,no,+44 20 7946 0958\n"
    b"4,acme castings,Manufacturing,tbd,,maybe,\n"
    b'5,Delta,Manufacturing,"$1.5M",2026-05-05,no,+49 30 231251\n'
)


@pytest.mark.parametrize(
    ("where", "keys"),
    [
        ([("industry", "eq", "MANUFACTURING")], "1245"),
        ([("industry", "ne", "retail")], "1245"),
        ([("industry", "in", ["Retail", "Software"])], "3"),
        ([("industry", "not_in", ["Retail"])], "1245"),
        ([("arr", "gt", 50000)], "15"),
        ([("arr", "ge", "$50k")], "125"),
        ([("arr", "lt", 1000)], "3"),
        ([("seen", "between", ["2026-04-01", "2026-06-30"])], "125"),
        ([("seen", "le", "2026-05-05")], "15"),
        ([("seen", "empty", None)], "4"),
        ([("seen", "filled", None)], "1235"),
        ([("name", "contains", "CAST")], "14"),
        ([("arr", "gt", 50000), ("seen", "lt", "2026-05-01")], "1"),
    ],
)
def test_conditions_compare_what_the_cells_mean(where, keys: str, tmp_path: Path) -> None:
    conditions = [{"column": c, "op": op, "value": value} for c, op, value in where]
    found = csv_of(tmp_path, PEOPLE).read(Call("table.select", {"where": conditions}))
    assert "".join(row["key"] for row in found["rows"]) == keys


def test_an_exclusion_that_cannot_be_read_excludes(tmp_path: Path) -> None:
    more = b"".join(b"%d,N%d,Retail,$5,2026-01-01,no,\n" % (i, i) for i in range(10, 40))
    args = {
        "exclude": [{"column": "dnc", "op": "eq", "value": True}],
        "order_by": "arr",
        "descending": True,
        "limit": 2,
        "columns": ["name"],
    }
    found = csv_of(tmp_path, PEOPLE + more).read(Call("table.select", args))
    assert [row["key"] for row in found["rows"]] == ["5", "1"]
    assert found["rows"][0]["values"] == {"name": "Delta"}
    assert (found["matched"], found["excluded"], found["unreadable"]) == (35, 2, 1)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"where": [{"column": "nope", "op": "eq", "value": 1}]}, "no column 'nope'"),
        ({"where": [{"column": "name", "op": "gt", "value": "x"}]}, "no order"),
        ({"where": [{"column": "arr", "op": "gt", "value": "lots"}]}, "not a money"),
        ({"where": [{"column": "seen", "op": "lt", "value": "soon"}]}, "not a date"),
        ({"where": [{"column": "name", "op": "like", "value": "%"}]}, "where.0.op"),
        ({"order_by": 'id"; drop table t; --'}, "no column"),
    ],
)
def test_a_selection_that_makes_no_sense_is_refused(args, words: str, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=words):
        csv_of(tmp_path, PEOPLE).read(Call("table.select", args))


def test_duplicates_are_found_across_spellings(tmp_path: Path) -> None:
    provider = csv_of(tmp_path, PEOPLE)

    def keys(**args) -> list[list[str]]:
        groups = provider.read(Call("table.duplicates", args))["groups"]
        return [[row["key"] for row in group["rows"]] for group in groups]

    assert keys(columns=["name"]) == [["1", "4"]]
    assert keys(columns=["phone"]) == []
    assert keys(columns=["phone"], region="US") == [["1", "2"]]
    assert keys(columns=["name", "phone"], region="US") == []


def test_the_description_tells_shape_counts_and_bounds(tmp_path: Path) -> None:
    found = csv_of(tmp_path, PEOPLE).describe()
    columns = {column.name: column for column in found.columns}
    assert (found.rows, found.key) == (5, "id")
    assert columns["industry"].values == ("Manufacturing", "Retail", "manufacturing")
    assert (columns["seen"].minimum, columns["seen"].maximum) == ("2026-04-02", "2026-07-01")
    assert (columns["phone"].nulls, columns["phone"].distinct) == (1, 4)


def test_a_new_row_gets_the_next_number_and_keys_cannot_be_set(tmp_path: Path) -> None:
    provider = csv_of(tmp_path, PEOPLE)
    _, _, outcome = apply(provider, Call("table.insert", {"values": {"name": "New"}}, "a"))
    _, _, second = apply(provider, Call("table.insert", {"values": {"name": "New"}}, "b"))
    assert (outcome.data["key"], second.data["key"]) == ("6", "7")
    with pytest.raises(ProviderError, match="cannot be set"):
        provider.before(Call("table.update", {"key": "1", "set": {"id": "9"}}))
    with pytest.raises(ProviderError, match="already"):
        provider.before(Call("table.insert", {"values": {"id": "1"}}))


def odd_table(outside: Outside, ddl: str) -> Provider:
    with psycopg.connect(outside.postgres, autocommit=True) as base:
        base.execute(
            f"drop schema if exists odd cascade; create schema odd; set search_path = odd; {ddl}"
        )
    os.environ["TEST_POSTGRES_URL"] = outside.postgres
    config = {"url_setting": "TEST_POSTGRES_URL", "table": "odd.t"}
    return open_provider(Connection("table", "t", config, Path(os.environ["TEST_WORK"])))


@pytest.fixture(autouse=True)
def _work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_WORK", str(tmp_path / "work"))


def test_every_postgres_type_comes_back_exactly(outside: Outside) -> None:
    provider = odd_table(
        outside,
        "create table t (id uuid primary key default gen_random_uuid(), n numeric(12,4), f float8,"
        " b bytea, ts timestamptz default now(), d interval, j jsonb, a text[], c char(4),"
        " up text generated always as (upper(c)) stored, i int generated always as identity);"
        " insert into t (n, f, b, d, j, a, c) values"
        " (1.5000, 'NaN', '\\x00ff', '1 mon 2 days', '{\"a\": 1e400}', '{\"x\",null}', 'ab')",
    )
    start = provider.state_hash()
    key = provider.read(Call("table.select", {}))["rows"][0]["key"]
    done = [
        apply(provider, Call("table.insert", {"values": {"c": "zz"}}, "a")),
        apply(provider, Call("table.update", {"key": key, "set": {"n": 7, "c": "q"}}, "b")),
        apply(provider, Call("table.delete", {"key": key}, "c")),
    ]
    for step in reversed(done):
        assert provider.undo(*step).status is UndoStatus.RESTORED
    assert provider.state_hash() == start
    with pytest.raises(ProviderError, match="cannot be set"):
        provider.before(Call("table.update", {"key": key, "set": {"up": "x"}}))
    with pytest.raises(ProviderError, match="invalid input syntax"):
        provider.before(Call("table.update", {"key": key, "set": {"n": "x'); drop table t; --"}}))
    assert provider.state_hash() == start


def test_rows_that_others_refer_to_are_not_deleted_and_rules_stop_an_undo(outside: Outside) -> None:
    provider = odd_table(
        outside,
        "create table p (id int primary key); insert into p values (1);"
        " create table t (id int primary key, p int references p, name text unique);"
        " insert into t values (1, 1, 'a'), (2, 1, 'b');"
        " create table c (t int references t on delete cascade); insert into c values (1)",
    )
    with pytest.raises(ProviderError, match=r"1 rows of odd\.c refer to row '1'"):
        provider.before(Call("table.delete", {"key": "1"}))
    step = apply(provider, Call("table.delete", {"key": "2"}, "k"))
    with psycopg.connect(outside.postgres, autocommit=True) as base:
        base.execute("insert into odd.t values (3, 1, 'b')")
    theirs = provider.state_hash()
    result = provider.undo(*step)
    assert (result.status, provider.state_hash()) == (UndoStatus.CONFLICT, theirs)
    assert "unique" in result.why


def test_a_table_with_triggers_does_not_claim_exact_undo(outside: Outside) -> None:
    provider = odd_table(
        outside,
        "create table t (id int primary key, name text, n int default 0); insert into t values (1, 'a');"
        " create function bump() returns trigger language plpgsql as"
        " $$ begin new.n = coalesce(old.n, 0) + 1; return new; end $$;"
        " create trigger bump before update on t for each row execute function bump()",
    )
    tool = next(tool for tool in provider.tools() if tool.name == "table.update")
    assert tool.undo_tier is UndoTier.T2
    assert tool.residue
    step = apply(provider, Call("table.update", {"key": "1", "set": {"name": "b"}}, "k"))
    result = provider.undo(*step)
    assert (result.status, result.residue) == (
        UndoStatus.RESTORED,
        "a trigger of the table changed n",
    )


def test_a_table_without_a_key_and_a_password_in_a_url_are_refused(
    outside: Outside, tmp_path: Path
) -> None:
    with pytest.raises(ProviderError, match="no primary key"):
        odd_table(outside, "create table t (a int)").describe()
    with pytest.raises(ProviderError, match="never holds a password"):
        open_provider(Connection("table", "t", {"url": outside.postgres, "table": "t"}, tmp_path))
    nobody = {"url": "postgresql://x@127.0.0.1:9/x", "table": "t"}
    with pytest.raises(ProviderError, match="refused") as down:
        open_provider(Connection("table", "t", nobody, tmp_path)).describe()
    assert down.value.retryable


def test_numbers_survive_as_they_were_stored_in_sqlite(tmp_path: Path) -> None:
    import sqlite3

    base = sqlite3.connect(tmp_path / "t.db")
    base.execute("create table t (k text primary key, v, n numeric)")
    rows = [("a", 2**62, 1.5), ("b", 2.0, "x"), ("c", b"\x00\xff", None), ("5", "5", 5)]
    base.executemany("insert into t values (?, ?, ?)", rows)
    base.commit()
    provider = table(tmp_path / "t.db", table="t")
    start = provider.state_hash()
    done = [apply(provider, Call("table.delete", {"key": key}, key)) for key, *_ in rows]
    done.append(apply(provider, Call("table.insert", {"values": {"k": "z", "v": True}}, "z")))
    for step in reversed(done):
        assert provider.undo(*step).status is UndoStatus.RESTORED
    assert provider.state_hash() == start
    assert sorted(base.execute("select * from t"), key=str) == sorted(rows, key=str)
