"""Series of measurements: short rounds, interleaved, compared round by round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

Run = Callable[[], Sequence[float]]  # one round; seconds of each operation


def interleaved(runs: Mapping[str, Run], rounds: int) -> dict[str, list[list[float]]]:
    """Every run once a round, in turn and the next time the other way about; seconds by name and round.

    A neighbour's load then falls on all of them, and the ratio within a round stays fair.
    """
    found: dict[str, list[list[float]]] = {name: [] for name in runs}
    for number in range(rounds):
        names = list(runs)[:: 1 if number % 2 == 0 else -1]
        for name in names:
            found[name].append(list(runs[name]()))
    return found


def ratio(faster: Sequence[Sequence[float]], slower: Sequence[Sequence[float]]) -> float:
    """Throughput of `slower` as a share of that of `faster`: the median over the rounds."""
    return statistics.median(
        statistics.fmean(a) / statistics.fmean(b) for a, b in zip(faster, slower, strict=True)
    )


def flat(rounds: Sequence[Sequence[float]]) -> list[float]:
    return [seconds for one in rounds for seconds in one]


def percentile(seconds: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile, in milliseconds."""
    ordered = sorted(seconds)
    at = min(len(ordered) - 1, max(0, round(percent / 100 * len(ordered) + 0.5) - 1))
    return ordered[at] * 1000


def timed(work: Callable[[], object]) -> float:
    """Seconds one call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
