"""Seals over the heads of all chains: signed, chained, and worth keeping where the database is not.

A chain alone does not show that its end was cut off, nor that all of it was made anew. A seal does, to
whoever has it and the public key: Ed25519 (RFC 8032) over the RFC 8785 form.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aicp.kernel.canonical import canonical, sha256
from aicp.kernel.db import Database
from aicp.telemetry.trail.chain import NOTHING, Entry, Fault

LOCK = "audit seals"
Key = Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Seal:
    """`text` is the canonical JSON {n, at, previous, tenants: {hash of a tenant: [leaves]}}."""

    n: int
    text: str
    signature: str  # base64

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.text)


def key_of(secret: bytes) -> Ed25519PrivateKey:
    """The signing key of an installation's 32 secret bytes."""
    return Ed25519PrivateKey.from_private_bytes(secret)


def public(key: Ed25519PrivateKey) -> str:
    """The public key in base64, to be kept apart from the database."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def seal(db: Database, key: Ed25519PrivateKey, folder: Path, *, at: datetime) -> int:
    """Seal what was recorded since the last seal, and write seals that have no file yet.

    Returns:
        how many chains went on since; 0 when there was nothing to seal.
    """
    with db.service() as conn:
        conn.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (LOCK,))
        last = conn.execute(
            "select n, text from app.audit_seals order by n desc limit 1"
        ).fetchone()
        rows = conn.execute(
            "select h.tenant_id::text, h.subject, h.seq, '' as entry, h.hash from (select distinct on"
            " (tenant_id, subject) tenant_id, subject, seq, hash from audit_log"
            " order by tenant_id, subject, seq desc) h left join app.sealed_chains s using (tenant_id, subject)"
            " where h.seq > coalesce(s.seq, 0)"
        ).fetchall()
        heads = [Entry(*row) for row in rows]  # type: ignore[arg-type]
        if heads:
            number, before = (int(str(last[0])), str(last[1])) if last else (0, "")
            text = _text(number + 1, before, heads, at)
            conn.execute(
                "insert into app.audit_seals (n, text, signature) values (%s, %s, %s)",
                (number + 1, text, base64.b64encode(key.sign(text.encode())).decode()),
            )
            conn.cursor().executemany(
                "insert into app.sealed_chains (tenant_id, subject, seq) values (%s, %s, %s)"
                " on conflict (tenant_id, subject) do update set seq = excluded.seq",
                [(one.tenant_id, one.subject, one.seq) for one in heads],
            )
        kept = conn.execute("select n, text, signature from app.audit_seals order by n").fetchall()
    write([Seal(int(str(n)), str(text), str(sign)) for n, text, sign in kept], public(key), folder)
    return len(heads)


def _text(n: int, before: str, heads: Sequence[Entry], at: datetime) -> str:
    tenants: dict[str, list[str]] = {}
    for head in heads:
        tenants.setdefault(sha256(head.tenant_id.encode()), []).append(head.leaf)
    previous = sha256(before.encode()) if before else NOTHING
    body = {"n": n, "at": at.isoformat(), "previous": previous, "tenants": tenants}
    return canonical(body).decode()


def write(seals: Iterable[Seal], key: str, folder: Path) -> None:
    """Seals as files that are never changed again, and the public key beside them."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for one in seals:
        _once(folder / f"seal-{one.n:06}.json", line(one))
    _once(folder / "audit.pub", key + "\n")


def line(one: Seal) -> str:
    """A seal as one line of JSON."""
    return json.dumps({"n": one.n, "text": one.text, "signature": one.signature}) + "\n"


def _once(path: Path, text: str) -> None:
    if path.exists():
        return
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    part.rename(path)


def faults(
    seals: Sequence[Seal], key: str, tenant_id: str, entries: Sequence[Entry]
) -> list[Fault]:
    """What is wrong with the seals, or with records that they know; the key is trusted.

    Args:
        entries: every record of the tenant; one that a seal knows and that is not among them is gone.
    """
    found: list[Fault] = []
    known = {one.leaf for one in entries}
    mine, before = sha256(tenant_id.encode()), ""
    for number, one in enumerate(sorted(seals, key=lambda one: one.n), start=1):
        if why := _wrong(one, number, before, key):
            return [*found, Fault("seals", number, why)]
        gone = sum(leaf not in known for leaf in one.body["tenants"].get(mine, []))
        if gone:
            found.append(Fault("seals", number, f"knows {gone} record{'s' * (gone > 1)} that {'are' if gone > 1 else 'is'} not there as sealed"))  # fmt: skip
        before = one.text
    return found


def _wrong(one: Seal, number: int, before: str, key: str) -> str:
    if one.n != number:
        return "is missing"
    try:
        signer = Ed25519PublicKey.from_public_bytes(base64.b64decode(key))
        signer.verify(base64.b64decode(one.signature), one.text.encode())
    except (InvalidSignature, ValueError):
        return "is not signed by this key"
    previous = sha256(before.encode()) if before else NOTHING
    body = one.body
    if body.get("n") != number or body.get("previous") != previous:
        return "does not follow the one before it"
    return ""
