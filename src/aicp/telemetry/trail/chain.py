"""A chain of records, each hashed over the one before it. Pure; what the database does, done again.

hash = SHA-256 over the previous hash, tenant, subject, number and entry, one a line; before the first
record there are 64 zeros. An entry is the RFC 8785 form of its record, kept as it was written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from aicp.kernel.canonical import sha256

NOTHING = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as it is kept: which chain, which number, what was written, and its hash."""

    tenant_id: str
    subject: str  # a mission's id, or "tenant" for what belongs to none
    seq: int  # 1, 2, 3 … without gaps
    entry: str
    hash: str

    @property
    def leaf(self) -> str:
        """What a seal says of this record: nothing to whoever does not have it."""
        return sha256(f"{self.tenant_id}\n{self.subject}\n{self.seq}\n{self.hash}".encode())


@dataclass(frozen=True, slots=True)
class Fault:
    """The first record of a chain that is not as it was written, or that is not there."""

    subject: str
    seq: int
    why: str


def hash_of(previous: str, tenant_id: str, subject: str, seq: int, entry: str) -> str:
    """The hash of a record that follows another."""
    return sha256(f"{previous}\n{tenant_id}\n{subject}\n{seq}\n{entry}".encode())


def faults(entries: Iterable[Entry]) -> list[Fault]:
    """The first fault of each chain; none when every record is as it was written."""
    ordered = sorted(entries, key=lambda one: (one.tenant_id, one.subject, one.seq))
    chains = groupby(ordered, key=lambda one: (one.tenant_id, one.subject))
    found = (_first_fault(list(chain)) for _, chain in chains)
    return [fault for fault in found if fault is not None]


def _first_fault(chain: list[Entry]) -> Fault | None:
    previous = NOTHING
    for number, one in enumerate(chain, start=1):
        if one.seq != number:
            lost = one.seq > number
            return Fault(one.subject, number if lost else one.seq,
                         "is missing" if lost else "is there twice")  # fmt: skip
        if one.hash != hash_of(previous, one.tenant_id, one.subject, one.seq, one.entry):
            return Fault(one.subject, number, "is not as it was written, or what stood before it is not")  # fmt: skip
        previous = one.hash
    return None
