"""Carries requests to the other side of a webhook: reads at will, changes once for each key."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from jsonschema import Draft202012Validator

from aicp.kernel.canonical import sha256
from aicp.toolkits.model import Found, Json, Outcome, Reconciled
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.local.answers import Unreadable, failed_read, json_of, refusal
from aicp.toolkits.providers.local.fetch import Answer, fetch
from aicp.toolkits.providers.local.left import Gone, Left
from aicp.toolkits.providers.local.templates import at, filled_url
from aicp.toolkits.providers.local.web_address import web_address
from aicp.toolkits.providers.local.webhook_file import Declaration, ReadBack

HEADER = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
# A gateway lost its patience (504), or the same key is being worked on (409): what stands behind
# the answer may still be at it, so a read-back's no is no proof.
UNSETTLED = (409, 504)


@dataclass(frozen=True, slots=True)
class Request:
    """A call with everything filled in, and where to read back whether it happened."""

    method: str
    url: str
    body: bytes | None = None
    read_back: ReadBack | None = None
    read_back_url: str = ""


def requested(
    method: str, url: str, body: Json, read_back: ReadBack | None, values: Json
) -> Request:
    """The request of these parts; a GET carries its arguments in the query.

    Raises:
        ProviderError: a place in an address cannot be filled.
    """
    back = filled_url(read_back.url, values) if read_back else ""
    if method != "GET":
        said = json.dumps(body).encode() if body or method != "DELETE" else None
        return Request(method, url, said, read_back, back)
    pairs = {
        name: one if isinstance(one, str) else json.dumps(one) for name, one in sorted(body.items())
    }
    joint = "&" if "?" in url else "?"
    return Request(method, f"{url}{joint}{urlencode(pairs)}" if pairs else url, None)


class Courier:
    """The way to one other side."""

    def __init__(self, connection: Connection, declared: Declaration) -> None:
        self._connection = connection
        self._declared = declared
        self.left = Left(connection.work_dir, f"webhook {connection.account}")

    def read(self, request: Request) -> Any:
        """The JSON of a call that only reads.

        Raises:
            ProviderError: no answer, not a good one, or not JSON; never `unknown`.
        """
        answer = self._ask(request, {})
        failed = failed_read(answer, _place(request))
        if failed is not None:
            raise failed
        try:
            return json_of(answer)
        except Unreadable as error:
            raise ProviderError(
                f"{_place(request)}: {error}", hint="declare another call"
            ) from None

    def deliver(self, request: Request, key: str) -> Outcome:
        """Make a call that changes something, unless it was made under this key before.

        Raises:
            ProviderError: refused without effect, or `unknown`.
        """
        gone = self.left.gone(key)
        repeated = gone is Gone.MAYBE or (gone is Gone.UNKNOWN and request.read_back is not None)
        if repeated:
            found = self.look(request)
            if found.outcome is not None:
                return found.outcome
            if found.found is Found.UNCLEAR:
                raise ProviderError(found.why, hint="look at the other side", unknown=True)
        try:
            return self._send(request, key, repeated=repeated)
        except ProviderError as error:
            if not error.unknown:
                self.left.stayed(key)
            raise

    def look(self, request: Request) -> Reconciled:
        """What the read-back says about a call."""
        if request.read_back is None:
            return _unclear("nothing tells whether the call arrived: no read-back is declared")
        try:
            answer = self._ask(Request("GET", request.read_back_url), {})
            return _told(answer, request.read_back)
        except (ProviderError, Unreadable) as error:
            return _unclear(f"it cannot be read back: {error}")

    def _send(self, request: Request, key: str, *, repeated: bool) -> Outcome:
        try:
            answer = self._ask(request, {"Idempotency-Key": _header(key)}, key)
        except ProviderError as error:
            if not error.unknown:
                raise
            # The request may still be on its way: only a yes of the read-back settles it.
            return self._settled(request, error, by_no=False)
        error = refusal(answer, _place(request), repeated=repeated)
        if error is None:
            return _accepted(answer)
        if not error.unknown:
            raise error
        return self._settled(request, error, by_no=answer.status not in UNSETTLED)

    def _settled(self, request: Request, error: ProviderError, *, by_no: bool) -> Outcome:
        """The outcome, if the read-back knows the call; else why it failed."""
        found = self.look(request)
        if found.outcome is not None:
            return found.outcome
        if found.found is Found.NOT_DONE and by_no:
            raise ProviderError(
                f"{error.message.removesuffix(': the call may have happened')}, and nothing happened",
                hint="it is tried again",
                retryable=True,
                retry_after=error.retry_after,
            )
        raise error

    def _ask(self, request: Request, headers: dict[str, str], key: str = "") -> Answer:
        told = {"Accept": "application/json", **self._authorization(), **headers}
        if request.body is not None:
            told["Content-Type"] = "application/json"
        try:
            return fetch(
                web_address(request.url), request.method, headers=told, body=request.body,
                leaving=lambda: self.left.leaving(key) if key else None,
            )  # fmt: skip
        except ProviderError as error:
            if key or not error.unknown:
                raise
            raise ProviderError(error.message, hint="try again later", retryable=True) from None

    def _authorization(self) -> dict[str, str]:
        """The Authorization header, made when it is needed and kept nowhere.

        Raises:
            ProviderError: the secret is not stored, or holds what no header may; never its text.
        """
        name = self._declared.secret
        if not name:
            return {}
        value = f"{self._declared.scheme} {self._connection.secret(name)}".strip()
        if not HEADER.fullmatch(value):
            raise ProviderError(
                f"the secret '{name}' holds a line break or a letter that no header may hold",
                hint="store it again, on one line",
            )
        return {"Authorization": value}


def outcome_of(result: Any, unreadable: str = "") -> Outcome:
    """An accepted call's outcome; the answer's own words decide its version."""
    data: Json = {"result": result} | ({"unreadable": unreadable} if unreadable else {})
    return Outcome(data, sha256(json.dumps(data, sort_keys=True).encode())[:20])


def _accepted(answer: Answer) -> Outcome:
    """The call happened, whether or not its answer can be read."""
    try:
        return outcome_of(json_of(answer))
    except Unreadable as error:
        return outcome_of(None, str(error))


def _told(answer: Answer, back: ReadBack) -> Reconciled:
    """Yes, no or neither, by the status and the declared form of a yes."""
    if answer.status in (404, 410):
        return Reconciled(Found.NOT_DONE)
    if not 200 <= answer.status < 300:
        return _unclear(f"the read-back was answered with {answer.status}")
    body = json_of(answer)
    if back.done_when and not Draft202012Validator(back.done_when).is_valid(body):
        return Reconciled(Found.NOT_DONE)
    if body in (None, [], {}):
        return _unclear("the read-back was answered with nothing, which is neither yes nor no")
    return Reconciled(Found.DONE, outcome_of(at(body, back.result)))


def _unclear(why: str) -> Reconciled:
    return Reconciled(Found.UNCLEAR, why=why)


def _place(request: Request) -> str:
    return web_address(request.url).place


def _header(key: str) -> str:
    """A key as it is when a header may hold it, else 64 digits that stand for it."""
    return key if HEADER.fullmatch(key) and len(key) <= 200 else sha256(key.encode())
