"""The one form that is hashed is RFC 8785's; ids are short and unambiguous; clocks are handed in."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from aicp.kernel.canonical import canonical, digest, sha256
from aicp.kernel.clock import FixedClock, system_clock
from aicp.kernel.ids import ALPHABET, new_id, new_secret, new_uuid

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-1e15, 1e15) | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",)), max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def test_the_worked_example_of_rfc_8785() -> None:
    """Section 3.2.2 and 3.2.4, numbers, escapes and order included."""
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '€$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert canonical(value) == (
        b'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_sorted_as_the_rfc_says() -> None:
    """Section 3.2.3: by UTF-16 code units, so the surrogates of an emoji come before U+FB33."""
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    found = list(json.loads(canonical(dict.fromkeys(keys, 0))))
    assert found == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@given(value=JSON)
def test_the_form_survives_json_and_does_not_depend_on_order(value: Any) -> None:
    first = canonical(value)
    assert canonical(json.loads(first)) == first
    assert digest(json.loads(json.dumps(value))) == digest(value) == sha256(first)
    if isinstance(value, dict):
        assert canonical(dict(reversed(value.items()))) == first


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**53, {"a": object()}, {1: 2}, b"x", "\ud800"],
    ids=lambda v: type(v).__name__,
)
def test_what_is_not_json_has_no_digest(value: Any) -> None:
    with pytest.raises(ValueError):
        digest(value)


def test_sha256_is_the_published_one() -> None:
    assert sha256(b"abc") == hashlib.sha256(b"abc").hexdigest()
    assert sha256(b"abc").startswith("ba7816bf8f01cfea")


@given(prefix=st.sampled_from(["m", "a", "u", "req"]), length=st.integers(4, 26))
def test_an_id_is_its_prefix_and_digits_nobody_misreads(prefix: str, length: int) -> None:
    made = new_id(prefix, length)
    assert re.fullmatch(f"{prefix}-[{ALPHABET}]{{{length}}}", made)
    assert not set("ilou") & set(ALPHABET)
    assert len(set(ALPHABET)) == len(ALPHABET) == 32


def test_ids_and_secrets_do_not_repeat() -> None:
    for make in (lambda: new_id("m"), new_uuid, new_secret):
        assert len({make() for _ in range(2000)}) == 2000
    assert len(new_secret()) >= 43


def test_a_fixed_clock_moves_only_when_told() -> None:
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    assert clock() == clock()
    clock.advance(hours=1, seconds=1)
    assert clock() == datetime(2026, 1, 1, 1, 0, 1, tzinfo=UTC)
    assert system_clock().utcoffset() == timedelta()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(ANYTHING)
def test_the_quick_way_writes_the_very_bytes_of_rfc_8785_or_refuses_the_same(value: object) -> None:
    """TR-10: people approve a digest, so there is one form, however it is made."""
    try:
        expected = rfc8785.dumps(value)
    except (ValueError, UnicodeEncodeError) as refused:
        with pytest.raises(type(refused)):
            canonical(value)
        return
    assert canonical(value) == expected


def test_control_signs_and_deep_nesting_are_written_the_same_either_way() -> None:
    signs = {chr(n): "".join(map(chr, range(0x250))) for n in range(128)}
    assert canonical(signs) == rfc8785.dumps(signs)
    deep: object = "x"
    for _ in range(300):
        deep = [deep]
    assert canonical(deep) == rfc8785.dumps(deep)
