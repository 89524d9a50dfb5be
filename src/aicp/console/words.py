"""Words and marks: how times, states, tiers and arguments are said to people. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import groupby, pairwise
from typing import Any

from aicp.issues.stamps import to_ns
from aicp.missions.lifecycle import COVERAGE_GATE, STAGES
from aicp.trust.plan import IMPACTS, RISK

# What a state is called, its mark, and its tone (a tone only repeats what mark and word say).
STATES: dict[str, tuple[str, str, str]] = {
    "draft": ("Draft", "○", "quiet"),
    "in_progress": ("Working", "◐", "live"),
    "ready": ("Waiting for a person", "◆", "ask"),
    "blocked": ("Blocked", "▲", "bad"),
    "completed": ("Finished", "✓", "good"),
    "archived": ("Archived", "–", "quiet"),
    "open": ("Open", "○", "quiet"),
    "waits": ("Waits", "‖", "ask"),
    "closed": ("Closed", "✓", "good"),
    "deferred": ("Deferred", "◷", "quiet"),
    "pinned": ("Pinned", "◆", "quiet"),
    "hooked": ("Hooked", "◆", "quiet"),
    "missing": ("Missing", "?", "bad"),
    "pending": ("Not yet", "○", "quiet"),
    "idle": ("Not started", "○", "quiet"),
    "running": ("Running", "◐", "live"),
    "paused": ("Paused", "‖", "ask"),
    "stopped": ("Stopped", "■", "bad"),
    "failed": ("Failed", "✕", "bad"),
    "held": ("Held", "◷", "ask"),
    "finished": ("Finished", "✓", "good"),
    "undoing": ("Undoing", "↶", "live"),
    "undone": ("Undone", "↶", "good"),
    "undone_partly": ("Undone to a step", "▲", "ask"),
    "undo_stopped": ("Undo stopped", "▲", "bad"),
    "intent": ("Under way", "◐", "live"),
    "done": ("Done", "✓", "good"),
    "unknown": ("Unknown", "?", "ask"),
    "released": ("Left", "→", "good"),
    "cancelled": ("Cancelled", "✕", "quiet"),
    "requested": ("Open", "◆", "ask"),
    "approved": ("Approved", "✓", "good"),
    "rejected": ("Rejected", "✕", "bad"),
    "expired": ("Expired", "▲", "bad"),
    "voided": ("Void", "–", "quiet"),
    "restored": ("Restored", "✓", "good"),
    "already": ("Was already back", "✓", "good"),
    "conflict": ("Changed by someone else", "▲", "bad"),
    "impossible": ("Cannot be taken back", "✕", "bad"),
    "needs_auth": ("Needs sign-in", "◆", "ask"),
    "needs_data": ("Needs data", "▲", "bad"),
    "degraded": ("Degraded", "▲", "ask"),
    "info": ("Note", "·", "quiet"),
    "success": ("Good", "✓", "good"),
    "warning": ("Warning", "▲", "ask"),
    "error": ("Error", "✕", "bad"),
    "ok": ("Healthy", "✓", "good"),
    "down": ("Down", "✕", "bad"),
}
READINESS = {"ready": "Ready", "unknown": "Not known yet", "blocked": "Blocked"}
TIERS: dict[str, tuple[str, str]] = {
    "T0": ("no effect", "good"),
    "T1": ("exact, proved by hash", "good"),
    "T2": ("restored, a named trace stays", "good"),
    "T3": ("held, cancellable until it leaves", "ask"),
    "T4": ("can only be made up for", "bad"),
    "T5": ("cannot be taken back", "bad"),
}
RISKS: dict[str, tuple[str, str, str]] = {
    "low": ("Low risk", "○", "good"),
    "medium_low": ("Medium-low risk", "◔", "good"),
    "medium": ("Medium risk", "◑", "ask"),
    "high": ("High risk", "◕", "bad"),
    "critical": ("Critical risk", "●", "bad"),
}
CAPACITIES = {
    "owner": "Mission owner",
    "governance": "Governance delegate",
    "lead": "Engineering or security lead",
}
CHIPS = {
    "objective": "Objective",
    "audience": "Audience",
    "kpi": "Measure",
    "timeline": "Timeline",
    "safeguard": "Safeguard",
}


def state(name: str) -> tuple[str, str, str]:
    """Word, mark and tone of a state; an unknown one is said as it is."""
    return STATES.get(name, (plain(name), "·", "quiet"))


def plain(name: str) -> str:
    """`execution_step_completed` as words."""
    return name.replace("_", " ").replace("-", " ").capitalize()


def moment(at: datetime | str) -> datetime:
    return datetime.fromisoformat(at) if isinstance(at, str) else at


def instant(text: Any) -> datetime | None:
    """A time of the issue graph, which may have nanoseconds; None when it is no time at all."""
    try:
        return datetime.fromtimestamp(to_ns(text) / 1e9, UTC)
    except (ValueError, IndexError, TypeError, AttributeError, OverflowError, OSError):
        return None


def utc(at: datetime | str) -> str:
    return f"{moment(at).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso(at: datetime | str) -> str:
    return moment(at).astimezone(UTC).isoformat(timespec="seconds")


def relative(at: datetime | str, now: datetime) -> str:
    """How long ago, or how long until, in the largest unit that fits."""
    seconds = (moment(at) - now).total_seconds()
    size = abs(seconds)
    if size < 45:
        return "just now" if seconds <= 0 else "in a moment"
    for unit, length in (("day", 86400), ("h", 3600), ("min", 60)):
        if size >= length * 0.95 or unit == "min":
            count = max(round(size / length), 1)
            words = f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}"
            return f"{words} ago" if seconds < 0 else f"in {words}"
    raise AssertionError(unit)


def pretty(value: Any) -> str:
    """A JSON value, indented, exactly as it is stored."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def brief_value(value: Any) -> str:
    """A JSON value in one line."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def size(count: int) -> str:
    return f"{count:,} B" if count < 10_000 else f"{count / 1024:,.0f} kB"


def short(digest: str) -> str:
    return digest[:12]


def listed(items: Iterable[Any]) -> str:
    """one, two and three."""
    words = [str(item) for item in items]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def in_groups(steps: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Neighbouring steps of one group together, in plan order."""
    return [
        (name or "Steps", list(part)) for name, part in groupby(steps, key=lambda s: s["group"])
    ]


def tally(steps: list[dict[str, Any]], key: str) -> dict[str, int]:
    """How many steps have each value of a key, most first."""
    counts: dict[str, int] = {}
    for step in steps:
        counts[step[key]] = counts.get(step[key], 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))


def cells(row: Any) -> dict[str, Any]:
    """The cells of a row that was read, whatever its tool calls them."""
    if isinstance(row, dict) and isinstance(row.get("values"), dict):
        return row["values"]
    return row if isinstance(row, dict) else {"value": row}


def one(items: Iterable[Any]) -> Any:
    """The first, or None."""
    return next(iter(items), None)


def columns(rows: list[Any]) -> list[str]:
    """Every column of some rows, in the order they appear."""
    return list(dict.fromkeys(name for row in rows for name in cells(row)))


def marked(intent: str, chips: list[dict[str, Any]], lost: list[dict[str, Any]]) -> list[Any]:
    """The intent in pieces, each with the numbers of the chips that came from it.

    Args:
        lost: the spans that nobody understood.

    Returns:
        {"text", "chips": [numbers], "lost": bool} pieces, whose texts joined are the intent.
    """
    spans = [(s["start"], s["end"], n) for n, c in enumerate(chips, 1) for s in c["spans"]]
    spans += [(s["start"], s["end"], 0) for s in lost]
    cuts = sorted({0, len(intent), *(p for s in spans for p in s[:2] if 0 <= p <= len(intent))})
    pieces = []
    for start, end in pairwise(cuts):
        over = sorted({n for low, high, n in spans if low <= start and end <= high})
        pieces.append(
            {"text": intent[start:end], "chips": [n for n in over if n], "lost": 0 in over}
        )
    return [_join(list(part)) for _, part in groupby(pieces, key=lambda p: (p["chips"], p["lost"]))]


def _join(pieces: list[dict[str, Any]]) -> dict[str, Any]:
    return {**pieces[0], "text": "".join(piece["text"] for piece in pieces)}


FILTERS: dict[str, Callable[..., Any]] = {
    "state": state, "plain": plain, "instant": instant, "utc": utc, "iso": iso, "relative": relative, "pretty": pretty,
    "brief_value": brief_value, "size": size, "short": short, "listed": listed, "cells": cells,
    "in_groups": in_groups, "tally": tally, "columns": columns, "one": one,
}  # fmt: skip
TABLES: dict[str, Any] = {
    "STAGES": STAGES, "COVERAGE_GATE": COVERAGE_GATE, "TIERS": TIERS, "RISKS": RISKS, "RISK": RISK,
    "IMPACTS": IMPACTS, "CAPACITIES": CAPACITIES, "CHIPS": CHIPS, "READINESS": READINESS,
    "marked": marked,
}  # fmt: skip
