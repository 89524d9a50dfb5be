"""The plays as data files: what each is for, what it needs, and the steps it would take."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import Field

from aicp.trust.plan import Frozen


class ColumnRole(Frozen):
    """How a play finds the column it needs: by kind, then by words of the name."""

    kinds: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    required: bool = False
    why: str = ""


class Param(Frozen):
    """A setting of a play with its default; the brief's objective may set it."""

    type: Literal["integer", "text", "column", "value"]
    default: Any = None
    required: bool = False
    text: str  # what it means, for people


class Match(Frozen):
    """Words by which an intent asks for the goal."""

    strong: tuple[str, ...] = ()  # verbs that name the goal alone
    verbs: tuple[str, ...] = ()  # verbs that name it together with a noun
    nouns: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()  # more words of the play's card, for finding near plays
    examples: tuple[str, ...] = ()


class StepTemplate(Frozen):
    """One step for each row (or group of rows). Slots in braces are filled with bound values."""

    name: str  # other steps refer to it
    tool: str
    group: str
    args: dict[str, Any]
    effect: str
    subject: str = ""
    refs: dict[str, dict[str, str]] = Field(default_factory=dict)  # arg -> {step, path}
    needs: tuple[str, ...] = ()  # slots without which the step is left out
    optional: bool = False  # left out, and noted, when its tool or columns are missing


class PlayFile(Frozen):
    """One play as written in plays/*.toml."""

    id: str
    goal: str
    title: str
    summary: str
    order: int  # among the plays of a goal, when scores are equal
    binder: Literal["rows", "phones", "duplicates"]
    channel: str = ""  # set when the play is for people who said so: "drafts", "calendar"
    match: Match = Match()
    tools: tuple[str, ...]
    reads: tuple[str, ...]
    columns: dict[str, ColumnRole] = Field(default_factory=dict)
    params: dict[str, Param] = Field(default_factory=dict)
    covers: tuple[str, ...]
    impact: dict[str, int]  # most rows for low, medium, high
    seconds: dict[str, float]  # per counted thing
    texts: dict[str, str] = Field(default_factory=dict)
    steps: tuple[StepTemplate, ...]
    notes: tuple[str, ...] = ()


@cache
def plays() -> tuple[PlayFile, ...]:
    """Every play file, in a stable order."""
    folder = files("aicp.brain").joinpath("plays")
    found = [
        PlayFile.model_validate(tomllib.loads(entry.read_text("utf-8")))
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    ]
    return tuple(sorted(found, key=lambda play: (play.goal, play.order, play.id)))


@cache
def goal_words() -> dict[str, Match]:
    """Each goal with the words of all its plays."""
    goals: dict[str, Match] = {}
    for play in plays():
        known = goals.get(play.goal, Match())
        joined = {k: (*getattr(known, k), *getattr(play.match, k)) for k in Match.model_fields}
        goals[play.goal] = Match(**joined)
    return goals


def examples() -> tuple[str, ...]:
    """What can be asked: one or two sentences for each goal."""
    return tuple(example for match in goal_words().values() for example in match.examples)
