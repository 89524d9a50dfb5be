"""What leaves the house with a call, and to whom. Pure.

A tool may declare it; otherwise it is decided from what is known: whatever cannot be taken back
exactly and names somebody or something outside leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from email.utils import getaddresses
from functools import lru_cache
from typing import Any

from aicp.toolkits.model import ToolSpec, UndoTier
from aicp.trust.plan import Step

RECIPIENTS = (
    "to", "cc", "bcc", "recipient", "recipients", "recipient_email", "to_email", "email", "emails",
    "attendees", "invitees",
)  # fmt: skip
OUTWARD = frozenset(
    {*RECIPIENTS, "url", "uri", "webhook", "endpoint", "channel", "chat_id", "remote", "phone",
     "phone_number", "user_id"}
)  # fmt: skip
FINAL = (UndoTier.T3, UndoTier.T4, UndoTier.T5)


def leaves(step: Step, spec: ToolSpec | None = None) -> bool:
    """Whether something goes outside because of the call, now or when its hold ends."""
    if spec is not None and spec.leaves is not None:
        return spec.leaves
    named = {name.casefold() for name in (*step.args, *step.refs)}
    return step.mutates and step.undo_tier in FINAL and bool(named & OUTWARD)


def leaves_now(step: Step, spec: ToolSpec | None = None) -> bool:
    """Whether it goes with this very call: what is held goes later."""
    return step.undo_tier is not UndoTier.T3 and leaves(step, spec)


def bare(to: Any) -> tuple[str, ...]:
    """The addresses of a `to` argument, however written: no names, no spaces, lower case, each once."""
    listed = [str(one) for one in (to if isinstance(to, list | tuple) else [to]) if one]
    return tuple(dict.fromkeys(address for text in listed for address in _addresses(text)))


@lru_cache(maxsize=4096)
def _addresses(text: str) -> tuple[str, ...]:
    """The addresses in one text; lists of exclusions are asked about before every call."""
    return tuple((spec or text).strip().casefold() for _, spec in getaddresses([text]))


def recipients(args: Mapping[str, Any]) -> tuple[str, ...]:
    """Everybody a call names as a recipient, as `bare` writes them."""
    named = (value for name, value in args.items() if name.casefold() in RECIPIENTS)
    return tuple(dict.fromkeys(address for value in named for address in bare(value)))


def domains(addresses: Iterable[str]) -> list[str]:
    """The part behind the @ of each address, each once; one without is its own."""
    return list(dict.fromkeys(address.rpartition("@")[2] for address in addresses))
