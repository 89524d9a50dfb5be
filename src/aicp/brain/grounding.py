"""Whether a model's brief may be believed: its words exist, its columns and values exist, and it
takes nothing away from what the rules understood. One failed check refuses the whole answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from aicp.brain.amounts import AMOUNT, amount
from aicp.brain.brief import Brief, Chip, Condition
from aicp.brain.playbook import goal_words
from aicp.toolkits.model import Column, Resource

LISTS = ("in", "not_in")
ORDERED = ("gt", "ge", "lt", "le", "between")
NUMERIC, DATED = ("number", "money"), ("date", "datetime")
MODEL_CONFIDENCE = 0.7  # a model's own number is no rule: what only it read is Medium at most
MODEL_RULE = "read by the model; its words and values were checked"


def objections(said: Brief, own: Brief, resources: Sequence[Resource]) -> tuple[str, ...]:
    """Why `said` is not grounded, one sentence each; empty when it may be used.

    Args:
        own: the brief of the rules for the same intent.
    """
    return (
        *_words(said),
        *_ids(said),
        *_goal(said),
        *_rows(said, resources),
        *_kept(said, own),
        *_added(said, own),
    )


def merged(said: Brief, own: Brief) -> Brief:
    """The grounded brief: what both read keeps its rule, the rest is marked as the model's."""
    known = {_meaning(chip): chip for chip in own.chips}
    chips = tuple(known.get(_meaning(c)) or _marked(c) for c in said.chips)
    return own.model_copy(update={"brain": said.brain, "chips": chips})


def _marked(chip: Chip) -> Chip:
    update = {
        "confidence": min(chip.confidence, MODEL_CONFIDENCE),
        "rule": MODEL_RULE,
        "source": "generated",
    }
    return chip.model_copy(update=update)


def _meaning(chip: Chip) -> str:
    """A chip without its wording: two chips of one meaning are the same."""
    guard = chip.safeguard.model_dump_json(include={"kind", "params"}) if chip.safeguard else ""
    goal = chip.goal.model_dump_json(exclude={"verb"}) if chip.goal else ""
    audience = chip.audience.model_dump_json() if chip.audience else ""
    return f"{chip.kind}|{goal}|{audience}|{guard}|{sorted(chip.data.items())}"


def _words(said: Brief) -> Iterator[str]:
    for chip in said.chips:
        if not chip.spans and chip.source != "default":
            yield f"{chip.id} shows no words of the intent."
        if chip.source == "user":
            yield f"{chip.id} claims to come from a person."
        for s in chip.spans:
            inside = 0 <= s.start < s.end <= len(said.intent)
            if not inside or said.intent[s.start : s.end] != s.text:
                yield f"{chip.id} quotes words that do not stand there."


def _ids(said: Brief) -> Iterator[str]:
    ids = [chip.id for chip in said.chips]
    if len(set(ids)) != len(ids):
        yield "Two parts have the same id."
    for chip in said.chips:
        numbered = chip.kind in ("kpi", "timeline", "safeguard")
        if not re.fullmatch(rf"{chip.kind}-\d{{1,3}}" if numbered else chip.kind, chip.id):
            yield f"'{chip.id[:40]}' is no id of a {chip.kind}."
        if not 0 <= chip.confidence <= 1:
            yield f"{chip.id} has a confidence outside 0 to 1."


def _goal(said: Brief) -> Iterator[str]:
    goal = said.objective.goal if said.objective else None
    if goal and goal.goal and goal.goal not in goal_words():
        yield f"No play has the goal '{goal.goal[:40]}'."


def _rows(said: Brief, resources: Sequence[Resource]) -> Iterator[str]:
    audience = said.audience
    if audience is None:
        return
    table = next(
        (r for r in resources if r.toolkit == "table" and r.account == audience.account), None
    )
    if table is None:
        yield f"There is no table '{audience.account[:40]}'."
        return
    columns = {c.name: c for c in table.columns}
    if audience.order_by and audience.order_by not in columns:
        yield f"The table has no column '{audience.order_by[:40]}'."
    for condition in (*audience.where, *audience.exclude):
        column = columns.get(condition.column)
        if column is None:
            yield f"The table has no column '{condition.column[:40]}'."
        elif not _typed(condition, column):
            yield f"The condition on {column.name} is not of its type, or its value is not in the table."


def _typed(c: Condition, column: Column) -> bool:
    if c.op in ("empty", "filled"):
        return c.value is None
    if c.op in LISTS or c.op == "between":
        values = c.value if isinstance(c.value, list) else []
        if not values or (c.op == "between" and len(values) != 2):
            return False
    else:
        values = [c.value]
    if c.op in ORDERED and column.kind not in (*NUMERIC, *DATED):
        return False
    return all(_value_fits(value, column) for value in values)


def _value_fits(value: Any, column: Column) -> bool:
    if column.kind in NUMERIC:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if column.kind in DATED:
        return isinstance(value, str) and _is_date(value)
    if column.kind == "bool":
        return isinstance(value, bool)
    return isinstance(value, str) and (not column.values or value in column.values)


def _is_date(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _kept(said: Brief, own: Brief) -> Iterator[str]:
    """A model may add; it may not drop or loosen what the rules are sure of."""
    guards = [(s.kind, s.params) for s in said.safeguards]
    for guard in own.safeguards:
        if (guard.kind, guard.params) not in guards:
            yield f"The safeguard '{guard.text}' is missing."
    if own.objective and (said.objective is None or said.objective.goal != own.objective.goal):
        yield "The objective is another one than the words say."
    mine, theirs = own.audience, said.audience
    if mine is None:
        return
    if theirs is None or theirs.account != mine.account:
        yield "The audience is missing or of another table."
        return
    lost = [c for c in mine.where if c not in theirs.where]
    lost += [c for c in mine.exclude if c not in theirs.exclude]
    for c in lost:
        yield f"The condition on {c.column} is missing."
    if mine.limit is not None and (theirs.limit is None or theirs.limit > mine.limit):
        yield f"The limit of {mine.limit} rows is missing."
    if mine.order_by and (theirs.order_by, theirs.descending) != (mine.order_by, mine.descending):
        yield "The order is another one than the words say."


def _added(said: Brief, own: Brief) -> Iterator[str]:
    """What only the model read: no number, date or rule of its own making."""
    known = {_meaning(chip) for chip in own.chips}
    for chip in said.chips:
        if _meaning(chip) in known:
            continue
        numbers = {amount(m) for s in chip.spans for m in re.findall(f"({AMOUNT})", s.text.lower())}
        if chip.audience:
            yield from _new_values(chip, own, numbers)
        elif chip.goal and chip.goal.params:
            yield "The objective has parameters nobody said."
        elif chip.kind == "timeline":
            yield f"{chip.id} has a date the rules did not read."
        elif chip.kind == "kpi" and chip.data.get("value") not in numbers:
            yield f"{chip.id} has a number that does not stand in its words."
        elif chip.safeguard and not _tightens(chip, numbers):
            yield f"{chip.id} is a rule the words do not say."


def _new_values(chip: Chip, own: Brief, numbers: set[int | float | None]) -> Iterator[str]:
    mine = own.audience
    known = (*mine.where, *mine.exclude) if mine else ()
    new = (
        [c for c in (*chip.audience.where, *chip.audience.exclude) if c not in known]
        if chip.audience
        else []
    )
    for c in new:
        values = c.value if isinstance(c.value, list) else [c.value]
        if any(
            isinstance(v, int | float) and not isinstance(v, bool) and v not in numbers
            for v in values
        ):
            yield f"The number in the condition on {c.column} does not stand in the words."
        if any(isinstance(v, str) and _is_date(v) for v in values):
            yield f"The date in the condition on {c.column} was not read by the rules."
    limit = chip.audience.limit if chip.audience else None
    if limit is not None and limit not in numbers and (mine is None or limit != mine.limit):
        yield "The limit does not stand in the words."


def _tightens(chip: Chip, numbers: set[int | float | None]) -> bool:
    """A new tone rule of plain words, or a cap whose number stands in its words."""
    guard = chip.safeguard
    if guard is None:
        return False
    if guard.kind == "tone":
        lists = [guard.params.get(k, []) for k in ("forbid", "want")]
        plain = all(isinstance(x, list) and all(isinstance(w, str) for w in x) for x in lists)
        return plain and set(guard.params) <= {"forbid", "want"}
    if guard.kind == "budget":
        return set(guard.params) <= {"max_recipients", "max_calls"} and all(
            isinstance(v, int) and v in numbers for v in guard.params.values()
        )
    return guard.kind in ("records", "privacy", "rollback") and not guard.params
