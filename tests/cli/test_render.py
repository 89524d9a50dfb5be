"""Text for a terminal, and the line every event becomes."""

from __future__ import annotations

import unicodedata

import click
from hypothesis import given
from hypothesis import strategies as st

from aicp.cli.render import Look, broken, cells, clean, fields, fit, table, when, wrap
from aicp.telemetry.catalogue import catalogue


@given(st.text())
def test_nothing_from_outside_can_steer_a_terminal(text):
    shown = clean(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs")]
    assert clean(shown) == shown


@given(st.text(), st.integers(1, 40))
def test_a_cut_text_never_takes_more_cells_than_it_may(text, width):
    assert cells(fit(clean(text), width)) <= width


@given(
    st.lists(st.tuples(st.sampled_from(["a", "ready"]), st.text(max_size=300)), max_size=8),
    st.integers(40, 120),
)
def test_a_table_on_a_terminal_stays_inside_it(rows, width):
    lines = list(table(rows, ("STATE", "TEXT"), Look(width, fits=True), indent=2))
    assert max(cells(click.unstyle(line)) for line in lines) <= width


@given(st.text(), st.integers(2, 40))
def test_broken_text_fits_and_loses_nothing_but_spaces(text, width):
    lines = broken(clean(text), width)
    assert max(map(cells, lines)) <= width
    assert "".join(lines).replace(" ", "") == clean(text).replace(" ", "")


def test_a_wrapping_column_goes_on_below_itself_and_hides_nothing():
    rows = [(1, "one two three four five six seven eight nine ten eleven")]
    lines = [
        click.unstyle(line) for line in table(rows, ("#", "WHAT"), Look(40, fits=True), wraps=True)
    ]
    assert lines == ["#  WHAT", "1  one two three four five six seven", "   eight nine ten eleven"]


def test_columns_align_by_cells_numbers_to_the_right_and_empty_columns_vanish():
    rows = [("名前", 7, "", "x"), ("ab", 110, "", "y")]
    lines = [click.unstyle(line) for line in table(rows, ("WHO", "N", "NONE", "C"), Look())]
    assert lines == ["WHO     N  C", "名前    7  x", "ab    110  y"]


def test_piped_tables_are_never_cut():
    long = "x" * 400
    assert long in "\n".join(table([("a", long)], ("A", "B"), Look()))


def test_long_values_wrap_under_themselves_and_empty_ones_vanish():
    lines = list(fields([("why", "word " * 20), ("gone", "")], Look(width=50)))
    plain = [click.unstyle(line) for line in lines]
    assert plain[0].startswith("  why  word")
    assert all(line.startswith("       word") and len(line) <= 50 for line in plain[1:])
    assert not any("gone" in line for line in plain)


def test_a_bullet_hangs_before_its_paragraph():
    lines = list(wrap("word " * 20, Look(width=40), indent=2, bullet="- "))
    assert lines[0].startswith("  - word")
    assert all(line.startswith("    word") for line in lines[1:])


def test_times_are_local_unless_utc_is_asked_for(monkeypatch):
    import time

    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        assert when("2026-11-23T01:30:00+00:00", Look()) == "2026-11-23 10:30"
        assert when("2026-11-23T01:30:00Z", Look(utc=True)) == "2026-11-23 01:30Z"
        assert when(None, Look()) == ""
    time.tzset()


def test_every_event_of_the_catalogue_has_its_words():
    from string import Formatter

    from aicp.cli.progress import SAYS

    special = {
        "mission_stage_transition", "execution_step_completed", "undo_step_completed", "hold_released",
    }  # fmt: skip
    plain = {
        "toolkit_selected",
        "execution_failed",
        "error_recovery_triggered",
    }  # their name says it
    shown = {e.name for e in catalogue().values() if e.emitted and e.scope == "mission"}
    assert shown - SAYS.keys() == special | plain
    for name, words in SAYS.items():
        used = {field for _, field, _, _ in Formatter().parse(words) if field}
        optional = {"undo_available": {"steps"}}.get(name, set())
        required = {one.name for one in catalogue()[name].required}
        assert used - optional <= required, name
