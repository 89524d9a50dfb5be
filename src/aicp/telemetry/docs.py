"""The page about every event, written from the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aicp.telemetry.catalogue import STAGES, Event, catalogue, fields

PAGE = Path(__file__).parents[3] / "docs/events.md"
HEAD = """# Events

What the product records, in the catalogue's own words (`src/aicp/telemetry/events/`). This page is made from it:
after a change there, `make telemetry`. Every event has `tenantId`, `correlation_id`, a status (info, success,
warning, error), the person or agent who acted, and, where it belongs to a mission, `mission_id` and its stage. A
context holds counts, ids and codes; a context that is not of its event's form is refused, and it is redacted before
it is stored. `GET /api/schemas/events` has the same as JSON Schema.

*kept*: `raw` events for the short time, `audit` ones for the long time. Fields in brackets may be absent.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_sections(), *_fields()]) + "\n"


def current() -> str:
    """The path of the page when it is not what the catalogue makes; "" when it is, or is not there."""
    if not PAGE.exists():  # installed from a wheel, which carries no pages
        return ""
    return "" if PAGE.read_text(encoding="utf-8") == page() else "docs/events.md"


def _sections() -> Iterator[str]:
    events = list(catalogue().values())
    for stage in (*STAGES[1:], ""):
        mine = [one for one in events if one.emitted and one.stage == stage]
        if mine:
            yield from _table(stage or "Around the missions", mine)
    yield from _absent([one for one in events if not one.emitted])


def _table(title: str, events: list[Event]) -> Iterator[str]:
    yield f"## {title}\n\n| event | what happened | context | kept |\n|---|---|---|---|"
    for one in events:
        carried = [f"`{f.name}`" for f in one.required] + [f"[`{f.name}`]" for f in one.optional]
        yield f"| `{one.name}` | {one.brief} | {', '.join(carried)} | {one.retention} |"
    yield ""


def _absent(events: list[Event]) -> Iterator[str]:
    yield "## Named, and not recorded\n\n| event | what it would say | why not |\n|---|---|---|"
    for one in events:
        yield f"| `{one.name}` | {one.brief} | {one.why} |"
    yield ""


def _fields() -> Iterator[str]:
    yield "## Fields\n\n| field | type | personal | values | for example |\n|---|---|---|---|---|"
    for one in fields().values():
        unit = f" ({one.unit})" if one.unit else ""
        yield f"| `{one.name}` | {one.type}{unit} | {one.pii} | {one.cardinality} | `{one.example}` |"
