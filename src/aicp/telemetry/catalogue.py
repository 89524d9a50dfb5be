"""The events the product records, by name, with the context each must carry (domain.md 7, OB-5)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files


@cache
def catalogue() -> dict[str, frozenset[str]]:
    """Event name -> required context fields."""
    text = (files("aicp.telemetry") / "events.toml").read_text(encoding="utf-8")
    return {name: frozenset(entry["context"]) for name, entry in tomllib.loads(text).items()}


def missing(event_type: str, context: dict[str, object]) -> frozenset[str]:
    """The required fields a context lacks.

    Raises:
        KeyError: the event is not in the catalogue.
    """
    return catalogue()[event_type] - context.keys()
