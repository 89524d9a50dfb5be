"""The worlds of the web: a shop that can make up for an order, one that cannot, and a check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aicp.toolkits.model import Call
from aicp.toolkits.providers import Where, named
from aicp.toolkits.providers.base import Connection
from toolkits.web_server import Shop
from toolkits.worlds import World

ITEM = {"item": {"type": "string", "minLength": 1}}
ANSWER = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string", "examples": ["o-0"]}},
}


def shop_declaration(url: str) -> dict[str, Any]:
    """Orders that can be read back and cancelled; a search."""
    search = {
        "url": f"{url}/search",
        "method": "GET",
        "effect": "reads",
        "body": {"properties": ITEM, "required": ["item"]},
    }
    order = {
        "url": f"{url}/orders",
        "effect": "mutates",
        "body": {"properties": {**ITEM, "amount": {"type": "integer"}}, "required": ["item"]},
        "answer": ANSWER,
        "read_back": {"url": f"{url}/orders?key={{key}}", "result": "orders.0"},
        "compensate": {
            "url": f"{url}/orders/{{result.id}}/cancel",
            "body": {"why": "undo of {key}", "item": "{args.item}"},
        },
    }
    return {"endpoints": {"search": search, "order": order}}


def bare_declaration(url: str) -> dict[str, Any]:
    """Orders that nothing is known about afterwards."""
    order = shop_declaration(url)["endpoints"]["order"]
    kept = {name: order[name] for name in ("url", "effect", "body", "answer")}
    return {"endpoints": {"order": kept}}


def webhook(folder: Path, declared: dict[str, Any], **more: Any) -> Connection:
    return Connection("webhook", "shop", {"declaration": declared}, folder / "work", **more)


def web_world(kind: str, folder: Path, shop: Shop) -> World:
    if kind == "check":
        where = Where(Path, folder / "work", {})
        reads = (Call("http.get", {}), Call("http.threshold", {"probes": 3}))
        return World(kind, named("check", f"{shop.url}/health", where), (), reads, print)
    declared = {"webhook": shop_declaration, "bare webhook": bare_declaration}[kind](shop.url)
    writes = tuple(
        Call("webhook.order", {"item": item}, f"{folder} {item}") for item in ("tea", "milk")
    )
    reads = (Call("webhook.search", {"item": "tea"}),) if kind == "webhook" else ()
    return World(kind, webhook(folder, declared), writes, reads, print, state=shop.state)
