"""The rehearsal of a play: taken back on copies, and honest about what would stay (TR-8)."""

from __future__ import annotations

from pathlib import Path

from aicp.missions.plan import rehearse
from aicp.toolkits.model import UndoTier
from aicp.toolkits.providers import open_provider
from aicp.toolkits.providers.base import Provider
from aicp.trust.plan import Play
from toolkits.web_server import Shop, shop_server
from toolkits.world_inbox import inbox_world
from toolkits.world_web import shop_declaration, webhook
from trust.plans import a_plan, step


def opened(folder: Path, shop: Shop) -> dict[str, Provider]:
    hook = open_provider(webhook(folder, shop_declaration(shop.url)))
    return {"inbox": inbox_world("inbox", folder).open(), "webhook": hook}


def a_play(providers: dict[str, Provider], tier: UndoTier) -> Play:
    """File a mail, then place an order whose step claims `tier`."""
    specs = {spec.name: spec for one in providers.values() for spec in one.tools()}
    move = step(1, specs["inbox.move"], {"id": "2.b.host", "folder": "Billing"})
    order = step(2, specs["webhook.order"], {"item": "tea"})
    order = order.model_copy(update={"undo_tier": tier})
    return a_plan().play.model_copy(update={"steps": (move, order)})


def test_what_stays_is_named_and_nothing_of_it_is_sent(tmp_path: Path) -> None:
    with shop_server() as shop:
        providers = opened(tmp_path, shop)
        start = providers["inbox"].state_hash()
        found = rehearse(a_play(providers, UndoTier.T4), providers)
        assert found == {"exact": True, "steps": 2, "undone": 1, "stays": [2], "dry": 1}
        assert (shop.asked, providers["inbox"].state_hash()) == ([], start)


def test_a_step_that_claims_a_better_tier_than_its_undo_fails_the_rehearsal(tmp_path: Path) -> None:
    with shop_server() as shop:
        providers = opened(tmp_path, shop)
        found = rehearse(a_play(providers, UndoTier.T1), providers)
    assert (found["exact"], found["at"], "made up for" in found["why"]) == (False, 2, True)
