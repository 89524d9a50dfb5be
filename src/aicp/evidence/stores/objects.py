"""What every evidence store does, on any object store: create once, read back, hash again (MI-7)."""

from __future__ import annotations

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import LocalStore, S3Store

from aicp.errors import NotFound, UpstreamDown
from aicp.evidence.stores.base import key_of
from aicp.kernel.canonical import sha256

_REFUSED = (PermissionDeniedError, UnauthenticatedError)


class ObjectEvidence:
    """Blobs in an object store. A key is written once; writing the same bytes again changes nothing.

    Args:
        place: how people know it: a folder, a bucket.
        hint: what to look at when it fails.
    """

    def __init__(self, store: LocalStore | S3Store, *, place: str, hint: str) -> None:
        self.store, self.place, self.hint = store, place, hint

    def put(self, tenant: str, data: bytes) -> str:
        name = sha256(data)
        try:
            self._create(key_of(tenant, name), data)
        except (BaseError, OSError) as error:
            raise self._failed("stored", error) from error
        if sha256(self.get(tenant, name)) != name:
            raise UpstreamDown(
                f"the evidence store holds other bytes under {name[:12]}",
                hint="run `aicp evidence verify` on the missions it belongs to",
            )
        return name

    def get(self, tenant: str, sha256: str) -> bytes:
        try:
            return bytes(self.store.get(key_of(tenant, sha256)).bytes())
        except (NotFoundError, FileNotFoundError):
            raise NotFound(f"no evidence is stored under {sha256[:12]}") from None
        except (BaseError, OSError) as error:
            raise self._failed("read", error) from error

    def _create(self, key: str, data: bytes) -> None:
        """Create, never overwrite; a store that cannot tell gets the very bytes that the name demands."""
        try:
            self.store.put(key, data, mode="create")
        except AlreadyExistsError:
            pass
        except NotSupportedError:
            self.store.put(key, data)

    def _failed(self, what: str, error: Exception) -> UpstreamDown:
        """One sentence; the store's own words may hold addresses and stay in the cause."""
        if isinstance(error, _REFUSED):
            return UpstreamDown(
                f"{self.place} refused: evidence could not be {what}", hint=self.hint,
                code="evidence_refused",
            )  # fmt: skip
        return UpstreamDown(
            f"evidence could not be {what} in {self.place} ({type(error).__name__})", hint=self.hint
        )
