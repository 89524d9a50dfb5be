"""What an error of the SDK means: no effect, an effect that may have happened, or a grant that is gone.

There are two trees of exceptions, the SDK's own and that of its generated client.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from aicp.toolkits.providers.base import ProviderError

_NO_ACCOUNT = re.compile(r"connected account|ConnectedAccount", re.IGNORECASE)
_NOT_THERE = re.compile(
    r"not[ _]?found|does not exist|no such|\b404\b|could not find|unknown (id|message)",
    re.IGNORECASE,
)
_STATUS = re.compile(r"\b([45]\d\d)\b")
RECONNECT = "connect the account again"
_NO_ACCOUNT_CODES = (1803, 1810)  # "No connected account found", and its like
LONG = 300  # characters of a stranger's message that are passed on


class Missing(ProviderError):
    """The thing asked for is not there."""


def meaning(error: Exception, *, effect: bool) -> ProviderError:
    """The error in our words.

    Args:
        effect: the request could change something, so that a lost answer leaves it unknown.
    """
    import httpx
    from composio_client import APIConnectionError, APIResponseValidationError, APIStatusError

    if isinstance(error, APIStatusError):
        return _status(error, effect=effect)
    if isinstance(error, APIConnectionError):
        unsent = isinstance(
            error.__cause__, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
        )
        told = "did not answer in time" if "timed out" in str(error) else "cannot be reached"
        return ProviderError(
            f"Composio {told}", hint="try again later; check COMPOSIO_BASE_URL",
            retryable=True, unknown=effect and not unsent,
        )  # fmt: skip
    if isinstance(error, APIResponseValidationError):
        return ProviderError(
            "Composio answered with something that is not its protocol", unknown=effect,
            hint="try again later; if it stays, pin another toolkit version",
        )  # fmt: skip
    return ProviderError(f"Composio's SDK failed: {_cut(error)}", unknown=effect)


def refused(data: Any, message: str, *, effect: bool) -> ProviderError:
    """A tool that answered `successful: false`.

    With a 4xx it certainly did nothing. Without a word on that, a changing tool may have acted.
    """
    told = _cut(message or "the tool failed and does not say why")
    status = _status_of(data, message)
    if status in (404, 410) or (status is None and _NOT_THERE.search(message)):
        return Missing(told)
    if status == 401:
        return ProviderError(told, hint=RECONNECT, auth_expired=True)
    if status == 403:
        return ProviderError(
            told, hint="the account's scopes do not allow it: connect it with more"
        )
    if status == 429:
        return ProviderError(told, retryable=True, retry_after=_seconds(data))
    if status is not None and status < 500:
        return ProviderError(told, hint="change the arguments")
    return ProviderError(told, retryable=not effect, unknown=effect)


def _status(error: Any, *, effect: bool) -> ProviderError:
    status, told = int(error.status_code), _cut(error.message)
    details = error.details or {}
    about_account = bool(_NO_ACCOUNT.search(f"{details.get('slug', '')} {told}"))
    if (about_account and status in (400, 401, 403, 404, 410)) or details.get(
        "code"
    ) in _NO_ACCOUNT_CODES:
        return ProviderError(told, hint=RECONNECT, auth_expired=True)
    if status in (401, 403):
        return ProviderError(
            f"Composio did not accept the key: {told}", hint="set COMPOSIO_API_KEY"
        )
    if status == 404:
        return Missing(
            told, hint="the toolkit, tool or version is not there: look with another version"
        )
    if status == 429:
        after = error.response.headers.get("retry-after", "")
        return ProviderError(told, retryable=True, retry_after=_number(after))
    if status >= 500 or status == 408:
        return ProviderError(told, retryable=True, unknown=effect)
    return ProviderError(told, hint="change the arguments")


def _status_of(data: Any, message: str) -> int | None:
    for name in ("status_code", "statusCode", "status", "http_status"):
        found = data.get(name) if isinstance(data, dict) else None
        if str(found).isdigit() and 400 <= int(str(found)) < 600:
            return int(str(found))
    said = _STATUS.search(message)
    return int(said[1]) if said else None


def _seconds(data: Any) -> float:
    return _number(str(data.get("retry_after", "")) if isinstance(data, dict) else "")


def _number(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0


def _cut(error: object) -> str:
    """A stranger's words, on one line and not too many."""
    return " ".join(str(error).split())[:LONG]


def asked(call: Callable[[], Any], *, effect: bool) -> Any:
    """What a call of the SDK gives.

    Raises:
        ProviderError: it failed.
    """
    try:
        return call()
    except ProviderError:
        raise
    except Exception as error:  # the SDK's trees, and whatever a strange answer makes it raise
        raise meaning(error, effect=effect) from error
