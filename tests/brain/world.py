"""Tools as providers declare them, and answers to reads over rows written by hand."""

from __future__ import annotations

from typing import Any

from aicp.toolkits.model import ToolSpec, UndoTier


def _args(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


TEXT = {"type": "string", "minLength": 1}


def _tool(name: str, tier: UndoTier, schema: dict[str, Any], undo: str) -> ToolSpec:
    return ToolSpec(name, name, name, schema, True, tier, f"{name.split('.')[0]}:write", undo)


TOOLS = {
    t.name: t
    for t in (
        _tool("table.update", UndoTier.T1, _args(("key", "set"), key=TEXT, set={"type": "object"}, expect_version=TEXT), "row restored"),
        _tool("table.delete", UndoTier.T1, _args(("key",), key=TEXT, expect_version=TEXT), "row put back"),
        _tool("mail.draft", UndoTier.T1, _args(("to", "subject", "body"), to=TEXT, subject=TEXT, body=TEXT), "draft discarded"),
        _tool("mail.schedule", UndoTier.T3, _args(("draft", "to", "not_before"), draft={"type": "string", "pattern": "^[0-9a-f]{24}$"}, to=TEXT, not_before=TEXT), "cancelled before it leaves"),
        _tool("calendar.add", UndoTier.T1, _args(("start", "end", "summary", "description"), start=TEXT, end=TEXT, summary=TEXT, description=TEXT), "event removed"),
    )
}  # fmt: skip


def account_row(number: int, **changed: str) -> dict[str, Any]:
    """A CRM row as table.select returns it."""
    values = {
        "account_id": f"A-{number:03}", "name": f"Firm {number}", "industry": "Manufacturing", "arr_usd": "60000",
        "employees": "30", "owner": "Dana Fox", "country": "Germany", "contact_email": f"kim{number}@firm{number}.example",
        "phone": f"030 90100{number:02}", "timezone": "Europe/Berlin", "last_activity": "2026-05-02",
        "do_not_contact": "false", "notes": "",
    } | changed  # fmt: skip
    return {"key": values["account_id"], "version": f"v{number}", "values": values}


def reads_of(*rows: dict[str, Any], **more: Any) -> dict[str, dict[str, Any]]:
    return {"rows": {"rows": list(rows), "matched": len(rows), "excluded": 0}} | more
