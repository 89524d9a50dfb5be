"""What must never be logged is replaced before any sink sees it, and nothing else is (OB-3, OP-4, I-6)."""

from __future__ import annotations

import base64
import json
import re
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from aicp.app import redacts
from aicp.errors import BadInput
from aicp.kernel.canonical import digest
from aicp.kernel.ids import new_id, new_secret, new_uuid
from aicp.settings import Settings
from aicp.telemetry import redaction
from aicp.telemetry.redaction import Context, explain, keys, redact, scan, walk
from aicp.telemetry.redaction.markers import CONTENT, ERROR, MARKER
from aicp.telemetry.redaction.walk import DEEPEST, LONGEST

TEXT = st.text(max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
MAIL = "kim@acme.example"
CARD = "4111 1111 1111 1111"  # the number that test systems of card brands publish
PIECES = st.sampled_from(
    ["hunter2", MAIL, "+49 30 1234567", "postgres://u:p@ss@h/db", "Bearer abcdefghij", "redis://:pw@h", "password",
     "[EMAIL:0123abcd]", "password is ", "token=", "token: ", CARD, "born ", "1980-02-03", '{"password":"', '"}', "%40",
     "&#64;", "\\u0040", "eyJhbGciOiJIUzI1NiJ9.e30.", "DE89 3704 0044 0532 0130 00", "203.0.113.7", "://", "@", ":",
     "--password ", "<password>", "</password>", "a2ltQGFjbWUuZXhhbXBsZQ==", "[SECRET:", "]", "\u200b", "ſ", "＠"]
)  # fmt: skip


def kinds(value: Any) -> Any:
    """The redacted value with each marker as its kind alone."""
    text = json.dumps(redact(value), ensure_ascii=False)
    return json.loads(re.sub(r"\[([A-Z_]+):[0-9a-f]{8}\]", r"<\1>", text))


@pytest.mark.parametrize(
    "key",
    ["password", "PASSWORD", "db_passwd", "client_secret", "token", "access_token", "api_key", "apiKey", "API-Key",
     "x-api-key", "Authorization", "Set-Cookie", "credentials", "private_key", "sessionToken", "DATABASE_URL",
     "webhook_url", "contraseña", "mot_de_passe", "OTP", "cvv", "auth", "pin"],
)  # fmt: skip
@pytest.mark.parametrize(
    "value", ["hunter2", ["hunter2"], {"value": "hunter2"}, ("hunter2", "x"), 4711], ids=str
)
def test_a_secret_is_known_by_its_key_whatever_holds_it(key: str, value: Any) -> None:
    assert kinds({key: value}) == {key: "<SECRET>"}
    assert "hunter2" not in json.dumps(redact({"deep": [{key: value}]}))


@pytest.mark.parametrize(
    ("key", "kind"),
    [("email", "EMAIL"), ("customerPhoneNumber", "PHONE"), ("card_number", "CARD"), ("IBAN", "IBAN"), ("ssn", "NATIONAL_ID"),
     ("date-of-birth", "DOB"), ("client_ip", "IP"), ("Last Name", "PERSON"), ("billing_address", "ADDRESS"),
     ("zipCode", "ADDRESS"), ("geo.latitude", "LOCATION"), ("accountNumber", "BANK_ACCOUNT"), ("Geburtsdatum", "DOB"),
     ("téléphone", "PHONE")],
)  # fmt: skip
def test_personal_data_is_known_by_its_key(key: str, kind: str) -> None:
    assert kinds({key: "x 1"}) == {key: f"<{kind}>"}
    assert kinds({key: ["x 1", None, 5]}) == {key: [f"<{kind}>", None, f"<{kind}>"]}


@pytest.mark.parametrize(
    "key",
    ["tokens_used", "max_tokens", "token_count", "token_type", "token_expires_at", "password_policy", "author_role",
     "has_password", "secret_name", "authority", "session_id", "cookie_policy", "email_count", "phone_verified",
     "api_key_id", "prompt_tokens", "tokenizer", "passed", "compass", "pinned", "keyboard", "monkey", "ip_count",
     "description", "zipper", "input_tokens", "password_changed_at", "card_count", "auth_status", "scopes_granted"],
)  # fmt: skip
def test_what_is_only_about_a_secret_stays(key: str) -> None:
    for value in ("basic", 512, True, None, ["a"]):
        assert redact({key: value}) == {key: value}


def test_counts_and_absences_under_such_keys_stay() -> None:
    kept = {
        "tokens_used": 512,
        "token": None,
        "secret": "",
        "has_password": True,
        "email": [],
        "ip": "127.0.0.1",
    }
    assert redact(kept) == kept


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"mail {MAIL} now", "mail <EMAIL> now"),
        ("Kim <kim.cole+x@mail.acme.example>,", "Kim <<EMAIL>>,"),
        ("kim [at] acme [dot] example", "<EMAIL>"),
        ("call +49 30 901820 today", "call <PHONE> today"),
        ("call +1 (415) 555-0100", "call <PHONE>"),
        ("(415) 555-0100 rang", "<PHONE> rang"),
        ("Authorization: Bearer abc.def-123456", "Authorization: Bearer <SECRET>"),
        ("curl -u kim:hunter2 x", "curl -u <SECRET> x"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.sig-nature_", "jwt <SECRET>"),
        ("postgresql://aicp:s3cret@127.0.0.1:5432/db", "postgresql://<SECRET>@127.0.0.1:5432/db"),
        ("redis://:s3cret@cache:6379", "redis://<SECRET>@cache:6379"),
        ("amqp://u:p@ss:w@rd@mq.example/v", "amqp://<SECRET>@mq.example/v"),
        ("http://host:80/a?b=c@d", "http://host:80/a?b=c@d"),
        ("https://h.example/a?token=abc123&x=1", "https://h.example/a?token=<SECRET>&x=1"),
        ("Server=db;Uid=sa;Pwd=s3cret;Encrypt=yes", "Server=db;Uid=sa;Pwd=<SECRET>;Encrypt=yes"),
        ("the password is hunter2.", "the password is <SECRET>."),
        ("the password is required", "the password is required"),
        ("Cookie: a=b; c=d", "Cookie: <SECRET>"),
        ("<password>hunter2</password>", "<password><SECRET></password>"),
        ("mysql --password hunter2 -h db", "mysql --password <SECRET> -h db"),
        (f"paid with {CARD}.", "paid with <CARD>."),
        ("paid with 4111 1111 1111 1112.", "paid with 4111 1111 1111 1112."),
        ("to DE89 3704 0044 0532 0130 00 today", "to <IBAN> today"),
        ("to DE88 3704 0044 0532 0130 00 today", "to DE88 3704 0044 0532 0130 00 today"),
        ("from 203.0.113.7:443", "from <IP>:443"),
        ("from [2001:db8::17]:443", "from [<IP>]:443"),
        ("version 1.2.3.4", "version 1.2.3.4"),
        ("born 3 Feb 1980 in", "born <DOB> in"),
        ("née le 03/02/1980", "née le <DOB>"),
        ("due 1980-02-03", "due 1980-02-03"),
        ("ssn 078-05-1120", "ssn <NATIONAL_ID>"),
        ("k\u200bim@acme.ex\u0430mple", "<EMAIL>"),
        ("kim%40acme.example", "<EMAIL>"),
        ("kim&#64;acme.example", "<EMAIL>"),
        ("ｋｉｍ＠ａｃｍｅ．ｅｘａｍｐｌｅ", "<EMAIL>"),
        (base64.b64encode(f"to {MAIL}".encode()).decode(), "<EMAIL>"),
        (f"to {MAIL}".encode().hex(), "<EMAIL>"),
        (base64.b64encode(b"nothing to see in here").decode(), base64.b64encode(b"nothing to see in here").decode()),
        ('{"password":"hunter2","n":1}', '{"password":"<SECRET>","n":1}'),
        ('body {"user":{"name":"x","email":"kim\\u0040acme.example"}} sent', 'body {"user":{"name":"x","email":"<EMAIL>"}} sent'),
    ],
)  # fmt: skip
def test_secrets_and_people_are_known_by_their_shape(text: str, clean: str) -> None:
    assert kinds(text) == clean
    assert kinds({"a": [text]}) == {"a": [clean]}


@pytest.mark.parametrize(
    "place", ["127.0.0.1:8700", "db.example:5432", "https://h.example/x", "/var/run/x", "localhost"]
)
def test_the_address_of_a_machine_is_no_persons(place: str) -> None:
    assert redact({"address": place, "ip": "127.0.0.1"}) == {"address": place, "ip": "127.0.0.1"}


@pytest.mark.parametrize(
    "home", ["Main Street 1", "Main Street 1: 5", "1 Hill Road, flat:12", ":5"]
)
def test_the_address_of_a_person_goes_whole(home: str) -> None:
    assert kinds({"address": home}) == {"address": "<ADDRESS>"}


def test_credentials_alone_can_be_taken_out() -> None:
    """For what a tenant shows its own people."""
    told = redaction.without_secrets(
        {
            "to": MAIL,
            "n": f"{MAIL} password=hunter2 {CARD}",
            "token": "x",
            "prompt": MAIL,
            "k": 4111111111111111,
        }
    )
    assert told["to"] == told["prompt"] == MAIL
    assert re.fullmatch(rf"{MAIL} password=\[SECRET:\w+\] \[CARD:\w+\]", told["n"])
    assert MARKER.fullmatch(told["token"])
    assert MARKER.fullmatch(told["k"])


def test_settings_reach_redaction_and_wrong_ones_are_refused(tmp_path: Path) -> None:
    marks, regions, content = walk.SETTINGS.marks, walk.SETTINGS.regions, walk.SETTINGS.content
    try:
        redacts(Settings(data=str(tmp_path), redaction_regions="de, fr", telemetry_content="on"))
        assert kinds("reach 030 901820 today") == "reach <PHONE> today"
        assert kinds({"prompt": "hello"}) == {"prompt": "hello"}
        first = redact(MAIL)
        redacts(Settings(data=str(tmp_path)))  # the same key from its file, made once
        assert redact(MAIL) == first
        assert (tmp_path / "redaction.key").stat().st_mode & 0o077 == 0
    finally:
        walk.SETTINGS.marks, walk.SETTINGS.regions, walk.SETTINGS.content = marks, regions, content
    for wrong in (
        {"redaction_regions": "Germany"},
        {"telemetry_content": "maybe"},
        {"redaction_key": "short"},
    ):
        with pytest.raises(BadInput) as caught:
            redacts(Settings(data=str(tmp_path), **wrong))
        assert caught.value.hint


def test_a_key_is_text_as_well() -> None:
    assert kinds({MAIL: 3, 7: "x"}) == {"<EMAIL>": 3, "7": "x"}
    assert (
        len(redact({MAIL: 1, MAIL.upper(): 2})) == 2
    )  # one person, two spellings: nothing is lost


def test_an_attribute_a_header_and_an_option_are_known_by_the_name_beside_them() -> None:
    assert kinds([{"key": "password", "value": {"stringValue": "hunter2"}}]) == [
        {"key": "password", "value": {"stringValue": "<SECRET>"}}
    ]
    assert kinds([["Authorization", "Basic Zm9vOmJhcg=="]]) == [["Authorization", "<SECRET>"]]
    assert kinds(["mysql", "--password", "hunter2", "x"]) == [
        "mysql",
        "--password",
        "<SECRET>",
        "x",
    ]


def test_free_text_of_models_and_tools_is_dropped_unless_asked_for() -> None:
    given_text = {
        "gen_ai.input.messages": [{"content": MAIL}],
        "gen_ai.prompt.0.content": "x",
        "prompt_tokens": 7,
    }
    assert redact(given_text) == {
        "gen_ai.input.messages": CONTENT, "gen_ai.prompt.0.content": CONTENT, "prompt_tokens": 7,
    }  # fmt: skip
    opted = redact(given_text, Context(content=True))
    assert "[EMAIL:" in opted["gen_ai.input.messages"][0]["content"]
    assert opted["gen_ai.prompt.0.content"] == "x"


def test_a_field_that_is_declared_personal_is_redacted_without_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """OB-3: redaction grows with new fields."""
    monkeypatch.setattr(keys, "_registered", {})
    assert redact({"loyaltyNumber": "A-1"}) == {"loyaltyNumber": "A-1"}
    redaction.register_all([("loyalty_number", "pii"), ("vault_word", "secret"), ("phone", "none")])
    assert kinds({"loyaltyNumber": "A-1", "vault-word": "x"}) == {
        "loyaltyNumber": "<PII>",
        "vault-word": "<SECRET>",
    }
    assert redact({"phone": "none"}) == {"phone": "none"}
    keys.rule.cache_clear()


def test_markers_are_joinable_within_a_tenant_only_and_never_hold_the_text() -> None:
    one, two = Context(str(new_uuid())), Context(str(new_uuid()))
    assert redact(MAIL, one) == redact("KIM@acme.example", one) != redact(MAIL, two)
    assert redact({"tenantId": one.tenant, "to": MAIL})["to"] == redact(MAIL, one)
    assert MARKER.fullmatch(redact(MAIL))
    assert redact("card " + CARD)[5:] == redact(CARD.replace(" ", "-"))


def test_findings_say_where_and_what_never_the_text() -> None:
    record = {"a": [{"b/c": f"to {MAIL}"}], "token": "hunter2"}
    found = explain(record)
    assert [(f.pointer, f.start, f.end, f.kind) for f in found] == [
        ("/a/0/b~1c", 3, 19, "EMAIL"), ("/token", 0, 7, "SECRET"),
    ]  # fmt: skip
    assert [f.marker for f in found] == [redact(record)["a"][0]["b/c"][3:], redact(record)["token"]]
    assert "acme" not in repr(found)
    assert "hunter2" not in repr(found)


class Colour(Enum):
    RED = f"red {MAIL}"


@dataclass
class Account:
    email: str
    note: str


class Model(BaseModel):
    api_key: str
    n: int


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        (f"to {MAIL}".encode(), "to <EMAIL>"),
        (b"\xff\xfe", "<BYTES>"),
        (ValueError(f"no {MAIL}"), "ValueError: no <EMAIL>"),
        ({MAIL}, ["<EMAIL>"]),
        (Account(MAIL, "x"), {"email": "<EMAIL>", "note": "x"}),
        (Model(api_key="k", n=1), {"api_key": "<SECRET>", "n": 1}),
        (Colour.RED, "red <EMAIL>"),
        (4111111111111111, "<CARD>"),
        (2**80, 2**80),
        (Decimal("1.50"), "1.50"),
        (Path("/a/b"), "/a/b"),
        (UUID(int=1), str(UUID(int=1))),
        (datetime(2026, 11, 23, tzinfo=UTC), "2026-11-23T00:00:00+00:00"),
        (date(2026, 11, 23), "2026-11-23"),
        (({"password": "x"},), [{"password": "<SECRET>"}]),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_whatever_a_value_is_it_is_looked_at(value: Any, clean: Any) -> None:
    assert kinds(value) == clean
    assert kinds({"v": value}) == {"v": clean}


class Broken:
    def __str__(self) -> str:
        raise RuntimeError(MAIL)


def test_what_cannot_be_looked_at_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    before = redaction.errors()
    assert redact({"ok": 1, "bad": Broken(), "text": MAIL})["bad"] == ERROR
    assert redaction.errors() == before + 1

    def fails(*_given: Any, **_more: Any) -> Any:
        raise RuntimeError(MAIL)

    monkeypatch.setattr("aicp.telemetry.redaction.walk.spans", fails)
    assert redact({"a": MAIL, "n": 5, "l": [MAIL, True]}) == {
        "a": ERROR,
        "n": 5,
        "l": [ERROR, True],
    }


def test_beyond_the_caps_nothing_passes() -> None:
    assert kinds(MAIL + "a" * LONGEST) == "<TOO_LONG>"
    deep: Any = MAIL
    for _ in range(DEEPEST * 3):
        deep = [deep]
    told = json.dumps(redact(deep))
    assert "TOO_DEEP" in told
    assert "acme" not in told
    ring: dict[str, Any] = {"mail": MAIL}
    ring["again"] = ring
    assert "TOO_DEEP" in json.dumps(redact(ring))


def test_a_record_of_too_many_values_ends_in_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aicp.telemetry.redaction.walk.MOST", 50)
    told = kinds([[MAIL]] * 100)
    assert told == [["<EMAIL>"]] * 49 + ["<TOO_MANY>"] * 51


@settings(max_examples=300)
@given(value=JSON, around=st.lists(PIECES | TEXT, max_size=6))
def test_redacting_never_raises_and_twice_changes_nothing_more(
    value: Any, around: list[str]
) -> None:
    text = "".join(around)
    before = redaction.errors()
    once = redact({"v": value, "s": text, text: [text]})
    assert redaction.errors() == before
    assert redact(once) == once
    assert all(len(s) <= LONGEST for s in (once["s"], *once))


@pytest.mark.parametrize("text", ["@a.bc ", "pin=1 ", f"{MAIL} ", '{"pin":1}', "a@b.cd,", "::1 "])
def test_nothing_grows_past_the_cap(text: str) -> None:
    """A marker may be longer than what it stands for; the text as a whole may not grow past the cap."""
    for size in (LONGEST - 10, LONGEST, LONGEST + 10):
        assert len(redact(("x" + text) * (size // (len(text) + 1)))) <= LONGEST


def test_our_own_ids_digests_times_and_references_are_never_damaged() -> None:
    kept = [
        new_id("m"), new_id("a"), new_id("req", 16), digest({"a": 1}), digest([])[:12], str(new_uuid()),
        "table.update@0123456789ab", "m-7k3f9q2dxa.3.0.release.0", "2026-11-23T09:00:00.123456+00:00",
        "2026-11-23T09:00:00Z", "2026-11-23 09:00:00+0100", str(datetime.now(UTC)), "127.0.0.1:5432",
        "0.1.0", "sha256/ab/abcdef", "mission:m-7k3f9q2dxa", "+3 more", "a+b", "90 of 100", "BD-4521", "aicp-a1b2.3",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736",
    ]  # fmt: skip
    assert redact(kept) == kept
    assert [redact(f"see {text}.") for text in kept] == [f"see {text}." for text in kept]


@given(length=st.integers(8, 24), number=st.integers(0, 2**128 - 1))
def test_every_id_we_make_passes(length: int, number: int) -> None:
    trace, uuid = f"{number:032x}", str(UUID(int=number))
    for made in (new_id("m", length), uuid, digest(trace)):
        assert redact(f"mission {made} started") == f"mission {made} started"
    kept = {"tenantId": uuid, "mission_id": new_id("m", length), "trace_id": trace, "correlation_id": f"req_{trace[:16]}",
            "plan_digest": digest(trace), "bd_issue": f"BD-{number % 9999}"}  # fmt: skip
    assert redact(kept) == kept


def test_an_id_field_is_no_pass_for_what_is_no_id() -> None:
    assert kinds({"tenantId": MAIL, "mission_id": CARD, "correlation_id": "4111111111111111", "trace_id": MAIL}) == {
        "tenantId": "<EMAIL>", "mission_id": "<CARD>", "correlation_id": "<CARD>", "trace_id": "<EMAIL>",
    }  # fmt: skip


def test_a_secret_we_issue_never_passes() -> None:
    for _ in range(50):
        secret = new_secret()
        assert kinds({"token": secret, "link_secret": secret}) == {
            "token": "<SECRET>",
            "link_secret": "<SECRET>",
        }
        assert kinds(f"the link {secret} was used") == "the link <SECRET> was used"


HARD = (
    "a", "+1", "a.b-", "://", "@", "a@a.", "1 ", "1-", "12.", "password", "password=", "password: ", "token is ", "<a>",
    "&#64;", "%40", "{", '{"a":', "[[", "eyJ", "eyJ.", "-----BEGIN PRIVATE KEY-----", "A", "aA1", "1:2:", "::", "?a=",
    "born 1", "postgres://:", "sk-", "Bearer ", "\\u0040", "\u0430", "=", "aGVsbG8g", "--token ", "DE89 ", "a@b.c ",
)  # fmt: skip


@pytest.mark.parametrize("name", ["hyperscan", "re2", "re"])
def test_long_text_costs_time_in_proportion_to_its_length(name: str) -> None:
    """No pattern runs away: eight times the text is no more than about eight times the work."""
    before = scan.engine()
    assert scan.use(name).name == name
    try:
        costs = {piece: _growth(piece) for piece in HARD}
    finally:
        scan.use(before)
    assert {piece: cost for piece, cost in costs.items() if cost > 24} == {}


def _growth(piece: str) -> float:
    short, long = (piece * (size // len(piece)) for size in (8_000, 64_000))
    return _cpu(long) / max(_cpu(short), 0.0005)


def _cpu(text: str) -> float:
    began = time.process_time()
    redact(text)
    return time.process_time() - began


@pytest.mark.parametrize("name", ["re2", "re"])
@given(around=st.lists(PIECES | TEXT, max_size=6))
@settings(max_examples=60)
def test_every_engine_finds_the_same(name: str, around: list[str]) -> None:
    text, before = " ".join(around), scan.engine()
    best = redact(text)
    scan.use(name)
    try:
        assert redact(text) == best
    finally:
        scan.use(before)
