"""How well a redactor does on a corpus: recall of whole spans, precision, clean records, ids."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aicp.telemetry.redaction import Context, Finding, explain, redact
from aicp.telemetry.redaction.markers import MARKER
from telemetry.corpus import Planted, Record
from telemetry.corpus_values import region_of


@dataclass(slots=True)
class Score:
    """Counts; `missed` and `wrong` name examples for whoever mends the redactor."""

    planted: Counter[str] = field(
        default_factory=Counter
    )  # "kind: EMAIL", "variant: base64", "key"
    found: Counter[str] = field(default_factory=Counter)
    hits: int = 0
    false: int = 0
    clean: int = 0
    clean_hit: int = 0
    kept: int = 0
    damaged: int = 0
    records: int = 0
    leaking: int = 0
    missed: list[tuple[str, str, str, Any, Any]] = field(default_factory=list)
    wrong: list[tuple[str, Any, Any]] = field(default_factory=list)

    def recall(self, name: str) -> float:
        return self.found[name] / self.planted[name] if self.planted[name] else 1.0

    @property
    def precision(self) -> float:
        return 1 - self.false / self.hits if self.hits else 1.0


def measure(records: Iterable[Record], *, with_region: bool = True) -> Score:
    """Redact every record as its tenant's and count.

    Args:
        with_region: the tenant says in which country it is.
    """
    score = Score()
    for record in records:
        context = Context(regions=(region_of(record.locale),) if with_region else ())
        out, found = redact(record.data, context), explain(record.data, context)
        score.records += 1
        leaks = sum(not _count(score, record, planted, out) for planted in record.planted)
        score.leaking += leaks > 0
        _precision(score, record, found, out)
        told = json.dumps(out, ensure_ascii=False, default=str)
        score.kept += len(record.keep)
        score.damaged += sum(text not in told for text in record.keep)
    return score


def _count(score: Score, record: Record, planted: Planted, out: dict[str, Any]) -> bool:
    names = [f"variant: {planted.variant}"]
    if planted.variant.startswith("key: "):
        names.append("key")
    else:
        names.append(f"kind: {planted.value.kind}")
        names.append(f"flavour: {planted.value.kind} {planted.value.flavour}")
    whole = is_gone(planted, out[planted.field])
    for name in names:
        score.planted[name] += 1
        score.found[name] += whole
    if not whole:
        score.missed.append(
            (
                planted.value.kind,
                planted.value.flavour,
                planted.variant,
                record.data[planted.field],
                out[planted.field],
            )
        )
    return whole


def is_gone(planted: Planted, told: Any) -> bool:
    """Whether no character of a planted value is left: what remains stood before or after it."""
    if isinstance(told, str) and _within(planted, told, whole=True):
        return True
    try:
        inner = planted.unwrap(told)
    except Exception:  # noqa: BLE001  its writing is gone: then only markers may be left of it
        inner = told if isinstance(told, str) else json.dumps(told)
        return (
            all(part.strip() in _AROUND for part in MARKER.split(inner))
            and MARKER.search(inner) is not None
        )
    return isinstance(inner, str) and _within(planted, inner, whole=False)


_AROUND = ("", "payload", "received", "request", "refused", "ValueError:")


def _within(planted: Planted, text: str, *, whole: bool) -> bool:
    parts = MARKER.split(text)
    if len(parts) < 2:
        return False
    if whole:
        return not any(part.strip() for part in parts)
    before, after = planted.before, planted.after
    ends = before.startswith(parts[0]) and after.endswith(parts[-1])
    return ends and all(part in before or part in after for part in parts[1:-1])


def _precision(score: Score, record: Record, found: list[Finding], out: dict[str, Any]) -> None:
    fields = {planted.field for planted in record.planted}
    false = [f for f in found if f.pointer.split("/")[1] not in fields]
    score.hits += len(found)
    score.false += len(false)
    for finding in false:
        name = finding.pointer.split("/")[1]
        score.wrong.append((finding.kind, record.data.get(name), out.get(name)))
    for planted in record.planted:  # what stood around it has gone with it
        if (planted.before or planted.after) and _swallowed(planted, out[planted.field]):
            score.false += 1
            score.wrong.append(
                (
                    f"around {planted.value.kind} {planted.variant}",
                    record.data[planted.field],
                    out[planted.field],
                )
            )
    if not record.planted:
        score.clean += 1
        score.clean_hit += bool(found)


def _swallowed(planted: Planted, told: Any) -> bool:
    """More than three characters of the words around are gone, where the text itself is still there."""
    try:
        inner = planted.unwrap(told)
    except Exception:  # noqa: BLE001
        return False
    if (
        not isinstance(inner, str)
        or len(parts := MARKER.split(inner)) < 2
        or not any(p.strip() for p in parts)
    ):
        return False
    left = len(planted.before) - len(planted.value.lead) - len(parts[0])
    right = len(planted.after) - len(planted.value.trail) - len(parts[-1])
    return len(parts) == 2 and (left > 3 or right > 3)
