"""status: everything on one screen of 80 by 24."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from aicp.cli import sheets
from aicp.cli.edge import Here, json_option, lines, look, pass_here, put, suggest, utc_option
from aicp.cli.render import Look, bold, clean, dim, fit, section, tint
from aicp.cli.whose import wanted

NEEDS, RECENT, COUNTED = 5, 6, 1000
Doc = dict[str, Any]


@click.command()
@utc_option
@json_option
@pass_here
def status(here: Here, utc: bool, as_json: bool) -> int:
    """Health, missions by state, those that need you, the recent ones.

    \b
    Examples:
      aicp status
      aicp --demo status
      aicp status --json
    """
    client = here.client()
    health, me = client.health(), client.get("/api/me")
    rows = client.get("/api/missions", limit=COUNTED)
    waiting = [row for row in rows if row["status"] in ("ready", "blocked")][: 4 * NEEDS]
    documents = (client.get(f"/api/missions/{row['id']}") for row in waiting)
    mine = [(d, why) for d in documents if (why := needs(d, me))]
    told = {
        "url": client.place.url, "health": health, "me": me,
        "counts": dict(Counter(sheets.state_of(row) for row in rows)),
        "needs_you": [{"id": d["id"], "title": d["title"], "why": why, "next": d["next"]} for d, why in mine],
        "recent": rows[:RECENT],
    }  # fmt: skip
    if as_json:
        put(told)
    else:
        lines(screen(told, look(utc=utc)))
        first = mine[0][0]["next"] if mine else "" if rows else 'aicp mission new "…" --data FILE'
        suggest(here, first)
    return 0 if health["status"] == "ok" else 7


def needs(mission: Doc, me: Doc) -> str:
    """What this person has to do about a mission, "" when it is not their turn."""
    if mission["stage"] == "Reflect" and mission["status"] == "ready":
        return ""
    capacity, able = wanted(mission, me)
    if not able:
        return ""
    if mission["status"] == "blocked":
        return mission["blocking_reason"] or "blocked"
    if mission["stage"] == "Define":
        gaps = (mission["brief"] or {}).get("gaps", [])
        return gaps[0] if gaps else f"acknowledge the safeguards as {capacity}"
    return {"Plan": "choose a play", "Approve": f"approve as {capacity}"}.get(mission["stage"], "")


def screen(told: Doc, how: Look) -> Iterator[str]:
    """At most 22 lines of 80 characters."""
    health, width = told["health"], min(how.width, 80)
    yield f"{bold('aicp')} {health.get('version', '')} at {told['url']}, as {clean(told['me']['name'])}"
    parts = [
        f"{name} {health[name]}" for name in ("database", "schema", "workers") if name in health
    ]
    parts += [f"fingerprint {health['fingerprint'][:12]}"] if "fingerprint" in health else []
    yield f"  {tint('ok') if health['status'] == 'ok' else tint('fail')}  {', '.join(parts)}"
    counts = ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in told["counts"].items())
    yield fit(f"  missions: {counts or 'none yet'}", width)
    mine = told["needs_you"]
    yield from section(f"Needs you  {len(mine)}")
    for row in mine[:NEEDS]:
        yield fit(f"  {row['id']:<13} {clean(row['why'])}", width)
    if not mine:
        yield dim("  nothing")
    yield from section("Recent")
    for row in told["recent"]:
        state = tint(f"{sheets.state_of(row).replace('_', ' '):<12}")
        yield f"  {row['id']:<13} {row['stage']:<8} {state} {fit(clean(row['title']), width - 38)}"
    if not told["recent"]:
        yield dim("  no missions yet")
