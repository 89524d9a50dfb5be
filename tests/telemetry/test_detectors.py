"""The second opinion: stricter, independent, and it never repeats what it found (telemetry.md F)."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicp.kernel.canonical import digest
from aicp.kernel.ids import new_id, new_secret, new_uuid
from aicp.telemetry import detectors
from aicp.telemetry.detectors import suspects


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("mail kim@acme.example now", "email"), ("k\u200bim@acme.example", "email"), ("ｋｉｍ＠ａｃｍｅ．ｅｘａｍｐｌｅ", "email"),
        ("paid by 4242-4242-4242-4242.", "digits"), ("4242424242424242", "digits"), ("call +49 30 901820", "digits"),
        ("٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢", "digits"), ("from 203.0.113.9:443", "address"), ("password=hunter2", "password"),
        ("Authorization: Bearer abc123def", "password"),
    ],
)  # fmt: skip
def test_what_is_suspicious_is_told_by_kind_place_and_hash(text: str, kind: str) -> None:
    found = list(suspects({"a": [{"b/c": text}]}))
    assert {(s.kind, s.pointer) for s in found} >= {(kind, "/a/0/b~1c")}
    assert all(len(s.hash) == 12 and s.hash not in text for s in found)


def test_a_secret_we_issue_is_a_token_and_is_hashed() -> None:
    secret = new_secret()
    [found] = suspects({"k": f"link {secret} used"})
    assert found == detectors.Suspect(
        "token", "/k", hashlib.sha256(secret.encode()).hexdigest()[:12]
    )


def test_a_key_is_looked_at_as_well() -> None:
    assert [s.kind for s in suspects({"kim@acme.example": 1})] == ["email"]


def test_ids_markers_and_words_are_no_suspects() -> None:
    fine = [
        str(new_uuid()), new_id("m"), digest({}), "[EMAIL:3f9a0c21]", "2026-11-23T09:00:00.123456+00:00", "127.0.0.1:8700",
        "password is required", "version 1.2.3", "execution_step_completed", "password=[SECRET:12345678]", "a@b", 17, None,
    ]  # fmt: skip
    assert list(suspects(fine)) == []


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_nothing_makes_it_fail(value: object) -> None:
    assert all(s.kind for s in suspects(value))


def test_it_shares_nothing_with_the_redactor() -> None:
    """A gap in one is then no gap in the other."""
    tree = ast.parse(Path(detectors.__file__).read_text())
    named = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)} | {
        a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names
    }
    assert not {
        n
        for n in named
        if n.startswith("aicp") or n in ("re", "stdnum", "phonenumbers", "hyperscan", "re2")
    }
