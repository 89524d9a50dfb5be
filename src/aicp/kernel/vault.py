"""Secrets of connections: sealed at rest, the key outside the database, shown to nobody (TR-4)."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from aicp.errors import BadInput, NotFound
from aicp.kernel.clock import Clock
from aicp.kernel.db import Actor, Connection, Database
from aicp.kernel.ids import new_id

_NONCE = 12  # bytes, as NIST SP 800-38D recommends for GCM


def key_from(text: str, file: Path, *, name: str = "AICP_SECRET_KEY") -> bytes:
    """A key of the installation: what the setting of that name holds, or a file's, which is made once.

    Raises:
        BadInput: the key is not 32 bytes in base64.
    """
    if not text:
        _make(file)
        text = file.read_text("ascii")
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise BadInput(
            f"{name} is not 32 bytes in base64", hint="make one: openssl rand -base64 32"
        )
    return key


class Vault:
    """Seals, keeps and opens secrets. AES-256-GCM; tenant and id are bound into each seal."""

    def __init__(self, db: Database, key: bytes) -> None:
        self._db = db
        self._cipher = AESGCM(key)

    def put(self, conn: Connection, actor: Actor, name: str, secret: str, *, clock: Clock) -> str:
        """Keep a secret; returns its id, which may be stored and shown."""
        secret_id, nonce = new_id("sec"), os.urandom(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, secret.encode(), _bound(actor, secret_id))
        conn.execute(
            "insert into secrets (id, tenant_id, name, sealed, fingerprint, created_at)"
            " values (%s, %s, %s, %s, %s, %s)",
            (secret_id, actor.tenant_id, name, sealed, fingerprint(secret), clock()),
        )
        return secret_id

    def open(self, conn: Connection, actor: Actor, secret_id: str) -> str:
        """The secret itself, for the call that needs it.

        Raises:
            NotFound: there is none of that id, it was destroyed, or it was sealed with another key.
        """
        row = conn.execute("select sealed from secrets where id = %s", (secret_id,)).fetchone()
        sealed = bytes(row[0]) if row and row[0] else b""  # type: ignore[arg-type]
        try:
            opened = self._cipher.decrypt(
                sealed[:_NONCE], sealed[_NONCE:], _bound(actor, secret_id)
            )
        except (InvalidTag, ValueError):
            raise NotFound(
                "the secret of this connection cannot be opened",
                hint="connect the account again; check that AICP_SECRET_KEY is the one it was sealed with",
            ) from None
        return opened.decode()

    def named(self, conn: Connection, actor: Actor, name: str) -> str:
        """The newest secret of a name.

        Raises:
            NotFound: the tenant keeps none of that name.
        """
        row = conn.execute(
            "select id from secrets where name = %s and sealed is not null"
            " order by created_at desc, id limit 1",
            (name,),
        ).fetchone()
        if row is None:
            raise NotFound(
                f"no secret is called '{name}'", hint=f"store it: aicp secret set {name}"
            )
        return self.open(conn, actor, str(row[0]))

    def forget(self, conn: Connection, name: str, *, clock: Clock) -> bool:
        """Destroy every secret of a name; its fingerprint stays, so that its use can be traced."""
        return bool(
            conn.execute(
                "update secrets set sealed = null, destroyed_at = %s"
                " where name = %s and sealed is not null",
                (clock(), name),
            ).rowcount
        )


def fingerprint(secret: str) -> str:
    """12 digits that tell two secrets apart without telling either."""
    return hashlib.sha256(f"aicp fingerprint:{secret}".encode()).hexdigest()[:12]


def _bound(actor: Actor, secret_id: str) -> bytes:
    return f"{actor.tenant_id}:{secret_id}".encode()


def _make(file: Path) -> None:
    """Write a new key whole or not at all; of several processes the first wins."""
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(base64.b64encode(os.urandom(32)))
        out.flush()
        os.fsync(out.fileno())
    try:
        os.link(scratch, file)
    except FileExistsError:
        pass
    finally:
        scratch.unlink()
