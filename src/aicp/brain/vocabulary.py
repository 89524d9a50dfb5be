"""The grammar's own words, read once from the data file beside this module."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def data() -> dict[str, Any]:
    """The whole data file (data/words.toml)."""
    return tomllib.loads(files("aicp.brain").joinpath("data/words.toml").read_text("utf-8"))


@cache
def word_set(name: str) -> frozenset[str]:
    """One of the blank-separated lists: filler, entities, verbs."""
    return frozenset(data()[name].split())


@cache
def event_words() -> frozenset[str]:
    """Words for what date columns record: quiet, due, joined."""
    return frozenset(w for e in data()["events"].values() for p in e["words"] for w in p.split())


@cache
def reserved() -> frozenset[str]:
    """Words the grammar needs for itself: a cell that says one of them is no name for itself."""
    own = word_set("filler") | word_set("entities") | word_set("verbs")
    events = event_words()
    markers = {w for phrase in data()["exclusions"] for w in phrase.split()}
    rest = {*data()["superlatives"], *data()["tone"]["want"]["words"], *data()["number_words"]}
    return frozenset(own | events | markers | rest | {"last", "next", "first", "today", "weekday"})


def one_of(phrases: Iterable[str]) -> str:
    """A regular expression for any of the phrases, longest first, blanks or hyphens between."""
    ordered = sorted(set(phrases), key=lambda p: (-len(p), p))
    return "|".join(re.escape(p).replace(r"\ ", r"[\s\-]+") for p in ordered)
