"""dash: a dashboard as text, for an incident without a browser (OB-1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from aicp.cli.edge import Here, json_option, lines, look, pass_here, put, say
from aicp.cli.render import Look, bold, clean, table, tint


@click.command()
@click.argument("name", required=False)
@json_option
@pass_here
def dash(here: Here, name: str | None, as_json: bool) -> int:
    """One of the four dashboards, or all of them. Exit 1 while a panel is in breach.

    \b
    thin: too few events to judge. silent: none. uncollected: nothing counts it yet.

    \b
    Examples:
      aicp dash
      aicp dash agent-performance
      aicp dash integration-health --json | jq '.panels[] | select(.state == "breach")'
    """
    client = here.client()
    names = [name] if name else [one["name"] for one in client.get("/api/dashboards")]
    boards = [client.get(f"/api/dashboards/{one}") for one in names]
    if as_json:
        put(boards[0] if name else boards)
    else:
        for board in boards:
            lines(_told(board, look()))
    breaches = [p for board in boards for p in board["panels"] if p["state"] == "breach"]
    for panel in breaches:
        say(f"{panel['title']}: {panel['action']}")
    return 1 if breaches else 0


def _told(board: dict[str, Any], how: Look) -> Iterator[str]:
    yield bold(clean(board["title"]))
    rows = [
        (panel["state"], panel["title"], _value(panel["value"], panel["unit"]), _limit(panel),
         _value(panel["usual"], panel["unit"]), str(panel["count"]) if panel["state"] != "uncollected" else "",
         _span(panel["window_seconds"]))
        for panel in board["panels"]
    ]  # fmt: skip
    head = ("state", "panel", "now", "limit", "usual", "events", "over")
    yield from table(rows, head, how, paint={0: tint}, indent=2)
    yield ""


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "ratio":
        return f"{100 * value:.4g} %"
    return f"{value:.4g} ms" if unit == "ms" else f"{value:.4g}"


def _limit(panel: dict[str, Any]) -> str:
    """What is still well: at most, or at least, and how many times the usual."""
    parts = []
    if panel["threshold"] is not None:
        sign = "≤" if panel["breach"] == "above" else "≥"
        parts.append(f"{sign} {_value(panel['threshold'], panel['unit'])}")
    if panel["baseline"] is not None:
        parts.append(f"≤ {panel['baseline']:g} × usual")
    return ", ".join(parts)


def _span(seconds: int) -> str:
    return f"{seconds // 3600} h" if seconds % 3600 == 0 else f"{seconds // 60} min"
