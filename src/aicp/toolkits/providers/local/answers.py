"""What a stranger's answer means and says: its JSON made safe to store, its wait, its verdict."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.fetch import Answer

DEPTH = 40  # levels of nesting that are kept
SAFE_INTEGER = 2**53 - 1  # beyond it JSON readers disagree (RFC 8785)
DAY = 86_400.0
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


class Unreadable(ValueError):
    """The body is not JSON that can be kept."""


def json_of(answer: Answer) -> Any:
    """The body's JSON; None for an empty body.

    Raises:
        Unreadable: too long, or not JSON.
    """
    if answer.cut:
        raise Unreadable(f"the answer is longer than {len(answer.body)} bytes")
    if not answer.body.strip():
        return None
    try:
        return storable(json.loads(answer.body))
    except (ValueError, RecursionError):
        raise Unreadable("the answer is not JSON") from None


def storable(value: Any, depth: int = 0) -> Any:
    """The same value as JSON that every reader and a database keep exactly."""
    if depth > DEPTH:
        return "(nested too deeply)"
    if isinstance(value, dict):
        return {words(str(name)): storable(one, depth + 1) for name, one in value.items()}
    if isinstance(value, list):
        return [storable(one, depth + 1) for one in value]
    if isinstance(value, str):
        return words(value)
    too_large = isinstance(value, int) and abs(value) > SAFE_INTEGER
    endless = isinstance(value, float) and not math.isfinite(value)
    return str(value) if too_large or endless else value


def words(text: str) -> str:
    """Text without what cannot be stored: NUL and halves of characters."""
    return UNSTORABLE.sub("\ufffd", text)


def wait_of(headers: Mapping[str, str]) -> float:
    """Seconds that Retry-After asks for (RFC 9110, 10.2.3), at most a day; 0 when it does not say.

    A date is taken against the answer's own Date, so that no clock of ours matters.
    """
    asked = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", asked):
        return min(float(asked), DAY)
    try:
        until, now = parsedate_to_datetime(asked), parsedate_to_datetime(headers["date"])
        return min(max((until - now).total_seconds(), 0.0), DAY)
    except (KeyError, ValueError, TypeError):
        return 0.0


def refusal(answer: Answer, place: str, *, repeated: bool = False) -> ProviderError | None:
    """What a status means for a call that changes something; None when it was accepted.

    Args:
        repeated: the same call may have arrived before; then 409 may be about that one.
    """
    status = answer.status
    if 200 <= status < 300:
        return None
    said = f"{place} answered {status}"
    if status == 429:
        return ProviderError(
            f"{said}: too many calls", hint="wait", retryable=True, retry_after=wait_of(answer.headers)
        )  # fmt: skip
    if status == 401:
        return ProviderError(
            f"{said}: the secret is not accepted", hint="store a new secret", auth_expired=True
        )
    if 300 <= status < 400:
        # 307 and 308 say that nothing was done; after the others it may have been.
        return ProviderError(
            f"{said}: it points elsewhere, and redirects are not followed",
            hint="declare the address it points to",
            unknown=status not in (307, 308),
        )
    if status == 408 or status >= 500 or (status == 409 and repeated):
        return ProviderError(
            f"{said}: the call may have happened",
            hint="look at the other side",
            unknown=True,
            retry_after=wait_of(answer.headers),
        )
    return ProviderError(f"{said}: the call was refused", hint="correct the arguments")


def failed_read(answer: Answer, place: str) -> ProviderError | None:
    """The same for a call that only reads: nothing is ever unknown."""
    found = refusal(answer, place)
    if found is None or not found.unknown:
        return found
    again = answer.status == 408 or answer.status >= 500
    why = found.message.removesuffix(": the call may have happened")
    return ProviderError(why, hint=found.hint, retryable=again, retry_after=found.retry_after)
