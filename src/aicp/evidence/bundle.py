"""Bundles: a manifest names every artifact by hash, and every stretch of it by its own hash.

The stretch hashes let a check say which bytes changed, not only that some did (MI-7, I-9).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aicp.errors import NotFound
from aicp.evidence.stores.base import EvidenceStore
from aicp.kernel.canonical import canonical, sha256

STRETCH = 1024  # bytes


@dataclass(frozen=True, slots=True)
class Artifact:
    name: str  # "plan.json"
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing wrong with a bundle. `part` is "missing", "bytes a-b", "shorter" or "longer"."""

    name: str
    part: str
    expected: str
    found: str


def seal(
    store: EvidenceStore, tenant: str, artifacts: list[Artifact], about: Mapping[str, Any]
) -> tuple[str, list[dict[str, Any]]]:
    """Store the artifacts, then their manifest; returns the manifest's hash and its entries."""
    entries = [_entry(store, tenant, artifact) for artifact in artifacts]
    manifest = canonical({"about": dict(about), "stretch_bytes": STRETCH, "artifacts": entries})
    return store.put(tenant, manifest), entries


def verify(store: EvidenceStore, tenant: str, manifest_sha256: str) -> list[Damage]:
    """Re-hash a bundle; an empty list means that every byte is as sealed."""
    damage = _check(store, tenant, "manifest", manifest_sha256, None)
    if damage:
        return damage
    manifest = json.loads(store.get(tenant, manifest_sha256))
    return [
        wrong
        for entry in manifest["artifacts"]
        for wrong in _check(store, tenant, entry["name"], entry["sha256"], entry)
    ]


def damaged(store: EvidenceStore, tenant: str, manifest_sha256: str) -> bool:
    """Whether the manifest itself is missing or not the one that was sealed."""
    return bool(_check(store, tenant, "manifest", manifest_sha256, None))


def manifest_of(store: EvidenceStore, tenant: str, manifest_sha256: str) -> dict[str, Any]:
    """The manifest as data, without checking it."""
    return json.loads(store.get(tenant, manifest_sha256))


def _entry(store: EvidenceStore, tenant: str, artifact: Artifact) -> dict[str, Any]:
    return {
        "name": artifact.name,
        "media_type": artifact.media_type,
        "sha256": store.put(tenant, artifact.data),
        "size": len(artifact.data),
        "stretches": _stretches(artifact.data),
    }


def _stretches(data: bytes) -> list[str]:
    return [sha256(data[at : at + STRETCH])[:16] for at in range(0, len(data), STRETCH)]


def _check(
    store: EvidenceStore, tenant: str, name: str, expected: str, entry: dict[str, Any] | None
) -> list[Damage]:
    try:
        data = store.get(tenant, expected)
    except NotFound:
        return [Damage(name, "missing", expected, "")]
    found = sha256(data)
    if found == expected:
        return []
    if entry is None:
        return [Damage(name, f"somewhere in bytes 0-{max(len(data) - 1, 0)}", expected, found)]
    if len(data) != entry["size"]:
        part = "shorter" if len(data) < entry["size"] else "longer"
        return [
            Damage(name, f"{part}: {len(data)} bytes instead of {entry['size']}", expected, found)
        ]
    wrong = [
        i
        for i, (a, b) in enumerate(zip(_stretches(data), entry["stretches"], strict=True))
        if a != b
    ]
    return [
        Damage(
            name, f"bytes {i * STRETCH}-{min((i + 1) * STRETCH, len(data)) - 1}", expected, found
        )
        for i in wrong
    ]
