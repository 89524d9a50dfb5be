"""A fixed sample of the corpus holds the bars of telemetry.md B5; `python -m bench redaction` measures more."""

from __future__ import annotations

import pytest

from aicp.telemetry import detectors
from aicp.telemetry.redaction import redact
from telemetry.corpus import DISGUISES, KEYS, SETTINGS, WRITINGS, records
from telemetry.corpus_values import FRESH, HELD_OUT, KINDS, LOCALES, make
from telemetry.measure import Score, measure

LEAST = {"PHONE": 0.90, "NATIONAL_ID": 0.90}  # the others .97


@pytest.fixture(scope="module", params=["known", "held out"])
def score(request: pytest.FixtureRequest) -> Score:
    known = request.param == "known"
    return measure(records(20_261_128 + known, 1000, LOCALES if known else HELD_OUT))


def test_the_corpus_is_as_wide_as_it_says() -> None:
    assert len(LOCALES) >= 20
    assert len({*LOCALES, *HELD_OUT, *FRESH}) >= 45
    assert len(WRITINGS) + len(DISGUISES) + len(SETTINGS) + len(KEYS) >= 35


def test_whole_spans_are_found_for_every_kind(score: Score) -> None:
    recall = {kind: score.recall(f"kind: {kind}") for kind in KINDS}
    assert {k: r for k, r in recall.items() if r < LEAST.get(k, 0.97)} == {}, score.missed[:10]
    assert all(score.planted[f"kind: {kind}"] >= 40 for kind in KINDS)


def test_what_stands_under_a_sensitive_key_is_gone(score: Score) -> None:
    assert score.planted["key"] >= 200
    assert score.recall("key") >= 0.99, [m for m in score.missed if m[2].startswith("key")]


def test_no_disguise_and_no_writing_hides_it(score: Score) -> None:
    names = [name for name in score.planted if name.startswith("variant: ")]
    assert len(names) >= 35
    few = {
        n for n in names if score.planted[n] - score.found[n] <= 1
    }  # one miss of ten proves nothing
    assert {n: score.recall(n) for n in names if n not in few and score.recall(n) < 0.95} == {}


def test_what_is_nothing_stays(score: Score) -> None:
    assert score.precision >= 0.97, score.wrong[:10]
    assert score.clean_hit <= 0.01 * score.clean, score.wrong[:10]
    assert score.damaged == 0
    assert score.kept >= 5_000


def test_the_second_detectors_find_little_in_what_was_redacted() -> None:
    """They share nothing with the first; what both of them pass is less likely to be there."""
    dirty = [r for r in records(7, 250) if r.planted]
    before = sum(any(detectors.suspects(_json(r.data))) for r in dirty)
    after = [
        (s.kind, redact(r.data)[s.pointer.split("/")[1]])
        for r in dirty
        for s in detectors.suspects(redact(r.data))
        if _field(s.pointer)
    ]
    assert before >= 0.5 * len(dirty)
    assert len(after) <= 0.02 * len(dirty), after[:9]


def _field(pointer: str) -> bool:
    return pointer.startswith("/f")


def _json(data: dict) -> dict:
    return {k: v if not isinstance(v, bytes | Exception) else str(v) for k, v in data.items()}


def test_every_country_has_values_to_find() -> None:
    from random import Random

    made = {make("NATIONAL_ID", locale, Random(locale)).flavour for locale in (*LOCALES, *HELD_OUT)}
    assert len(made) >= 12
