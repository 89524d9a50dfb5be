"""The rule table behind every confidence: a number is never given without its sentence.

>= .8 is High, .5 to .8 Medium, below Needs Review: such a chip must be edited or accepted.
A chip made of several parts has the confidence, and the rule, of its weakest part.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    confidence: float
    why: str


RULES = {
    "column": Rule(0.95, "the words are a column's name"),
    "value": Rule(0.95, "the words are a value this column holds"),
    "column_part": Rule(0.85, "the word is part of one column's name only"),
    "initials": Rule(0.85, "the letters are the initials of one column's name"),
    "value_part": Rule(0.8, "the word is part of one value only"),
    "synonym": Rule(0.7, "the word means the same as one in the column's name"),
    "spelling_column": Rule(0.6, "one letter differs from a column's name"),
    "spelling_value": Rule(0.45, "one letter differs from a value the column holds"),
    "only_money": Rule(0.8, "an amount of money, and the table has one money column"),
    "only_date": Rule(0.7, "a time without a column, and the table has one date column"),
    "event": Rule(0.85, "the word names what this date column records"),
    "quiet_in": Rule(0.85, "gone quiet in a period: the last activity lies in it"),
    "idle_in": Rule(0.6, "idle in a period is read as: no last activity inside it"),
    "period": Rule(0.85, "a period without a year is the last completed one"),
    "negated_name": Rule(0.8, "'un-' turns a yes/no column around"),
    "limit": Rule(0.95, "a number beside a superlative counts the rows"),
    "plain_limit": Rule(0.7, "a number before the rows' noun counts them"),
    "order_named": Rule(0.95, "the order names its column"),
    "order_same": Rule(0.8, "a superlative orders by the column the words compare"),
    "order_only": Rule(0.8, "a superlative orders by the table's only fitting column"),
    "order_guess": Rule(0.45, "several columns fit the superlative; the first one was taken"),
    "first_rows": Rule(0.6, "'first' without a column keeps the table's order"),
    "unread_words": Rule(
        0.4, "some words were not understood, and they may mean fewer rows than these"
    ),
    "whole_table": Rule(0.7, "no filter was named: every row is meant"),
    "goal_verb_noun": Rule(0.95, "verb and noun name one thing a play does"),
    "new_name": Rule(0.45, "nobody of this name is in the column yet"),
    "goal_verb": Rule(0.85, "the verb names one thing a play does"),
    "window": Rule(0.95, "days and times are written out"),
    "window_zone_default": Rule(0.8, "no zone named: the recipients' own, from the table"),
    "window_zone_missing": Rule(0.4, "no zone named and no zone column: UTC was taken"),
    "window_hours": Rule(0.7, "business hours are read as Monday to Friday, 09:00 to 17:00"),
    "window_pm": Rule(0.6, "an end before the start is read as afternoon"),
    "exclusion": Rule(0.95, "the exclusion names a column or value of the table"),
    "address": Rule(0.95, "an e-mail address is written out"),
    "tone": Rule(0.9, "the word is in the list of tones"),
    "cap": Rule(0.95, "a cap with its number and unit"),
    "kpi": Rule(0.9, "a known measure with a number"),
    "due": Rule(0.9, "a date is written out or follows from today"),
    "policy": Rule(0.9, "the words name a rule this system always keeps"),
    "default": Rule(1.0, "taken for every mission that names none of its kind"),
    "person": Rule(1.0, "a person wrote it"),
    "accepted": Rule(1.0, "a person accepted it"),
}


def weakest(names: Iterable[str]) -> Rule:
    """The rule with the lowest confidence; ties keep the first."""
    return min((RULES[name] for name in names), key=lambda rule: rule.confidence)
