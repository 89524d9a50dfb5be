"""The JSON forms of Composio's API v3.1, as far as its SDK reads them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from aicp.toolkits.sandbox.composio.kit import VERSION, Json, Tool, Toolkit

LOGO = "data:image/svg+xml,"  # no picture is fetched from anywhere
BORN = "2026-01-01T00:00:00Z"


def page(items: Sequence[Json], *, limit: int = 100, cursor: str = "") -> Json:
    """One page of a list; the cursor is the place of its first item."""
    start = int(cursor) if cursor.isdigit() else 0
    end = start + limit
    return {
        "items": list(items[start:end]),
        "current_page": start // limit + 1,
        "total_items": len(items),
        "total_pages": max(1, math.ceil(len(items) / limit)),
        "next_cursor": str(end) if end < len(items) else None,
    }


def tool(kit: Toolkit, one: Tool) -> Json:
    hint = "readOnlyHint" if one.reads else "destructiveHint" if not one.inverse else "updateHint"
    return {
        "slug": one.slug,
        "name": one.title,
        "description": f"{one.description} (sandbox)",
        "input_parameters": one.takes,
        "output_parameters": {"type": "object", "properties": {}},
        "no_auth": kit.no_auth,
        "scopes": list(one.scopes),
        "tags": [hint],
        "toolkit": {"slug": kit.slug, "name": kit.name, "logo": LOGO},
        "version": VERSION,
        "available_versions": [VERSION],
        "is_deprecated": False,
        "deprecated": {
            "available_versions": [VERSION],
            "displayName": one.title,
            "is_deprecated": False,
            "version": VERSION,
            "toolkit": {"logo": LOGO},
        },
    }


def toolkit(kit: Toolkit) -> Json:
    """An entry of the list of toolkits."""
    schemes = ["NO_AUTH"] if kit.no_auth else ["OAUTH2"]
    return {
        "slug": kit.slug,
        "name": kit.name,
        "type": "native",
        "is_local_toolkit": False,
        "no_auth": kit.no_auth,
        "auth_schemes": schemes,
        "composio_managed_auth_schemes": [] if kit.no_auth else schemes,
        "deprecated": {"toolkitId": kit.slug, "rawProxyInfoByAuthSchemes": []},
        "meta": {
            "categories": [],
            "created_at": BORN,
            "updated_at": BORN,
            "description": kit.description,
            "logo": LOGO,
            "tools_count": len(kit.tools),
            "triggers_count": 0,
            "version": VERSION,
            "available_versions": [VERSION],
        },
    }


def toolkit_details(kit: Toolkit) -> Json:
    managed = {"mode": "OAUTH2", "scopes": {"available": list(kit.scopes)}}
    return toolkit(kit) | {
        "enabled": True,
        "composio_managed_auth": [] if kit.no_auth else [managed],
    }


def auth_config(config: Json) -> Json:
    """An entry of the list of auth configs."""
    return {
        "id": config["id"],
        "uuid": config["id"],
        "name": config["name"],
        "type": "default",
        "status": "ENABLED",
        "auth_scheme": "OAUTH2",
        "is_composio_managed": True,
        "created_at": BORN,
        "no_of_connections": 0,
        "credentials": {"scopes": config["scopes"]},
        "tool_access_config": {"tools_for_connected_account_creation": config["tools"]},
        "toolkit": {"slug": config["toolkit"], "logo": LOGO},
    }


def account(one: Json) -> Json:
    """A connected account; tokens are never in it, as Composio masks them."""
    val: Json = {"status": one["status"]}
    if one["status"] in ("ACTIVE", "INACTIVE"):
        masked = {"access_token": "REDACTED", "refresh_token": "REDACTED"}
        val |= {"scope": " ".join(one["granted"]), "token_type": "Bearer", **masked}
    if one["status"] == "INITIATED":
        val |= {"redirectUrl": one["url"]}
    if one["status"] == "FAILED":
        val |= {"error": "access_denied", "error_description": one["reason"]}
    return {
        "id": one["id"],
        "alias": one["alias"],
        "status": one["status"],
        "status_reason": one["reason"] or None,
        "user_id": one["user_id"],
        "created_at": one["created_at"],
        "updated_at": one["created_at"],
        "is_disabled": one["status"] == "INACTIVE",
        "requested_scopes": one["requested"],
        "auth_config": {
            "id": one["auth_config"],
            "auth_scheme": "OAUTH2",
            "is_composio_managed": True,
            "is_disabled": False,
        },
        "toolkit": {"slug": one["toolkit"]},
        "data": {},
        "params": {},
        "state": {"authScheme": "OAUTH2", "val": val},
    }


def error(message: str, status: int, *, slug: str = "Sandbox_Error", code: int = 0) -> Json:
    """Composio's error envelope."""
    told = {"message": message, "code": code or status, "slug": slug, "status": status}
    return {"error": told | {"request_id": "sandbox", "suggested_fix": ""}}


def matching(items: Iterable[Json], query: str) -> list[Json]:
    """Those that hold every word of a query in slug, name or description."""
    words = query.lower().split()
    return [
        item
        for item in items
        if all(
            word in f"{item['slug']} {item['name']} {item.get('description', '')}".lower()
            for word in words
        )
    ]
