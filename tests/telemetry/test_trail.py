"""OP-1, OP-5, A11: the audit trail names the first record that is not as it was written, or is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicp.kernel.canonical import canonical
from aicp.telemetry.catalogue import catalogue
from aicp.telemetry.record import record
from aicp.telemetry.trail import seals, store
from aicp.telemetry.trail.chain import NOTHING, Entry, faults, hash_of
from conftest import Cluster
from flight import NOW, Flight, land, take_off

TENANT = "00000000-0000-4000-8000-00000000000a"
KEY = seals.key_of(bytes(range(32)))


def chain(texts: list[str], subject: str = "m-1") -> list[Entry]:
    made, before = [], NOTHING
    for seq, text in enumerate(texts, start=1):
        before = hash_of(before, TENANT, subject, seq, text)
        made.append(Entry(TENANT, subject, seq, text, before))
    return made


@given(st.lists(st.text(min_size=1), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_any_edit_loss_swap_or_addition_is_named_where_it_begins(
    texts: list[str], chance: Random
) -> None:
    whole = chain(texts)
    assert faults(chance.sample(whole, len(whole))) == []  # the order of reading does not matter
    at = chance.randrange(len(whole))
    edited = [
        replace(one, entry=one.entry + "x") if n == at else one for n, one in enumerate(whole)
    ]
    assert [(f.subject, f.seq) for f in faults(edited)] == [("m-1", at + 1)]
    rehashed = replace(edited[at], hash=hash_of(whole[at - 1].hash if at else NOTHING, TENANT, "m-1", at + 1, edited[at].entry))  # fmt: skip
    changed = [*whole[:at], rehashed, *whole[at + 1 :]]
    assert [f.seq for f in faults(changed)] == ([at + 2] if at + 1 < len(whole) else [])
    if at + 1 < len(whole):
        assert [f.seq for f in faults([*whole[:at], *whole[at + 1 :]])] == [at + 1]
        swapped = [*whole]
        swapped[at], swapped[at + 1] = replace(whole[at + 1], seq=at + 1), replace(whole[at], seq=at + 2)  # fmt: skip
        assert [f.seq for f in faults(swapped)] == [at + 1]
    assert [f.seq for f in faults([*whole, whole[at]])] == [at + 1]
    foreign = replace(whole[at], subject="m-2")
    assert {f.subject for f in faults([*whole, foreign])} == {"m-2"}


def test_the_database_chains_as_the_verifier_does_and_a_mission_has_a_chain_of_its_own(
    flight: Flight,
) -> None:
    mission = flight.to_execute()
    flight.work()
    flight.undo(mission)
    riley = flight.people["riley"]
    with flight.app.transaction(riley) as conn:
        kept = store.entries(conn)
        told = conn.execute(
            "select event_type, mission_id from telemetry_events order by id"
        ).fetchall()
    assert faults(kept) == []
    audited = [(e, m) for e, m in told if catalogue()[str(e)].retention == "audit"]
    found = [(json.loads(one.entry)["event"], one.subject) for one in kept]
    assert sorted(found) == sorted((e, m or store.TENANT) for e, m in audited)
    assert {"approval_granted", "execution_completed", "undo_completed"} <= {e for e, _ in found}
    granted = next(json.loads(o.entry) for o in kept if '"approval_granted"' in o.entry)
    assert granted["person"] == str(riley.person_id)
    assert all(canonical(json.loads(one.entry)).decode() == one.entry for one in kept)


@pytest.mark.parametrize("verb", ["update audit_log set entry = 'x'", "delete from audit_log", "truncate audit_log"])  # fmt: skip
def test_nobody_changes_what_is_written_not_even_the_owner(flight: Flight, verb: str) -> None:
    riley = flight.people["riley"]
    with flight.app.transaction(riley) as conn:
        record(conn, riley, "kill_switch_pulled", {"scope": "tenant", "toolkit": ""}, at=NOW)
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        flight.app.transaction(riley) as conn,
    ):
        conn.execute(verb)
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="only ever added to"),
        psycopg.connect(flight.owner_url) as owner,
    ):
        owner.execute(verb)


def test_number_and_hash_are_the_database_s_whatever_is_sent(flight: Flight) -> None:
    riley = flight.people["riley"]
    with flight.app.transaction(riley) as conn:
        conn.execute(
            "insert into audit_log (tenant_id, subject, seq, entry, hash) values (%s, 'x', 7, '{}', %s)",
            (riley.tenant_id, "f" * 64),
        )
        (one,) = store.entries(conn, "x")
    assert (one.seq, one.hash) == (1, hash_of(NOTHING, str(riley.tenant_id), "x", 1, "{}"))


@pytest.fixture
def alone(cluster: Cluster, tmp_path: Path) -> Iterator[Flight]:
    """A flight in a database of its own: seals are the whole installation's."""
    name = cluster.clone()
    flown = take_off(tmp_path / "alone", cluster.url(name), cluster.owner_url(name))
    yield flown
    land(flown)
    cluster.drop(name)


def test_a_seal_shows_that_the_end_was_cut_off_or_all_of_it_made_anew(
    alone: Flight, tmp_path: Path
) -> None:
    flight = alone
    riley = flight.people["riley"]
    own = str(riley.tenant_id)

    def pull(subject: str) -> None:
        with flight.app.transaction(riley) as conn:
            for _ in range(2):
                conn.execute("insert into audit_log (tenant_id, subject, entry) values (%s, %s, '{}')", (own, subject))  # fmt: skip

    pull("a")
    assert seals.seal(flight.app.db, KEY, tmp_path / "seals", at=NOW) >= 1
    pull("b")
    seals.seal(flight.app.db, KEY, tmp_path / "seals", at=NOW)
    assert seals.seal(flight.app.db, KEY, tmp_path / "seals", at=NOW) == 0
    with flight.app.db.service() as conn:
        kept = store.seals(conn)
    with flight.app.transaction(riley) as conn:
        entries = store.entries(conn)
    files = sorted(p.name for p in (tmp_path / "seals").glob("seal-*.json"))
    assert len(files) == len(kept) >= 2
    assert (tmp_path / "seals/audit.pub").read_text().strip() == seals.public(KEY)
    good = seals.public(KEY)
    assert seals.faults(kept, good, own, entries) == []
    cut = [one for one in entries if not (one.subject == "b" and one.seq == 2)]
    assert faults(cut) == []  # the chain alone does not show it
    assert ["1 record that is not there" in f.why for f in seals.faults(kept, good, own, cut)] == [
        True
    ]
    anew = [one for one in entries if one.subject != "a"] + [
        replace(one, tenant_id=own) for one in chain(["{1}", "{2}"], "a")
    ]
    assert seals.faults(kept, good, own, anew) != []
    other = seals.public(seals.key_of(bytes(32)))
    assert [f.why for f in seals.faults(kept, other, own, entries)] == ["is not signed by this key"]
    forged = [replace(kept[0], text=kept[0].text.replace('"n":1', '"n":1 ')), *kept[1:]]
    assert seals.faults(forged, good, own, entries)[0].why == "is not signed by this key"
    assert seals.faults(kept[1:], good, own, entries)[0].why == "is missing"
    stranger = [{"n": one.n, "own": own in one.text} for one in kept]
    assert not any(one["own"] for one in stranger), "a seal names no tenant"


def test_pages_are_the_whole_however_they_fall(flight: Flight) -> None:
    riley = flight.people["riley"]
    with flight.app.transaction(riley) as conn:
        for n in range(7):
            conn.execute("insert into audit_log (tenant_id, subject, entry) values (%s, %s, '{}')", (riley.tenant_id, "ab"[n % 2]))  # fmt: skip
        whole = store.entries(conn)
        for limit in (1, 2, 3, 7, 9):
            found, after = [], ("", 0)
            while page := store.entries(conn, after=after, limit=limit):
                found += page
                after = (page[-1].subject, page[-1].seq)
            assert found == whole
    assert [(one.subject, one.seq) for one in whole] == [("a", 1), ("a", 2), ("a", 3), ("a", 4), ("b", 1), ("b", 2), ("b", 3)]  # fmt: skip
