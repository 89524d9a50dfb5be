"""MI-7: every evidence store keeps bytes by their hash, writes a key once, and says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest

from aicp.errors import BadInput, NotFound, UpstreamDown
from aicp.evidence import bundle
from aicp.evidence.stores.base import key_of
from aicp.evidence.stores.local import LocalEvidence
from aicp.evidence.stores.objects import ObjectEvidence
from aicp.evidence.stores.s3 import Bucket, S3Evidence
from aicp.kernel.canonical import sha256
from evidence import weed

TENANT, OTHER = "00000000-0000-4000-8000-0000000000e1", "00000000-0000-4000-8000-0000000000e2"
needs = pytest.mark.skipif(not weed.PROGRAM.exists(), reason=weed.MISSING)
SOON = timedelta(seconds=2)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[weed.Weed]:
    with weed.server(tmp_path_factory.mktemp("weed")) as made:
        yield made


@pytest.fixture(params=["local", pytest.param("s3", marks=needs)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectEvidence:
    if request.param == "local":
        return LocalEvidence(tmp_path)
    return S3Evidence(request.getfixturevalue("s3").bucket())


def test_bytes_come_back_under_their_hash_and_once_is_enough(store: ObjectEvidence) -> None:
    for data in (b"", b"proof", bytes(range(256)) * 1000):
        name = store.put(TENANT, data)
        assert name == sha256(data)
        assert store.put(TENANT, data) == name
        assert store.get(TENANT, name) == data


def test_another_tenant_has_nothing_there(store: ObjectEvidence) -> None:
    name = store.put(TENANT, b"mine")
    with pytest.raises(NotFound, match=name[:12]):
        store.get(OTHER, name)


def test_what_stands_under_a_key_is_never_replaced_and_a_changed_byte_is_named(
    store: ObjectEvidence,
) -> None:
    data = b"a" * 5000
    manifest, _ = bundle.seal(store, TENANT, [bundle.Artifact("a.txt", "text/plain", data)], {})
    assert bundle.verify(store, TENANT, manifest) == []
    wrong = data[:2000] + b"b" + data[2001:]
    store.store.put(key_of(TENANT, sha256(data)), wrong)  # past us
    (damage,) = bundle.verify(store, TENANT, manifest)
    assert (damage.name, damage.part) == ("a.txt", "bytes 1024-2047")
    with pytest.raises(UpstreamDown, match="holds other bytes"):
        store.put(TENANT, data)
    assert store.get(TENANT, sha256(data)) == wrong


@needs
@pytest.mark.parametrize(
    ("given", "code"),
    [({"secret": "wrong"}, "evidence_refused"), ({"key_id": "nobody"}, "evidence_refused")],
)
def test_wrong_keys_are_refused_at_once_and_said_without_them(
    s3: weed.Weed, given: dict[str, str], code: str
) -> None:
    strange = S3Evidence(s3.bucket(**given), patience=SOON)
    for attempt in (lambda: strange.put(TENANT, b"x"), lambda: strange.get(TENANT, "0" * 64)):
        with pytest.raises(UpstreamDown) as caught:
            attempt()
        assert caught.value.reason_code == code
        assert "AICP_EVIDENCE_URL" in caught.value.hint
        assert not any(
            word in str(caught.value.as_dict()) for word in ("wrong", "nobody", "keepsake")
        )


@needs
def test_the_server_checks_the_hash_of_what_is_sent(s3: weed.Weed) -> None:
    """A body that was changed on its way does not become evidence."""
    import httpx

    made = S3Evidence(s3.bucket())
    key = key_of(TENANT, sha256(b"sent"))
    url = obstore.sign(made.store, "PUT", key, timedelta(minutes=1))
    broken = {"x-amz-checksum-sha256": "A" * 43 + "="}
    answer = httpx.put(url, content=b"changed", headers=broken, trust_env=False)
    assert answer.status_code >= 400
    with pytest.raises(NotFound):
        made.get(TENANT, sha256(b"sent"))


@needs
def test_a_server_that_is_killed_and_comes_back_has_kept_what_was_acknowledged(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with weed.server(tmp_path_factory.mktemp("killed")) as own:
        made = S3Evidence(own.bucket(), patience=SOON)
        kept = [made.put(TENANT, f"proof {n}".encode()) for n in range(20)]
        own.kill()
        with pytest.raises(UpstreamDown, match="could not be stored in the bucket proof"):
            made.put(TENANT, b"meanwhile")
        with pytest.raises(UpstreamDown, match="could not be read"):
            made.get(TENANT, kept[0])
        own.start()
        patient = S3Evidence(own.bucket())  # it says 500 until its disks have reported
        assert [patient.get(TENANT, name) for name in kept] == [
            f"proof {n}".encode() for n in range(20)
        ]
        assert patient.put(TENANT, b"meanwhile") == sha256(b"meanwhile")


@pytest.mark.parametrize("url", ["", "s3://", "https://bucket", "bucket", "file:///x"])
def test_a_url_that_names_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="names no bucket"):
        S3Evidence(Bucket(url))


def test_a_folder_that_takes_no_files_is_said(tmp_path: Path) -> None:
    made: Callable[[], Any] = lambda: LocalEvidence(tmp_path / "evidence")  # noqa: E731
    store = made()
    (tmp_path / "evidence/evidence").write_text("in the way")
    with pytest.raises(UpstreamDown, match="could not be stored in") as caught:
        store.put(TENANT, b"x")
    assert caught.value.hint == "check the disk"


@needs
def test_a_mission_seals_its_evidence_in_the_bucket_and_verifies_it_there(
    s3: weed.Weed, tmp_path: Path, database_url: str
) -> None:
    from flight import land, take_off

    flown = take_off(
        tmp_path / "bucket", database_url, evidence_url="s3://proof/flown", evidence_endpoint=s3.endpoint,
        evidence_key_id=weed.KEY_ID, evidence_secret=weed.SECRET,
    )  # fmt: skip
    try:
        mission = flown.to_execute()
        flown.work()
        sealed = flown.doc(mission)["bundles"]
        tenant = str(flown.people["riley"].tenant_id)
        assert sealed
        for one in sealed:
            assert bundle.verify(flown.app.services.evidence, tenant, one["manifest_sha256"]) == []
        assert not (tmp_path / "bucket/data/evidence").exists()
    finally:
        land(flown)
