"""The protocol of an evidence store: content-addressed, written once, never changed."""

from __future__ import annotations

from typing import Protocol


class EvidenceStore(Protocol):
    """Blobs under their SHA-256, kept apart by tenant."""

    def put(self, tenant: str, data: bytes) -> str:
        """Store bytes and read them back; returns their SHA-256. Putting them again changes nothing.

        Raises:
            UpstreamDown: they could not be stored whole.
        """
        ...

    def get(self, tenant: str, sha256: str) -> bytes:
        """The bytes stored under a hash, unchecked.

        Raises:
            NotFound: nothing is stored there.
        """
        ...


def key_of(tenant: str, sha256: str) -> str:
    """`evidence/<tenant>/sha256/<aa>/<hash>`: the first folder is the tenant."""
    return f"evidence/{tenant}/sha256/{sha256[:2]}/{sha256}"
