"""Evidence: whatever changes a byte is named with its file and its place (MI-7, I-9)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aicp.errors import NotFound, UpstreamDown
from aicp.evidence.bundle import STRETCH, Artifact, Damage, manifest_of, seal, verify
from aicp.evidence.stores.base import key_of
from aicp.evidence.stores.local import LocalEvidence
from aicp.kernel.canonical import sha256

TENANT, OTHER = "tenant-a", "tenant-b"
PLAN = bytes(range(256)) * 10  # 2560 bytes: two whole stretches and a half
ARTIFACTS = [
    Artifact("plan.json", "application/json", PLAN),
    Artifact("small.txt", "text/plain", b"x"),
]


@pytest.fixture
def store(tmp_path: Path) -> LocalEvidence:
    return LocalEvidence(tmp_path)


def sealed(store: LocalEvidence, tenant: str = TENANT) -> tuple[str, dict[str, str]]:
    manifest, entries = seal(store, tenant, ARTIFACTS, {"mission": "m-1"})
    return manifest, {entry["name"]: entry["sha256"] for entry in entries}


def file_of(folder: Path, sha: str, tenant: str = TENANT) -> Path:
    return folder / key_of(tenant, sha)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(PLAN) - 1), bit=st.integers(0, 7))
def test_one_flipped_bit_is_found_and_its_stretch_named(
    store: LocalEvidence, tmp_path: Path, at: int, bit: int
) -> None:
    manifest, names = sealed(store)
    path = file_of(tmp_path, names["plan.json"])
    spoiled = bytearray(PLAN)
    spoiled[at] ^= 1 << bit
    path.write_bytes(spoiled)
    try:
        found = verify(store, TENANT, manifest)
    finally:
        path.write_bytes(PLAN)
    assert [wrong.name for wrong in found] == ["plan.json"]
    span = re.fullmatch(r"bytes (\d+)-(\d+)", found[0].part)
    assert span
    first, last = map(int, span.groups())
    assert first <= at <= last < len(PLAN)
    assert last - first < STRETCH
    assert found[0].found == sha256(bytes(spoiled))
    assert verify(store, TENANT, manifest) == []


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (PLAN[:-1], "shorter: 2559 bytes instead of 2560"),
        (b"", "shorter: 0 bytes instead of 2560"),
        (PLAN + b"!", "longer: 2561 bytes instead of 2560"),
    ],
)
def test_a_file_cut_or_grown_is_named_with_both_lengths(
    store: LocalEvidence, tmp_path: Path, data: bytes, part: str
) -> None:
    manifest, names = sealed(store)
    file_of(tmp_path, names["plan.json"]).write_bytes(data)
    assert verify(store, TENANT, manifest) == [
        Damage("plan.json", part, names["plan.json"], sha256(data))
    ]


def test_missing_files_are_all_named_and_so_is_a_missing_or_damaged_manifest(
    store: LocalEvidence, tmp_path: Path
) -> None:
    manifest, names = sealed(store)
    for sha in names.values():
        file_of(tmp_path, sha).unlink()
    assert [(d.name, d.part) for d in verify(store, TENANT, manifest)] == [
        ("plan.json", "missing"), ("small.txt", "missing"),
    ]  # fmt: skip
    path = file_of(tmp_path, manifest)
    path.write_bytes(path.read_bytes().replace(b"plan.json", b"plan.JSON"))
    (wrong,) = verify(store, TENANT, manifest)
    assert (wrong.name, wrong.expected) == ("manifest", manifest)
    assert wrong.part.startswith("somewhere in bytes 0-")
    path.unlink()
    assert [(d.name, d.part) for d in verify(store, TENANT, manifest)] == [("manifest", "missing")]


def test_storing_again_changes_nothing(store: LocalEvidence, tmp_path: Path) -> None:
    first = sealed(store)
    files = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert sealed(store) == first
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()} == files
    listed = manifest_of(store, TENANT, first[0])
    assert [a["name"] for a in listed["artifacts"]] == ["plan.json", "small.txt"]
    assert listed["about"] == {"mission": "m-1"}


@given(data=st.binary(max_size=4096))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_stored_comes_back_under_its_own_hash(store: LocalEvidence, data: bytes) -> None:
    assert store.put(TENANT, data) == sha256(data)
    assert store.get(TENANT, sha256(data)) == data


def test_a_store_that_holds_other_bytes_under_a_hash_refuses_to_count_them_as_stored(
    store: LocalEvidence, tmp_path: Path
) -> None:
    sha = store.put(TENANT, PLAN)
    file_of(tmp_path, sha).write_bytes(b"something else")
    with pytest.raises(UpstreamDown, match="holds other bytes"):
        store.put(TENANT, PLAN)


def test_tenants_are_apart(store: LocalEvidence, tmp_path: Path) -> None:
    """I-10: the same bytes of two tenants are two files; one's damage is not the other's."""
    manifest, names = sealed(store)
    with pytest.raises(NotFound):
        store.get(OTHER, names["plan.json"])
    assert [d.part for d in verify(store, OTHER, manifest)] == ["missing"]
    assert sealed(store, OTHER)[0] == manifest
    file_of(tmp_path, names["plan.json"]).write_bytes(b"damaged")
    assert verify(store, OTHER, manifest) == []
    assert verify(store, TENANT, manifest) != []


def test_a_store_that_cannot_be_read_says_so_in_a_sentence(
    store: LocalEvidence, tmp_path: Path
) -> None:
    _, names = sealed(store)
    path = file_of(tmp_path, names["plan.json"])
    path.unlink()
    path.mkdir()
    with pytest.raises((NotFound, UpstreamDown)) as caught:
        store.get(TENANT, names["plan.json"])
    assert "\n" not in caught.value.message
