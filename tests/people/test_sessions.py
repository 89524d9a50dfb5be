"""Signing in: a link works once, a secret is never stored, and every refusal sounds the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest

from aicp.errors import BadInput, Conflict, Forbidden, GateBlocked, NotFound, SignInNeeded
from aicp.kernel.canonical import sha256
from aicp.missions import define
from aicp.people import sessions, tenants
from aicp.people.tenants import Person
from flight import NOW, Flight


def riley(flight: Flight) -> Person:
    actor = flight.people["riley"]
    with flight.app.db.service() as conn:
        return tenants.by_email(conn, actor.tenant_id, "riley@home.example")


def secret(flight: Flight, kind: sessions.Kind) -> str:
    person = riley(flight)
    with flight.app.db.service() as conn:
        return sessions.issue(conn, person, kind, at=flight.clock())


def who(flight: Flight, said: str, *kinds: sessions.Kind) -> Person:
    with flight.app.db.service() as conn:
        return sessions.who(conn, said, kinds or ("token", "session"), at=flight.clock())


def redeem(flight: Flight, link: str) -> str:
    with flight.app.db.service() as conn:
        return sessions.redeem(conn, link, at=flight.clock())


def test_a_link_is_traded_once_for_a_session_of_the_same_person(flight: Flight) -> None:
    link = secret(flight, "link")
    session = redeem(flight, link)
    assert who(flight, session, "session") == riley(flight)
    with pytest.raises(SignInNeeded):
        redeem(flight, link)
    assert who(flight, session, "session") == riley(flight)


def test_two_who_redeem_one_link_at_the_same_moment_get_one_session(flight: Flight) -> None:
    link, start = secret(flight, "link"), Barrier(2)

    def try_it(_: int) -> str:
        start.wait()
        try:
            return redeem(flight, link)
        except SignInNeeded:
            return ""

    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(try_it, range(2)))
    assert sorted(map(bool, got)) == [False, True]
    assert who(flight, next(filter(None, got))) == riley(flight)


def test_unknown_expired_revoked_used_and_wrong_kinds_are_refused_alike(flight: Flight) -> None:
    """What a guesser learns is nothing."""
    revoked, link, old = secret(flight, "token"), secret(flight, "link"), secret(flight, "session")
    with flight.app.db.service() as conn:
        sessions.revoke(conn, revoked, at=flight.clock())
    said = [_refusal(flight, token) for token in ("", "nobody", revoked, link)]
    flight.clock.advance(hours=12)
    said.append(_refusal(flight, old))
    assert len(set(said)) == 1
    assert said[0] == ("you are not signed in", "get a link with `aicp login`")
    for token in ("nobody", revoked, link, old):
        with pytest.raises(SignInNeeded, match="not valid any more"):
            redeem(flight, token)


def _refusal(flight: Flight, token: str) -> tuple[str, str]:
    with pytest.raises(SignInNeeded) as caught:
        who(flight, token)
    return caught.value.message, caught.value.hint


@pytest.mark.parametrize("kind", ["token", "session", "link"])
def test_each_kind_ends_exactly_when_its_time_is_over(flight: Flight, kind: sessions.Kind) -> None:
    mine = secret(flight, kind)
    flight.clock.advance(seconds=sessions.LIFETIME[kind].total_seconds() - 1)
    assert who(flight, mine, kind) == riley(flight)
    flight.clock.advance(seconds=1)
    with pytest.raises(SignInNeeded):
        who(flight, mine, kind)


def test_only_the_hash_of_a_secret_is_in_the_database(flight: Flight) -> None:
    mine = [secret(flight, kind) for kind in ("token", "session", "link")]
    with psycopg.connect(flight.owner_url) as conn:
        rows = conn.execute(
            "select secret_sha256, to_jsonb(credentials)::text from credentials where tenant_id = %s",
            (flight.people["riley"].tenant_id,),
        ).fetchall()
    assert {row[0] for row in rows} == {sha256(one.encode()) for one in mine}
    assert not any(one in row[1] for one in mine for row in rows)


def test_somebody_who_left_can_neither_act_nor_sign_in(flight: Flight) -> None:
    token, link = secret(flight, "token"), secret(flight, "link")
    with flight.app.db.service() as conn:
        conn.execute("update people set disabled_at = %s where id = %s", (NOW, riley(flight).id))
    with pytest.raises(SignInNeeded):
        who(flight, token)
    with pytest.raises(SignInNeeded):
        redeem(flight, link)


def test_a_person_needs_a_real_address_and_known_roles_and_comes_once(flight: Flight) -> None:
    tenant = flight.people["riley"].tenant_id

    def add(email: str, roles: tuple[str, ...]) -> Person:
        with flight.app.db.service() as conn:
            return tenants.add_person(conn, tenant, email=email, name="X", roles=roles, at=NOW)

    with pytest.raises(BadInput, match="not an e-mail address"):
        add("nobody", ("operator",))
    with pytest.raises(BadInput, match="emperor") as caught:
        add("new@home.example", ("operator", "emperor"))
    assert "governance" in caught.value.hint
    with pytest.raises(BadInput, match="none given"):
        add("new@home.example", ())
    with pytest.raises(Conflict, match="is already a person"):
        add("RILEY@home.example", ("operator",))
    with flight.app.db.service() as conn, pytest.raises(NotFound):
        tenants.by_email(conn, tenant, "new@home.example")


def test_roles_decide_who_may_start_acknowledge_and_change(flight: Flight) -> None:
    with pytest.raises(Forbidden, match="may not start missions"):
        flight.new(by="sam")
    mission = flight.new()
    flight.work()
    with pytest.raises(Forbidden):
        flight.call(define.edit, mission, "objective", None, by="gabriela")
    with pytest.raises(Forbidden):
        flight.ack(mission, "lee")
    flight.ack(mission, "gabriela")
    flight.ack(mission, "riley")
    with pytest.raises(GateBlocked):
        flight.ack(mission, "riley")
