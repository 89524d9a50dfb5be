"""The declarations of the calendar tools."""

from __future__ import annotations

from aicp.toolkits.model import Json, ToolSpec, UndoTier
from aicp.toolkits.providers.local.checked import schema_of

_DAY: Json = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}
_TIME: Json = {"type": "string", "description": "ISO 8601 with offset, or YYYY-MM-DD: whole days"}
_CLOCK: Json = {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"}
_ZONE: Json = {"type": "string", "description": "IANA time zone, UTC when left out"}
_TEXT: Json = {"type": "string", "maxLength": 10_000}

TOOLS = (
    ToolSpec(
        "calendar.events",
        "List events",
        "Events that touch the days from start to end, both included, repeated ones expanded.",
        schema_of(("start", "end"), start=_DAY, end=_DAY, zone=_ZONE),
        mutates=False,
        undo_tier=UndoTier.T0,
        scope="calendar:read",
    ),
    ToolSpec(
        "calendar.free",
        "Find free slots",
        "The first free slots of some minutes within working hours, between two days.",
        schema_of(
            ("start", "end", "minutes", "count"),
            **{
                "start": _DAY,
                "end": _DAY,
                "minutes": {"type": "integer", "minimum": 5, "maximum": 1440},
                "count": {"type": "integer", "minimum": 1, "maximum": 1000},
                "zone": _ZONE,
                "from": _CLOCK,
                "until": _CLOCK,
                "weekdays": {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 1, "maximum": 7},
                    "uniqueItems": True,
                },
            },
        ),
        mutates=False,
        undo_tier=UndoTier.T0,
        scope="calendar:read",
    ),
    ToolSpec(
        "calendar.add",
        "Add an event",
        "Write one event into the calendar; nobody is invited.",
        schema_of(
            ("start", "end", "summary"),
            uid={"type": "string", "pattern": "^[!-~]{1,200}$"},
            start=_TIME,
            end=_TIME,
            summary={"type": "string", "minLength": 1, "maxLength": 1000},
            description=_TEXT,
        ),
        mutates=True,
        undo_tier=UndoTier.T1,
        scope="calendar:write",
        undo="the event is taken out again, unless somebody changed it since",
    ),
    ToolSpec(
        "calendar.cancel",
        "Cancel an event",
        "Take the event with this UID, all of a series, out of the calendar; nobody is told.",
        schema_of(("uid",), uid={"type": "string", "minLength": 1}),
        mutates=True,
        undo_tier=UndoTier.T1,
        scope="calendar:write",
        undo="the event is put back byte for byte, unless somebody used its UID since",
    ),
)
