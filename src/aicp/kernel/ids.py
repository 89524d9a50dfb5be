"""Ids and secrets. Short, typeable, unambiguous: Crockford base32 without i, l, o, u."""

from __future__ import annotations

import secrets
import uuid

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str, length: int = 10) -> str:
    """`m-7k3f9q2dxa`: 5 bits a digit, 50 by default; the primary key catches the rest."""
    return f"{prefix}-{''.join(secrets.choice(ALPHABET) for _ in range(length))}"


def new_uuid() -> uuid.UUID:
    return uuid.uuid4()


def new_secret() -> str:
    """256 bits for tokens, sessions and links."""
    return secrets.token_urlsafe(32)
