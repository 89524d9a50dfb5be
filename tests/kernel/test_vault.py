"""Secrets are sealed with a key that is not in the database, per tenant, and can be destroyed (TR-4)."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from aicp.errors import BadInput, NotFound
from aicp.kernel.vault import Vault, fingerprint, key_from
from flight import Flight

SECRET = "s3cr3t-for-a-test-only"


def vault(flight: Flight, key: bytes | None = None) -> Vault:
    return Vault(flight.app.db, key or b"k" * 32)


def test_what_is_stored_is_not_what_was_put_in_and_comes_back_whole(flight: Flight) -> None:
    riley = flight.people["riley"]
    with flight.app.transaction(riley) as conn:
        vault(flight).put(conn, riley, "hook", SECRET, clock=flight.clock)
        stored = conn.execute("select row_to_json(s)::text from secrets s").fetchall()
        assert vault(flight).named(conn, riley, "hook") == SECRET
    assert SECRET not in str(stored)
    assert SECRET.encode().hex() not in str(stored)
    assert fingerprint(SECRET) in str(stored)


def test_another_key_and_another_tenant_open_nothing(flight: Flight) -> None:
    riley = flight.people["riley"]
    with flight.app.transaction(riley) as conn:
        secret_id = vault(flight).put(conn, riley, "hook", SECRET, clock=flight.clock)
        with pytest.raises(NotFound, match="cannot be opened"):
            vault(flight, b"x" * 32).open(conn, riley, secret_id)
        conn.execute(
            "select set_config('request.jwt.claims', %s, true)",
            ('{"tenant_id": "00000000-0000-0000-0000-000000000000"}',),
        )
        with pytest.raises(NotFound):
            vault(flight).named(conn, riley, "hook")


def test_a_forgotten_secret_is_gone_and_its_fingerprint_stays(flight: Flight) -> None:
    riley = flight.people["riley"]
    with flight.app.transaction(riley) as conn:
        vault(flight).put(conn, riley, "hook", SECRET, clock=flight.clock)
        assert vault(flight).forget(conn, "hook", clock=flight.clock)
        assert not vault(flight).forget(conn, "hook", clock=flight.clock)
        with pytest.raises(NotFound, match="no secret is called 'hook'"):
            vault(flight).named(conn, riley, "hook")
        kept = conn.execute("select sealed, fingerprint from secrets").fetchall()
    assert kept == [(None, fingerprint(SECRET))]


def test_the_key_is_made_once_for_its_owner_only_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "data" / "secret.key"
    key = key_from("", file)
    assert key_from("", file) == key
    assert len(key) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert key_from(base64.b64encode(b"k" * 32).decode(), file) == b"k" * 32
    for wrong in ("short", base64.b64encode(os.urandom(16)).decode(), "?" * 44):
        with pytest.raises(BadInput, match="32 bytes"):
            key_from(wrong, file)
