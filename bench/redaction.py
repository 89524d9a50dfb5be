"""Redaction: whole spans found on a labelled corpus, what stays, and how fast, with each engine.

The corpus is made at run time (tests/telemetry/corpus.py): one set of countries the detectors were tried on,
one held out of that, one fresh. Speed is CPU time in one process, beside orjson reading and writing the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson
from bench.report import Line, Table
from bench.world import World

from aicp.telemetry.redaction import redact, scan
from telemetry.corpus import Record, records
from telemetry.corpus_values import FRESH, HELD_OUT, KINDS, LOCALES
from telemetry.measure import Score, measure
from telemetry.test_redaction import HARD

SEED = 11
LEAST = {"PHONE": 0.90, "NATIONAL_ID": 0.90}


def bench(place: World) -> list[Table]:
    """Quality on three corpora, then speed."""
    count = 1_000 if place.quick else 6_000
    sets = (
        ("known", LOCALES, count),
        ("held out", HELD_OUT, count // 2),
        ("fresh", FRESH, count // 2),
    )
    scores = {
        name: measure(records(SEED + i, n, locales)) for i, (name, locales, n) in enumerate(sets)
    }
    nowhere = measure(records(SEED, count // 2), with_region=False)
    tables = [_quality(name, score) for name, score in scores.items()]
    tables.append(_quality("known, tenant's country unknown", nowhere, bars=False))
    return [*tables, _variants(scores["known"], scores["held out"]), _speed(count // 4), _longest()]


def _quality(name: str, score: Score, *, bars: bool = True) -> Table:
    lines = [
        Line(kind, score.recall(f"kind: {kind}"), "recall", least=LEAST.get(kind, 0.97) if bars else None, note=f"{score.planted[f'kind: {kind}']} spans")
        for kind in KINDS
    ]  # fmt: skip
    lines += [
        Line("under sensitive keys", score.recall("key"), "recall", least=0.99, note=f"{score.planted['key']} values"),
        Line("precision", score.precision, "", least=0.97, note=f"{score.false} wrong of {score.hits}"),
        Line("clean records hit", score.clean_hit / max(score.clean, 1), "share", most=0.01, note=f"{score.clean_hit} of {score.clean}"),
        Line("ids damaged", score.damaged, "ids", most=0, note=f"of {score.kept}"),
        Line("records that leak", score.leaking / max(score.records, 1), "share", note=f"of {score.records}"),
    ]  # fmt: skip
    return Table("redaction", f"whole spans, {name}", tuple(lines))


def _variants(known: Score, held_out: Score) -> Table:
    names = sorted(n for n in known.planted if n.startswith("variant: "))
    return Table("redaction", f"{len(names)} variants, known and held out together", tuple(
        Line(name.removeprefix("variant: "), _both(known, held_out, name), "recall", least=0.95, note=f"{known.planted[name] + held_out.planted[name]} spans")
        for name in names
    ))  # fmt: skip


def _both(one: Score, other: Score, name: str) -> float:
    return (one.found[name] + other.found[name]) / max(one.planted[name] + other.planted[name], 1)


def _speed(count: int) -> Table:
    dirty, clean = (_as_json(records(SEED + 9, count, dirty=share)) for share in (0.66, 0.0))
    floor = _cpu(dirty, lambda record: orjson.loads(orjson.dumps(record)))
    before, lines = scan.engine(), []
    for name, least in (("hyperscan", 5.0), ("re2", None), ("re", 1.5)):
        scan.use(name)
        took = _cpu(dirty, redact)
        lines += [
            Line(f"{name}: two thirds of the records with finds", _size(dirty) / took / 1e6, "MB/s CPU", least=least, note=f"{took / len(dirty) * 1e6:.0f} us a record of {_size(dirty) / len(dirty):.0f} B"),
            Line(f"{name}: records with none", _size(clean) / _cpu(clean, redact) / 1e6, "MB/s CPU"),
        ]  # fmt: skip
        if name == "hyperscan":
            lines.append(
                Line("hyperscan: times orjson's read and write", took / floor, "x", most=20)
            )
    scan.use(before)
    return Table("redaction", "speed", tuple(lines))


def _as_json(made: object) -> list[dict]:
    def text(value: object) -> str:
        return value.decode() if isinstance(value, bytes) else str(value)

    rows: list[Record] = list(made)  # type: ignore[call-overload]
    return [orjson.loads(orjson.dumps(row.data, default=text)) for row in rows]


def _size(rows: list[dict]) -> int:
    return sum(len(orjson.dumps(row)) for row in rows)


def _cpu(rows: list[dict], work: Callable[[dict], object]) -> float:
    """The best of three rounds, in seconds of CPU."""
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        for row in rows:
            work(row)
        best = min(best, time.process_time() - began)
    return best


def _longest() -> Table:
    """The most CPU time that a text of 64 KB takes, over texts made to be slow."""
    worst, piece = 0.0, ""
    for part in HARD:
        for text in ((part * 65_536)[:65_536], ("password token @ :// " + part * 65_536)[:65_536]):
            took = min(_once(text) for _ in range(3))
            worst, piece = max((worst, piece), (took, part))
    return Table("redaction", "one text of 64 KB", (
        Line("slowest of the hard texts", worst * 1000, "ms CPU", most=50, note=f"{2 * len(HARD)} texts; slowest: {piece!r}"),
    ))  # fmt: skip


def _once(text: str) -> float:
    began = time.process_time()
    redact(text)
    return time.process_time() - began
