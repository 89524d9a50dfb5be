"""Auth configs, Connect Links and connected accounts: who allowed what, until when."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from aicp.toolkits.sandbox.composio.kit import Json, Refused
from aicp.toolkits.sandbox.composio.store import TOOLKITS, TOOLS, new_id

LINK_MINUTES = 10  # as Composio's links
GONE = ("EXPIRED", "REVOKED", "INACTIVE", "FAILED")


def add_config(state: Json, asked: Json) -> Json:
    """An auth config for the scopes asked for, or those that some tools need, or all.

    Raises:
        Refused: no such toolkit, or a scope it does not have.
    """
    slug = asked["toolkit"]["slug"].lower()
    if slug not in TOOLKITS:
        raise Refused(f"Toolkit {slug[:80]} not found", 404)
    kit, own = TOOLKITS[slug], asked.get("auth_config") or {}
    if kit.no_auth:
        raise Refused(f"{slug} needs no sign-in")
    tools = list(
        (own.get("tool_access_config") or {}).get("tools_for_connected_account_creation") or ()
    )
    scopes = _words((own.get("credentials") or {}).get("scopes"))
    scopes = scopes or sorted({TOOLS[t][1].scopes[0] for t in tools if t in TOOLS}) or [*kit.scopes]
    unknown = [scope for scope in scopes if scope not in {*kit.scopes, *kit.wider}]
    if unknown:
        raise Refused(f"Invalid scope: {unknown[0][:80]}")
    config = {
        "id": new_id(state, "ac_"),
        "name": own.get("name") or f"{slug} {state['next']}",
        "toolkit": slug,
        "scopes": scopes,
        "tools": tools,
    }
    state["auth_configs"][config["id"]] = config
    return config


def start_link(state: Json, asked: Json, *, base: str, now: datetime) -> Json:
    """A link and the account that will come of it.

    Raises:
        Refused: no such auth config.
    """
    config = state["auth_configs"].get(asked.get("auth_config_id", ""))
    if config is None:
        raise Refused("Auth config not found", 404)
    alias, user = asked.get("alias"), asked.get("user_id")
    if not isinstance(user, str) or not user:
        raise Refused("user_id is needed")
    others = (one for one in state["accounts"].values() if one["toolkit"] == config["toolkit"])
    if alias and any((one["alias"], one["user_id"]) == (alias, user) for one in others):
        raise Refused("alias is used by another connection of this user")
    token, key = f"lk_{secrets.token_urlsafe(18)}", new_id(state, "ca_")
    account = {
        "id": key,
        "toolkit": config["toolkit"],
        "auth_config": config["id"],
        "user_id": user,
        "alias": alias,
        "status": "INITIATED",
        "reason": "",
        "requested": config["scopes"],
        "granted": [],
        "url": f"{base}/link/{token}",
        "callback": asked.get("callback_url") or "",
        "expires_at": (now + timedelta(minutes=LINK_MINUTES)).isoformat(),
        "created_at": now.isoformat(),
    }
    state["accounts"][key] = account
    state["links"][token] = key
    return account | {"token": token}


def account_of(state: Json, key: str, *, now: datetime) -> Json:
    """The account; a link that nobody followed in time has expired.

    Raises:
        Refused: there is none of that id.
    """
    account = state["accounts"].get(key)
    if account is None:
        raise Refused("Connected account not found", 404)
    if account["status"] == "INITIATED" and now >= datetime.fromisoformat(account["expires_at"]):
        account |= {"status": "EXPIRED", "reason": "Connection initiation did not complete"}
    return account


def decide(account: Json, decision: str, granted: list[str], knob: Json | None) -> None:
    """What the person at the link's page pressed.

    Raises:
        Refused: the link was answered or expired before.
    """
    if account["status"] != "INITIATED":
        raise Refused(f"this link is {account['status'].lower()} already", 409)
    if decision == "deny" or (knob and knob["do"] == "fails"):
        account |= {"status": "FAILED", "reason": "The person denied access"}
        return
    asked = account["requested"]
    scopes = [scope for scope in asked if scope in granted] if decision == "narrow" else [*asked]
    if knob and knob["do"] == "narrower":
        scopes = scopes[:1]
    if knob and knob["do"] == "broader":
        scopes += TOOLKITS[account["toolkit"]].wider
    account |= {"status": "ACTIVE", "granted": scopes}


def may_use(state: Json, asked: Json, toolkit: str, *, now: datetime) -> None:
    """Whether a call names an account of the toolkit that is there and active.

    Raises:
        Refused: it does not.
    """
    key, user = str(asked.get("connected_account_id")), asked.get("user_id")
    if key not in state["accounts"]:
        raise Refused("No connected account found")
    account = account_of(state, key, now=now)
    if account["toolkit"] != toolkit or (user is not None and account["user_id"] != user):
        raise Refused("No connected account found")
    if account["status"] in GONE:
        raise Refused(f"Connected account is {account['status'].lower()}", 401)
    if account["status"] != "ACTIVE":
        raise Refused("Connected account is not active yet")


def in_scope(state: Json, asked: Json, scopes: tuple[str, ...]) -> None:
    """Whether the account was granted one of the scopes that a tool needs.

    Raises:
        Refused: it was not (403, as the service behind would say).
    """
    if not scopes:
        return
    if not set(scopes) & set(state["accounts"][asked["connected_account_id"]]["granted"]):
        raise Refused("Request had insufficient authentication scopes.", 403)


def _words(scopes: Any) -> list[str]:
    if isinstance(scopes, str):
        return scopes.replace(",", " ").split()
    return list(scopes or ())
