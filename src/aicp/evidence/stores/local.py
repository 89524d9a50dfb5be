"""Evidence in a folder of this machine."""

from __future__ import annotations

from pathlib import Path

from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import LocalStore

from aicp.errors import NotFound, UpstreamDown
from aicp.evidence.stores.base import key_of
from aicp.kernel.canonical import sha256


class LocalEvidence:
    """One folder; files appear whole (written aside, then renamed by the store)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.store = LocalStore(folder)

    def put(self, tenant: str, data: bytes) -> str:
        name = sha256(data)
        try:
            self.store.put(key_of(tenant, name), data, mode="create")
        except AlreadyExistsError:
            pass
        except BaseError as error:
            raise UpstreamDown(
                f"evidence could not be stored: {error}", hint="check the disk"
            ) from error
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
