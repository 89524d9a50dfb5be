"""One web address looked at: what it answers, how fast, and how often well. It only reads."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from aicp.kernel.canonical import digest
from aicp.toolkits.model import (
    BeforeImage,
    Call,
    Json,
    Outcome,
    Reconciled,
    Resource,
    ToolSpec,
    UndoResult,
    UndoTier,
)
from aicp.toolkits.providers import Where
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.local.answers import words
from aicp.toolkits.providers.local.checked import checked, schema_of
from aicp.toolkits.providers.local.fetch import Answer, fetch
from aicp.toolkits.providers.local.web_address import web_address

EXCERPT = 2_000  # characters of a body
SHOWN = ("content-type", "content-length", "cache-control", "date", "etag", "last-modified",
         "location", "retry-after", "server")  # fmt: skip
_MS: Json = {"type": "number", "minimum": 1, "maximum": 15_000}

GET = ToolSpec(
    "http.get",
    "Look at the address",
    "Ask once: status, milliseconds, some headers, the beginning of the body.",
    schema_of(),
    mutates=False,
    undo_tier=UndoTier.T0,
    scope="http:read",
    untrusted=True,
)
THRESHOLD = ToolSpec(
    "http.threshold",
    "Measure the address",
    "Ask several times, one after the other: the share of good answers, and how fast they are."
    " Good is a status below 400 within the milliseconds given.",
    schema_of(
        ("probes",),
        probes={"type": "integer", "minimum": 1, "maximum": 20},
        within_ms=_MS,
        min_ok_ratio={"type": "number", "minimum": 0, "maximum": 1},
        max_p95_ms=_MS,
    ),
    mutates=False,
    undo_tier=UndoTier.T0,
    scope="http:read",
)
TOOLS = (GET, THRESHOLD)


class HttpCheck:
    """The address of one connection; nothing else can be asked through it."""

    def __init__(
        self, connection: Connection, *, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self.connection = connection
        self._address = web_address(str(connection.config.get("url", "")))
        self._timer = timer

    def tools(self) -> tuple[ToolSpec, ...]:
        return TOOLS

    def describe(self) -> Resource:
        """What would be asked. It is not asked yet: a service that is down may be checked, too."""
        return Resource(
            toolkit="http",
            account=self.connection.account,
            title=f"{self.connection.account}: an address to check",
            version=self.state_hash(),
            tools=tuple(tool.name for tool in TOOLS),
            facts={"url": self._address.url},
        )

    def read(self, call: Call) -> Json:
        checked(TOOLS, call, mutates=False)
        if call.tool == GET.name:
            return self._get()
        return _measured([self._probe() for _ in range(call.args["probes"])], call.args)

    def before(self, call: Call) -> BeforeImage:
        _refuse(call)

    def execute(self, call: Call, before: BeforeImage) -> Outcome:  # noqa: ARG002, the protocol's form
        _refuse(call)

    def verify(self, call: Call, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:  # noqa: ARG002
        _refuse(call)

    def reconcile(self, call: Call, before: BeforeImage) -> Reconciled:  # noqa: ARG002
        _refuse(call)

    def undo(self, call: Call, before: BeforeImage, outcome: Outcome) -> UndoResult:  # noqa: ARG002
        _refuse(call)

    def release(self, call: Call, outcome: Outcome) -> Outcome:  # noqa: ARG002
        _refuse(call)

    def reconcile_release(self, call: Call, outcome: Outcome) -> Reconciled:  # noqa: ARG002
        _refuse(call)

    def state_hash(self) -> str:
        """Of the address: there is nothing this connection can change."""
        return digest({"url": self._address.url})

    @contextmanager
    def rehearsal(self) -> Iterator[HttpCheck]:
        yield self

    def _get(self) -> Json:
        answer = self._ask()
        text = words(answer.body.decode("utf-8", "replace"))
        return {
            "status": answer.status,
            "ms": _ms(answer.seconds),
            "headers": {name: words(answer.headers[name])[:200] for name in SHOWN if name in answer.headers},
            "body": text[:EXCERPT],
            "cut": answer.cut or len(text) > EXCERPT,
        }  # fmt: skip

    def _probe(self) -> tuple[str, float]:
        """What one try came to ("200", or "no answer") and its milliseconds."""
        begun = self._timer()
        try:
            answer = self._ask()
        except ProviderError as error:
            if not error.retryable:
                raise
            return "no answer", _ms(self._timer() - begun)
        return str(answer.status), _ms(answer.seconds)

    def _ask(self) -> Answer:
        try:
            return fetch(self._address, "GET", timer=self._timer)
        except ProviderError as error:
            raise ProviderError(
                error.message, hint=error.hint, retryable=error.retryable or error.unknown
            ) from None


def _measured(probes: list[tuple[str, float]], args: Json) -> Json:
    """The counts of some probes, and whether they meet what was asked."""
    within = args.get("within_ms", math.inf)
    good = [
        ms for status, ms in probes if status.isdecimal() and int(status) < 400 and ms <= within
    ]
    times = sorted(ms for _, ms in probes)
    found: Json = {
        "probes": len(probes),
        "ok": len(good),
        "ok_ratio": round(len(good) / len(probes), 4),
        "p50_ms": _quantile(times, 0.5),
        "p95_ms": _quantile(times, 0.95),
        "answers": dict(sorted(Counter(status for status, _ in probes).items())),
    }
    enough = found["ok_ratio"] >= args.get("min_ok_ratio", 1)
    return found | {"met": enough and found["p95_ms"] <= args.get("max_p95_ms", math.inf)}


def _quantile(times: list[float], share: float) -> float:
    """The nearest-rank quantile: a time that was really measured."""
    return times[math.ceil(share * len(times)) - 1]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _refuse(call: Call) -> NoReturn:
    checked(TOOLS, call, mutates=True)
    raise ProviderError(f"{call.tool} only reads")


def named(target: str, where: Where) -> Connection:
    """The connection of `--connect check:URL`.

    Raises:
        ProviderError: it is not an http or https address.
    """
    address = web_address(target)
    account = f"{address.place}{address.target.partition('?')[0]}"
    return Connection("http", account, {"url": address.url}, where.work_dir)
