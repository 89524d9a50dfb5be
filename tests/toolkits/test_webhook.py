"""Webhooks: what leaves, what comes back, and what is known when the line breaks (TR-13, TR-16)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from aicp.toolkits.model import Call, Found, UndoStatus, UndoTier
from aicp.toolkits.providers import Where, named, open_provider
from aicp.toolkits.providers.base import Provider, ProviderError
from aicp.toolkits.providers.local import courier
from aicp.toolkits.providers.local.answers import storable
from aicp.toolkits.providers.local.fetch import fetch
from aicp.toolkits.providers.local.samples import sample
from aicp.toolkits.providers.local.templates import filled, filled_url
from aicp.toolkits.providers.local.web_address import off_limits, reachable, web_address
from toolkits.web_server import Shop, shop_server
from toolkits.world_web import bare_declaration, shop_declaration, webhook
from toolkits.worlds import apply

TEA = Call("webhook.order", {"item": "tea"}, "m-1.1.0")


@pytest.fixture
def shop() -> Iterator[Shop]:
    with shop_server() as shop:
        yield shop


@pytest.fixture
def known(shop: Shop, tmp_path: Path) -> Provider:
    """Orders that can be read back."""
    return open_provider(webhook(tmp_path, shop_declaration(shop.url)))


@pytest.fixture
def bare(shop: Shop, tmp_path: Path) -> Provider:
    """Orders that nothing is known about afterwards."""
    return open_provider(webhook(tmp_path, bare_declaration(shop.url)))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        courier, "fetch", lambda *args, **more: fetch(*args, **more, seconds=0.3)
    )  # the same exchange with a shorter deadline


def attempt(provider: Provider, call: Call = TEA) -> ProviderError:
    with pytest.raises(ProviderError) as failed:
        provider.execute(call, provider.before(call))
    return failed.value


def test_a_call_carries_its_key_its_body_and_its_secret_and_shows_the_secret_nowhere(
    shop: Shop, tmp_path: Path
) -> None:
    declared = {**shop_declaration(shop.url), "secret": "shop"}
    connection = webhook(tmp_path, declared, secret={"shop": "s3cr3t-value"}.__getitem__)
    provider = open_provider(connection)
    _, before, outcome = apply(provider, TEA)
    assert shop.orders == {"m-1.1.0": {"id": "o-1", "item": "tea"}}
    assert outcome.data == {"result": {"id": "o-1", "item": "tea"}}
    sent = shop.headers[0]
    assert (sent["Idempotency-Key"], sent["Authorization"]) == ("m-1.1.0", "Bearer s3cr3t-value")
    kept = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    shown = f"{connection}{provider.describe()}{provider.tools()}{before}{outcome}{kept}"
    assert "s3cr3t" not in shown


@pytest.mark.parametrize("value", ["", "two\r\nX-Evil: 1", "é", "\x00"])
def test_a_secret_that_no_header_may_hold_is_refused_without_being_told(
    shop: Shop, tmp_path: Path, value: str
) -> None:
    declared = {**bare_declaration(shop.url), "secret": "shop", "scheme": ""}
    provider = open_provider(webhook(tmp_path, declared, secret=lambda _: value))
    failed = attempt(provider)
    assert "secret 'shop'" in failed.message
    assert not failed.unknown
    assert value not in failed.message or not value
    assert shop.asked == []


def test_without_its_secret_nothing_is_sent(shop: Shop, tmp_path: Path) -> None:
    provider = open_provider(webhook(tmp_path, {**bare_declaration(shop.url), "secret": "shop"}))
    assert "not stored" in attempt(provider).message
    assert shop.asked == []


@pytest.mark.parametrize(
    ("knob", "expected"),
    [
        ("limit", {"retryable": True, "retry_after": 7.0}),
        ("limit until", {"retryable": True, "retry_after": 30.0}),
        ("400", {}),
        ("403", {}),
        ("409", {}),
        ("422", {}),
        ("401", {"auth_expired": True}),
        ("307", {}),
        ("302", {"unknown": True}),
        ("303", {"unknown": True}),
        ("408", {"unknown": True}),
        ("500", {"unknown": True}),
        ("502", {"unknown": True}),
        ("503", {"unknown": True}),
        ("504", {"unknown": True}),
        ("drop", {"unknown": True}),
    ],
)
def test_what_an_answer_means_when_nothing_can_be_read_back(
    bare: Provider, shop: Shop, knob: str, expected: dict[str, Any]
) -> None:
    shop.knobs.append(knob)
    failed = attempt(bare)
    plain = {"retryable": False, "retry_after": 0, "auth_expired": False, "unknown": False}
    assert {name: getattr(failed, name) for name in plain} == plain | expected
    assert [path for _, path in shop.asked] == ["/orders"], "no redirect is followed"
    found = bare.reconcile(TEA, bare.before(TEA)).found
    assert found is (Found.UNCLEAR if failed.unknown else Found.NOT_DONE)
    if failed.unknown:
        assert attempt(bare).unknown, "it is not sent again"
        assert len(shop.asked) == 1
    else:
        assert apply(bare, TEA)[-1].data["result"]["id"] == "o-1"


@pytest.mark.parametrize("knob", ["drop after", "cut after", "after 500", "after 502", "after 504"])
def test_a_call_whose_answer_was_lost_is_found_by_its_key(
    known: Provider, shop: Shop, knob: str
) -> None:
    shop.knobs.append(knob)
    outcome = known.execute(TEA, known.before(TEA))
    assert outcome.data == {"result": {"id": "o-1", "item": "tea"}}
    assert list(shop.orders) == ["m-1.1.0"]


@pytest.mark.parametrize(
    ("knob", "again"),
    [("500", True), ("502", True), ("503", True), ("504", False), ("drop", False)],
)
def test_an_answered_failure_is_settled_by_a_no_and_a_request_still_on_its_way_is_not(
    known: Provider, shop: Shop, knob: str, again: bool
) -> None:
    shop.knobs.append(knob)
    failed = attempt(known)
    assert (failed.retryable, failed.unknown) == (again, not again)
    assert known.reconcile(TEA, known.before(TEA)).found is Found.NOT_DONE
    assert known.execute(TEA, known.before(TEA)).data["result"]["id"] == "o-1"
    assert len(shop.orders) == 1


def test_a_conflict_about_a_key_that_may_have_arrived_before_is_no_refusal(
    known: Provider, shop: Shop
) -> None:
    shop.knobs += ["drop", "409"]
    assert attempt(known).unknown
    again = attempt(known)
    assert again.unknown
    assert "409" in again.message
    assert known.execute(TEA, known.before(TEA)).data["result"]["id"] == "o-1"


@pytest.mark.parametrize(
    ("done_when", "found"),
    [
        ({}, Found.UNCLEAR),
        ({"minItems": 1}, Found.NOT_DONE),
        ({"type": "array"}, Found.UNCLEAR),
    ],
)
def test_an_empty_read_back_is_a_no_only_where_the_declaration_says_so(
    shop: Shop, tmp_path: Path, done_when: dict[str, Any], found: Found
) -> None:
    declared = shop_declaration(shop.url)
    declared["endpoints"]["order"]["read_back"]["done_when"] = done_when
    provider = open_provider(webhook(tmp_path, declared))
    shop.knobs.append("drop")
    assert attempt(provider).unknown
    shop.reads.append("nothing")
    assert provider.reconcile(TEA, provider.before(TEA)).found is found


@pytest.mark.usefixtures("impatient")
def test_a_server_that_hangs_after_it_committed_is_waited_for_no_longer_than_the_deadline(
    known: Provider, bare: Provider, shop: Shop
) -> None:
    shop.knobs += ["hang after", "hang after"]
    assert known.execute(TEA, known.before(TEA)).data["result"]["id"] == "o-1"
    other = Call(TEA.tool, TEA.args, "m-1.2.0")
    failed = attempt(bare, other)
    assert failed.unknown
    assert bare.reconcile(other, bare.before(other)).found is Found.UNCLEAR
    assert len(shop.orders) == 2


@pytest.mark.parametrize(
    ("knob", "words"),
    [
        ("after huge", "longer than"),
        ("after not json", "not JSON"),
        ("after odd", "not as declared"),
    ],
)
def test_an_answer_that_cannot_be_used_is_told_and_does_not_undo_that_the_call_happened(
    bare: Provider, shop: Shop, knob: str, words: str
) -> None:
    declared = bare_declaration(shop.url)
    declared["endpoints"]["order"]["answer"] = {"required": ["price"]}
    bare = open_provider(replace(bare.connection, config={"declaration": declared}))
    shop.knobs.append(knob)
    before = bare.before(TEA)
    outcome = bare.execute(TEA, before)
    assert any(words in problem for problem in bare.verify(TEA, before, outcome))
    assert bare.execute(TEA, before) == outcome
    assert len(shop.orders) == 1


def test_a_failing_read_back_never_turns_a_call_that_was_made_into_one_that_failed(
    known: Provider, shop: Shop
) -> None:
    before = known.before(TEA)
    outcome = known.execute(TEA, before)
    shop.reads += ["500", "drop", "404"]
    told = [known.verify(TEA, before, outcome) for _ in range(3)]
    assert ["500" in told[0][0], "broke" in told[1][0], "does not know" in told[2][0]] == [True] * 3
    assert known.verify(TEA, before, outcome) == ()


def test_nobody_listening_is_a_failure_without_effect(shop: Shop, tmp_path: Path) -> None:
    provider = open_provider(webhook(tmp_path, bare_declaration("http://127.0.0.1:9")))
    failed = attempt(provider)
    assert (failed.retryable, failed.unknown) == (True, False)
    assert provider.reconcile(TEA, provider.before(TEA)).found is Found.NOT_DONE


def test_another_machine_does_not_take_missing_notes_for_a_proof(
    bare: Provider, shop: Shop, tmp_path: Path
) -> None:
    before = bare.before(TEA)
    elsewhere = open_provider(replace(bare.connection, work_dir=tmp_path / "elsewhere"))
    assert bare.reconcile(TEA, before).found is Found.NOT_DONE
    assert elsewhere.reconcile(TEA, before).found is Found.UNCLEAR


def test_a_compensation_fills_in_what_the_call_gave_and_is_refused_when_that_is_missing(
    known: Provider, shop: Shop
) -> None:
    step = apply(known, TEA)
    result = known.undo(*step)
    assert (result.status, shop.cancelled) == (UndoStatus.IMPOSSIBLE, ["o-1"])
    assert "made up for" in result.residue
    assert shop.headers[-1]["Idempotency-Key"] == "m-1.1.0.undo"
    other = Call(TEA.tool, TEA.args, "m-1.2.0")
    shop.knobs.append("after odd")  # an answer whose id cannot stand in an address
    before = known.before(other)
    outcome = known.execute(other, before)
    assert known.verify(other, before, replace(outcome, data={"result": {}}))
    gone = known.undo(other, before, replace(outcome, data={"result": {"id": ".."}}))
    assert (gone.status, gone.residue, shop.cancelled) == (UndoStatus.IMPOSSIBLE, "", ["o-1"])


def test_an_order_that_is_deleted_again_needs_no_body(shop: Shop, tmp_path: Path) -> None:
    declared = shop_declaration(shop.url)
    undo = {"url": f"{shop.url}/orders/{{result.id}}", "method": "DELETE"}
    declared["endpoints"]["order"]["compensate"] = undo
    provider = open_provider(webhook(tmp_path, declared))
    assert provider.undo(*apply(provider, TEA)).residue
    assert (shop.asked[-1], shop.cancelled) == (("DELETE", "/orders/o-1"), ["o-1"])
    assert "Content-Type" not in shop.headers[-1]


def test_a_call_that_a_person_said_happened_is_made_up_for_by_what_is_read_back(
    known: Provider, shop: Shop
) -> None:
    call, before, outcome = apply(known, TEA)
    told = replace(outcome, data={"settled_by": "a person"})
    assert known.undo(call, before, told).residue
    assert shop.cancelled == ["o-1"]


@pytest.mark.parametrize(
    ("knob", "stops"), [("limit", True), ("401", True), ("410", False), ("503", False)]
)
def test_a_compensation_that_fails_for_now_stops_the_undo_and_one_that_fails_for_good_says_so(
    known: Provider, shop: Shop, knob: str, stops: bool
) -> None:
    step = apply(known, TEA)
    shop.knobs.append(knob)
    if stops:
        with pytest.raises(ProviderError):
            known.undo(*step)
        assert known.undo(*step).residue
    else:
        result = known.undo(*step)
        assert (result.status, result.residue) == (UndoStatus.IMPOSSIBLE, "")
        assert "stays" in result.why if knob == "410" else "may or may not" in result.why
    assert shop.cancelled == (["o-1"] if stops else [])


def test_a_compensation_with_a_read_back_of_its_own_is_settled_by_it(
    shop: Shop, tmp_path: Path
) -> None:
    declared = shop_declaration(shop.url)
    declared["endpoints"]["order"]["compensate"]["read_back"] = {
        "url": f"{shop.url}/cancelled?id=o-1"
    }
    provider = open_provider(webhook(tmp_path, declared))
    step = apply(provider, TEA)
    shop.knobs.append("drop after")
    assert provider.undo(*step).residue
    elsewhere = open_provider(replace(provider.connection, work_dir=tmp_path / "elsewhere"))
    assert elsewhere.undo(*step).residue
    assert shop.cancelled == ["o-1"]


def test_a_read_fails_plainly_and_can_be_tried_again_where_that_helps(
    known: Provider, shop: Shop
) -> None:
    apply(known, TEA)
    found = known.read(Call("webhook.search", {"item": "tea"}))
    assert found == {"result": {"orders": [{"id": "o-1", "item": "tea"}]}}
    assert shop.asked[-1] == ("GET", "/search?item=tea")
    outcomes = []
    for knob in ("limit", "500", "drop", "404", "302", "huge", "not json"):
        shop.reads.append(knob)
        with pytest.raises(ProviderError) as failed:
            known.read(Call("webhook.search", {"item": "tea"}))
        assert not failed.value.unknown
        outcomes.append(failed.value.retryable)
    assert outcomes == [True, True, True, False, False, False, False]


def test_what_a_stranger_answers_can_be_stored(bare: Provider, shop: Shop) -> None:
    shop.knobs.append("after odd")
    outcome = bare.execute(TEA, bare.before(TEA))
    assert outcome.data["result"] == {
        "id": "\ufffd\ufffd",
        "n": "123456789012345678901234567890",
        "f": "inf",
    }
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    assert "nested too deeply" in str(storable(deep))


def test_the_tools_say_tier_place_and_which_arguments_name_whom(known: Provider) -> None:
    order = next(tool for tool in known.tools() if tool.name == "webhook.order")
    search = next(tool for tool in known.tools() if tool.name == "webhook.search")
    assert (order.undo_tier, order.sensitive, order.untrusted) == (UndoTier.T4, ("amount",), True)
    assert (search.undo_tier, search.mutates, search.scope) == (UndoTier.T0, False, "webhook:read")
    assert order.description.startswith("POST http://127.0.0.1")


# addresses


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x.example/", "file:///etc/passwd", "https://", "https:///x", "//x.example", "x",
        "https://user:pass@x.example/", "https://x.example/a b", "https://x.example/\r\nX: 1",
        "https://x.example:99999/", "https://x.example\\@y.example/", "https://x.example/#f", "https://ex\u00e4.example/",
    ],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(ProviderError):
        web_address(url)


@pytest.mark.parametrize(
    ("host", "ip", "allowed"),
    [
        ("x.example", "93.184.216.34", True),
        ("x.example", "10.0.0.5", False),
        ("x.example", "127.0.0.1", False),
        ("x.example", "::ffff:127.0.0.1", False),
        ("x.example", "64:ff9b::a00:5", False),
        ("x.example", "2002:a00:5::", False),
        ("x.example", "fd00::1", False),
        ("x.example", "100.64.0.1", False),
        ("2130706433", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost", "127.0.0.1", True),
        ("localhost", "10.0.0.5", False),
        ("10.0.0.5", "10.0.0.5", True),
        ("169.254.169.254", "169.254.169.254", False),
        ("fe80::1", "fe80::1", False),
        ("0.0.0.0", "0.0.0.0", False),
        ("224.0.0.1", "224.0.0.1", False),
    ],
)
def test_a_private_machine_is_called_only_by_its_number(host: str, ip: str, allowed: bool) -> None:
    assert (off_limits(host, ip_address(ip)) == "") is allowed


def test_one_private_address_behind_a_name_is_enough_to_refuse_it() -> None:
    rows = [(2, 1, 6, "", (ip, 443)) for ip in ("93.184.216.34", "10.0.0.5")]
    with pytest.raises(ProviderError, match=r"10\.0\.0\.5, which is private"):
        reachable(web_address("https://x.example/"), lambda *_, **__: rows)


@given(st.text(max_size=20))
def test_a_value_in_an_address_stays_in_its_segment(value: str) -> None:
    try:
        url = filled_url("https://x.example/a/{args.v}/b", {"args": {"v": value}})
    except (ProviderError, UnicodeEncodeError):
        assert value in ("", ".", "..") or any(0xD800 <= ord(ch) < 0xE000 for ch in value)
        return
    found = web_address(url)
    assert (found.host, found.target.count("/"), "?" in found.target) == ("x.example", 3, False)


def test_a_template_keeps_the_kind_of_a_value_and_names_what_is_missing() -> None:
    values = {"key": "k", "args": {"n": 5, "l": [1]}, "result": None}
    body = {"n": "{args.n}", "l": ["{args.l}"], "t": "n is {args.n}", "k": "{key}", "x": 1}
    assert filled(body, values) == {"n": 5, "l": [[1]], "t": "n is 5", "k": "k", "x": 1}
    for text in ("{result.id}", "{args.l.1}", "list {args.l}"):
        with pytest.raises(ProviderError):
            filled(text, values)


SCHEMAS = st.recursive(
    st.sampled_from(
        [
            {"type": "string", "minLength": 3},
            {"type": "integer", "minimum": 7},
            {"enum": ["a", "b"]},
            {"const": 4},
            {"type": ["null", "string"]},
            {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
        ]
    ),
    lambda inner: st.one_of(
        st.builds(lambda s: {"type": "array", "items": s, "minItems": 2}, inner),
        st.builds(lambda s: {"type": "object", "properties": {"x": s}, "required": ["x"]}, inner),
    ),
    max_leaves=4,
)


@given(SCHEMAS)
def test_a_made_up_answer_is_one_that_was_declared(schema: dict[str, Any]) -> None:
    assert Draft202012Validator(schema).is_valid(sample(schema))


def test_an_answer_that_cannot_be_made_up_asks_for_an_example() -> None:
    with pytest.raises(ProviderError, match="cannot be rehearsed"):
        sample({"type": "string", "pattern": "^o-[0-9]+$"})


# the declaration

DECLARATION = """
name = "shop"
secret = "shop"

[endpoints.order]
url = "https://shop.example/orders"
effect = "mutates"
[endpoints.order.body]
required = ["item"]
properties = { item = { type = "string" } }
[endpoints.order.compensate]
url = "https://shop.example/orders/{result.id}/cancel"
"""


def declared(tmp_path: Path, text: str):
    (tmp_path / "shop.toml").write_text(text)
    return named("webhook", str(tmp_path / "shop.toml"), Where(Path, tmp_path / "work", {}))


def test_a_declaration_is_kept_with_the_connection_and_names_its_secret_only(
    tmp_path: Path,
) -> None:
    connection = declared(tmp_path, DECLARATION)
    (tmp_path / "shop.toml").unlink()
    assert (connection.toolkit, connection.account) == ("webhook", "shop")
    (tool,) = open_provider(connection).tools()
    assert (tool.name, tool.undo_tier) == ("webhook.order", UndoTier.T4)
    assert tool.args_schema["additionalProperties"] is False


def test_the_example_in_the_guide_is_a_sound_declaration(tmp_path: Path) -> None:
    guide = Path(__file__).parents[2] / "docs/missions.md"
    text = guide.read_text().split("```toml\n")[1].split("```")[0]
    connection = declared(tmp_path, text)
    with open_provider(connection).rehearsal() as twin:
        *_, outcome = apply(twin, TEA)
    assert outcome.data == {"result": {"id": "o-0"}, "dry_run": True}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[endpoints.order]", "[endpoints.order]\nheaders = 1", "endpoints.order.headers"),
        ("[endpoints.order]", "[endpoints.Order]", "Order"),
        ('https://shop.example/orders"', 'http://shop.example/orders"', "in the clear"),
        ('https://shop.example/orders"', 'https://{args.item}.example/"', "written out"),
        ('https://shop.example/orders"', 'https://u:p@shop.example/"', "user or password"),
        ("https://shop.example/orders/{", "https://other.example/orders/{", "one host"),
        ("https://shop.example/orders/{result.id}", "https://{result.id}/", "written out"),
        ("{result.id}", "{args.note}", "not required: note"),
        ("{result.id}", "{nothing}", "not a web address"),
        ('type = "string"', 'type = "text"', "not a JSON Schema"),
        ('type = "string"', '"$ref" = "https://evil.example/s"', "leads out"),
        ('effect = "mutates"', 'effect = "mutates"\nmethod = "GET"', "only reads"),
        ('effect = "mutates"', 'effect = "reads"', "nothing to compensate"),
        ('effect = "mutates"', 'effect = "mutates"\nsensitive = ["who"]', "sensitive names"),
        ('required = ["item"]', "additionalProperties = true", "closed object"),
        ('name = "shop"', "name = 2026-01-01", "date"),
        ('name = "shop"', "name = ", "TOML"),
        ('secret = "shop"', 'secret = "s/../x"', "secret"),
    ],
)  # fmt: skip
def test_an_unsound_declaration_is_refused_by_name(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    assert old in DECLARATION
    with pytest.raises(ProviderError, match=words) as refused:
        declared(tmp_path, DECLARATION.replace(old, new))
    assert refused.value.hint
