"""Take in a request of spans or log records: what can be kept is kept, and what cannot is counted and told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aicp.telemetry.otlp.names import renamed
from aicp.telemetry.otlp.values import attributes_of, scope_of, time_of
from aicp.telemetry.redaction import Context, redact

OLDEST = timedelta(days=30)
AHEAD = timedelta(minutes=5)  # how far a sender's clock may run before ours
MOST = 20_000  # records of one request
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Read:
    """The rows of a request, redacted, and why some of it is not among them (reason -> how many)."""

    rows: list[Row]
    rejected: Counter[str]

    @property
    def message(self) -> str:
        return "; ".join(f"{n} not taken: {why}" for why, n in self.rejected.items())


def read(
    resources: Any, scopes: str, records: str, row_of: Callable[..., Row], *, tenant: str, at: datetime
) -> Read:  # fmt: skip
    """Every record of a request as a row.

    Args:
        scopes, records: the names of the parts ("scope_spans", "spans").
        row_of: a record, what is said of it by its scope, its resource and the redaction's context -> its row.
        tenant: whose it is; what a payload says of that is an attribute like others.
    """
    context = Context(tenant)
    rows: list[Row] = []
    rejected: Counter[str] = Counter()
    for place, (record, scope, resource) in enumerate(_each(resources, scopes, records, context)):
        if place >= MOST:
            rejected[f"a request holds at most {MOST}"] += 1
            continue
        try:
            rows.append(row_of(record, scope, resource, context, at))
        except ValueError as error:
            rejected[str(error)] += 1
    return Read(rows, rejected)


def _each(
    resources: Any, scopes: str, records: str, context: Context
) -> Iterator[tuple[Any, Row, Row]]:
    for one in resources:
        resource = redact(renamed(attributes_of(one.resource.attributes)), context)
        for part in getattr(one, scopes):
            scope = scope_of(part.scope)
            for record in getattr(part, records):
                yield record, scope, resource


def moment(nanoseconds: int, at: datetime) -> datetime:
    """The time of a record, when it is one that is kept.

    Raises:
        ValueError: there is none, it is over 30 days ago, or ahead of now.
    """
    time = time_of(nanoseconds)
    if not at - OLDEST <= time <= at + AHEAD:
        raise ValueError("its time is over 30 days ago or ahead of now")
    return time


def hexadecimal(data: bytes, size: int, what: str, *, needed: bool = True) -> str:
    """An id as it is written; "" where there is none and none is needed.

    Raises:
        ValueError: it is of another size, or all zero.
    """
    if not needed and not any(data):
        return ""
    if len(data) != size or not any(data):
        raise ValueError(f"its {what} id is not one")
    return data.hex()
