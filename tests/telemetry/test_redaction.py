"""What must never be logged is replaced before any sink sees it, and nothing else is (OB-3, OP-4, I-6)."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicp.kernel.canonical import digest
from aicp.kernel.ids import new_id, new_secret, new_uuid
from aicp.telemetry.redaction import redact

TEXT = st.text(max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
SECRETS = st.sampled_from(
    ["hunter2", "kim@acme.example", "+49 30 1234567", "postgres://u:p@ss@h/db", "Bearer abcdefghij",
     "redis://:pw@h", "password", "<email>"]
)  # fmt: skip


@pytest.mark.parametrize(
    "key",
    ["password", "PASSWORD", "db_passwd", "client_secret", "token", "access_token", "api_key", "apiKey",
     "Authorization", "Set-Cookie", "credentials", "private_key"],
)  # fmt: skip
@pytest.mark.parametrize(
    "value", ["hunter2", ["hunter2"], {"value": "hunter2"}, ("hunter2", "x")], ids=str
)
def test_a_secret_is_known_by_its_key_whatever_holds_it(key: str, value: Any) -> None:
    assert redact({key: value}) == {key: "<secret>"}
    assert "hunter2" not in json.dumps(redact({"deep": [{key: value}]}))


def test_counts_and_absences_under_such_keys_stay() -> None:
    kept = {"tokens_used": 512, "token": None, "secret": "", "has_password": True}
    assert redact(kept) == kept


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("mail kim@acme.example now", "mail <email> now"),
        ("Kim <kim.cole+x@mail.acme.example>,", "Kim <<email>>,"),
        ("call +49 30 901820 today", "call <phone> today"),
        ("call +1 (415) 555-0100", "call <phone>"),
        ("Authorization: Bearer abc.def-123456", "Authorization: <bearer>"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.sig-nature_", "jwt <jwt>"),
        ("postgresql://aicp:s3cret@127.0.0.1:5432/db", "postgresql://<url-userinfo>@127.0.0.1:5432/db"),
        ("redis://:s3cret@cache:6379", "redis://<url-userinfo>@cache:6379"),
        ("amqp://u:p@ss:w@rd@mq.example/v", "amqp://<url-userinfo>@mq.example/v"),
        ("http://host:80/a?b=c@d", "http://host:80/a?b=c@d"),
    ],
)  # fmt: skip
def test_secrets_and_people_are_known_by_their_shape(text: str, clean: str) -> None:
    assert redact(text) == clean
    assert redact({"a": [text]}) == {"a": [clean]}


def test_a_key_is_text_as_well() -> None:
    assert redact({"kim@acme.example": 3, 7: "x"}) == {"<email>": 3, "7": "x"}


@given(value=JSON, secret=SECRETS, around=TEXT)
def test_redacting_twice_changes_nothing_more(value: Any, secret: str, around: str) -> None:
    once = redact({"v": value, "s": f"{around} {secret} {around}", secret: [secret]})
    assert redact(once) == once


def test_our_own_ids_digests_times_and_references_are_never_damaged() -> None:
    kept = [
        new_id("m"), new_id("a"), new_id("req", 16), digest({"a": 1}), digest([])[:12], str(new_uuid()),
        "table.update@0123456789ab", "m-7k3f9q2dxa.3.0.release.0", "2026-11-23T09:00:00.123456+00:00",
        "2026-11-23T09:00:00Z", "2026-11-23 09:00:00+0100", str(datetime.now(UTC)), "127.0.0.1:5432",
        "0.1.0", "sha256/ab/abcdef", "mission:m-7k3f9q2dxa", "+3 more", "a+b", "90 of 100",
    ]  # fmt: skip
    assert redact(kept) == kept
    assert [redact(f"see {text}.") for text in kept] == [f"see {text}." for text in kept]


@given(length=st.integers(8, 24))
def test_every_id_we_make_passes(length: int) -> None:
    for made in (new_id("m", length), str(new_uuid())):
        assert redact(f"mission {made} started") == f"mission {made} started"


def test_a_secret_we_issue_never_passes_under_its_key() -> None:
    assert redact({"token": new_secret(), "link_secret": new_secret()}) == {
        "token": "<secret>", "link_secret": "<secret>",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["a" * 200_000, "+1" * 100_000, "a.b-" * 50_000, "://" * 60_000])
def test_long_text_costs_time_in_proportion_to_its_length(text: str) -> None:
    started = time.process_time()
    assert redact(text) == text
    assert time.process_time() - started < 2.0
