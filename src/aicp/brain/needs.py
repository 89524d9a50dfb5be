"""What must be read before a play can be bound: the requests the Inspector carries out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from aicp.brain.brief import Audience, Brief, Condition, ReadRequest
from aicp.brain.columns import own_columns
from aicp.brain.playbook import PlayFile, plays
from aicp.brain.text import name_words
from aicp.toolkits.model import Resource

FOLLOW_UP_MINUTES = 30
MOST_SLOTS = 200


def candidates(brief: Brief) -> tuple[PlayFile, ...]:
    """The plays for the brief's goal; words like 'drafts only' leave no others."""
    goal = brief.objective.goal if brief.objective else None
    if goal is None or not goal.goal:
        return ()
    channel = goal.params.get("channel", "")
    return tuple(
        p for p in plays() if p.goal == goal.goal and (not channel or p.channel == channel)
    )


def table_of(brief: Brief, resources: Sequence[Resource]) -> Resource | None:
    account = brief.audience.account if brief.audience else ""
    return next((r for r in resources if r.toolkit == "table" and r.account == account), None)


def needs(
    brief: Brief, resources: Sequence[Resource], *, now: datetime | None = None
) -> tuple[ReadRequest, ...]:
    """Every read the candidate plays want, under stable ids.

    rows: the selected rows · left-1, left-2, ...: how many rows each condition leaves ·
    excluded-1, ...: the rows each exclusion keeps out · groups: rows that are the same thing ·
    slots: free times for follow-ups (only with `now`, which the calendar counts from).
    """
    table, audience = table_of(brief, resources), brief.audience
    wanted = {read for play in candidates(brief) for read in play.reads}
    if table is None or audience is None or not wanted:
        return ()
    found = [_rows(table, audience), *_left(table, audience), *_excluded(table, audience)]
    if "groups" in wanted:
        found.append(_groups(brief, table))
    calendar = next((r for r in resources if r.toolkit == "calendar"), None)
    if "slots" in wanted and calendar is not None and now is not None:
        found.append(_slots(brief, calendar, now, audience))
    return tuple(found)


def _select(table: Resource, read_id: str, args: dict[str, Any], purpose: str) -> ReadRequest:
    return ReadRequest(
        id=read_id, toolkit="table", account=table.account, tool="table.select", args=args, purpose=purpose
    )  # fmt: skip


def _plain(conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    return [
        c.model_dump(exclude={"value"} if c.op in ("empty", "filled") else set())
        for c in conditions
    ]


def _rows(table: Resource, audience: Audience) -> ReadRequest:
    args: dict[str, Any] = {"where": _plain(audience.where), "exclude": _plain(audience.exclude)}
    if audience.order_by:
        args |= {"order_by": audience.order_by, "descending": audience.descending}
    if audience.limit is not None:
        args["limit"] = audience.limit
    return _select(table, "rows", args, f"The rows of {table.account} the mission is about.")


def _left(table: Resource, audience: Audience) -> list[ReadRequest]:
    return [
        _select(table, f"left-{n}", {"where": _plain(audience.where[:n]), "limit": 0},
                f"How many rows the first {n} conditions leave.")
        for n in range(1, len(audience.where) + 1)
    ]  # fmt: skip


def _excluded(table: Resource, audience: Audience) -> list[ReadRequest]:
    emails = own_columns(table.columns, "email")
    columns = {"columns": emails} if emails else {}
    return [
        _select(table, f"excluded-{n}", {"where": _plain([c])} | columns,
                "Whom the exclusion keeps out, so that the gate can check every call.")
        for n, c in enumerate(audience.exclude, 1)
    ]  # fmt: skip


def duplicate_columns(brief: Brief, table: Resource) -> list[str]:
    """The columns that make two rows the same: said by the user, else e-mail, else the name."""
    goal = brief.objective.goal if brief.objective else None
    said = (goal.params if goal else {}).get("columns")
    if said:
        return list(said)
    emails = own_columns(table.columns, "email")
    named = [
        c.name for c in table.columns if {"name", "company", "customer"} & set(name_words(c.name))
    ]
    return (emails or named or [c.name for c in table.columns if c.name != table.key])[:1]


def _groups(brief: Brief, table: Resource) -> ReadRequest:
    columns = duplicate_columns(brief, table)
    return ReadRequest(
        id="groups", toolkit="table", account=table.account, tool="table.duplicates",
        args={"columns": columns}, purpose=f"Rows that agree in {', '.join(columns)}.",
    )  # fmt: skip


def _slots(brief: Brief, calendar: Resource, now: datetime, audience: Audience) -> ReadRequest:
    days = max(
        int(p.params["followup_days"].default)
        for p in candidates(brief)
        if "followup_days" in p.params
    )
    start = (now + timedelta(days=days)).replace(microsecond=0)
    count = min(audience.limit or MOST_SLOTS, MOST_SLOTS)
    return ReadRequest(
        id="slots", toolkit="calendar", account=calendar.account, tool="calendar.free",
        args={"start": start.date().isoformat(), "end": (start + timedelta(days=28)).date().isoformat(),
              "minutes": FOLLOW_UP_MINUTES, "count": count},
        purpose="Free times for the follow-ups.",
    )  # fmt: skip
