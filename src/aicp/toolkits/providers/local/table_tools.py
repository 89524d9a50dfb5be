"""The declarations of the table tools."""

from __future__ import annotations

from aicp.toolkits.model import Json, ToolSpec, UndoTier
from aicp.toolkits.providers.local.checked import schema_of

OPS = ("eq", "ne", "in", "not_in", "gt", "ge", "lt", "le", "between", "contains", "empty", "filled")

_NAME: Json = {"type": "string", "minLength": 1}
_VERSION: Json = {"type": "string", "description": "version of the row when it was read"}
_SCALAR: Json = {"type": ["string", "number", "integer", "boolean", "null"]}
_VALUES: Json = {"type": "object", "minProperties": 1, "additionalProperties": _SCALAR}
_CONDITIONS: Json = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"column": _NAME, "op": {"enum": list(OPS)}, "value": {}},
        "required": ["column", "op"],
        "additionalProperties": False,
    },
}
_COLUMNS: Json = {"type": "array", "items": _NAME, "minItems": 1, "uniqueItems": True}
_TRIGGERS = "the table's own triggers may have changed more than the row"


def table_tools(*, exact: bool) -> tuple[ToolSpec, ...]:
    """All table tools. `exact` is False for a table with triggers: undo is then T2, not T1."""
    tier = UndoTier.T1 if exact else UndoTier.T2
    residue = "" if exact else _TRIGGERS
    return (
        ToolSpec(
            "table.select",
            "Select rows",
            "Rows that meet every condition of `where` and none of `exclude`, compared as what "
            "the column holds: numbers, money, dates, booleans or text without regard to case.",
            schema_of(
                where=_CONDITIONS,
                exclude=_CONDITIONS,
                order_by=_NAME,
                descending={"type": "boolean"},
                limit={"type": "integer", "minimum": 0},
                columns=_COLUMNS,
            ),
            mutates=False,
            undo_tier=UndoTier.T0,
            scope="table:read",
        ),
        ToolSpec(
            "table.duplicates",
            "Find rows that are the same thing",
            "Groups of rows that agree in all given columns once spelling differences are gone.",
            schema_of(
                ("columns",),
                columns=_COLUMNS,
                region={"type": "string", "pattern": "^[A-Z]{2}$"},
                threshold={"type": "number", "minimum": 50, "maximum": 100},
            ),
            mutates=False,
            undo_tier=UndoTier.T0,
            scope="table:read",
        ),
        ToolSpec(
            "table.update",
            "Update one row",
            "Set some cells of the row with this key; the key itself stays.",
            schema_of(("key", "set"), key=_NAME, set=_VALUES, expect_version=_VERSION),
            mutates=True,
            undo_tier=tier,
            scope="table:write",
            undo="the row's old content is put back, unless somebody changed the row since",
            residue=residue,
        ),
        ToolSpec(
            "table.insert",
            "Insert one row",
            "Add a row; columns left out are empty or get the table's default.",
            schema_of(("values",), values=_VALUES),
            mutates=True,
            undo_tier=tier,
            scope="table:write",
            undo="the row is taken out again, unless somebody changed it since",
            residue=residue,
        ),
        ToolSpec(
            "table.delete",
            "Delete one row",
            "Remove the row with this key; refused while other tables refer to it.",
            schema_of(("key",), key=_NAME, expect_version=_VERSION),
            mutates=True,
            undo_tier=tier,
            scope="table:write",
            undo="the row is put back with its key, at its old place",
            residue=residue,
        ),
    )


TOOLS = table_tools(exact=True)
