"""Evidence in a folder of this machine."""

from __future__ import annotations

from pathlib import Path

from obstore.store import LocalStore

from aicp.evidence.stores.objects import ObjectEvidence


class LocalEvidence(ObjectEvidence):
    """One folder; files appear whole (written aside, then renamed by the store)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(LocalStore(folder), place=str(folder), hint="check the disk")
