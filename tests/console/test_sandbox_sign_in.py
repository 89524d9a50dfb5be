"""A sign-in to the sandbox on the mission's page: its label, its scopes, its link, in Chromium too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from aicp.missions import consent
from aicp.web import SESSION_COOKIE
from console_visitor import secret_for
from flight import Flight, land, take_off
from sandboxed import DRAFT, POST, account, begin, sign_in
from toolkits.world_composio import sandbox

CHROMIUM = Path("/usr/bin/chromium")
SIDEWAYS = "document.documentElement.scrollWidth - innerWidth"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture
def flight(flight: Flight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flight]:
    """The flight of a server that was told where a sandbox is."""
    monkeypatch.delenv("COMPOSIO_API_KEY", raising=False)
    folder = flight.folder.with_name(f"{flight.folder.name}c")
    with sandbox(tmp_path / "box") as box:
        flown = take_off(folder, flight.url, flight.owner_url, composio_url=box.url)
        yield flown
        land(flown)


@pytest.fixture
def states(flight: Flight) -> dict[str, str]:
    """Missions by what their accounts wait for."""
    waiting, linking, connected = (
        begin(flight, POST),
        begin(flight, POST),
        begin(flight, DRAFT, POST),
    )
    consented(flight, linking)
    for kit in ("gmail", "slack"):
        sign_in(flight, connected, kit)
    return {"waiting": waiting, "linking": linking, "connected": connected}


def consented(flight: Flight, mission: str) -> None:
    scopes = sorted(account(flight, mission, "slack")["wanted"])
    flight.call(consent.give, mission, "slack", scopes=scopes)
    flight.work()


def test_each_state_says_sandbox_and_offers_what_is_next(
    flight: Flight, states: dict[str, str], visit: Any
) -> None:
    page = {name: visit("riley").get(f"/missions/{one}").text for name, one in states.items()}
    assert all("Slack (sandbox) by Composio" in text for text in page.values())
    assert "post messages as you, and delete what was posted" in page["waiting"]
    assert "I consent to exactly this" in page["waiting"]
    assert "Sign in to slack (sandbox)" in page["linking"]
    assert account(flight, states["linking"], "slack")["link"]["url"] in page["linking"]
    assert "I consent to exactly this" not in page["linking"]
    assert "Disconnect slack" in page["connected"]
    assert "What has no copy was checked only, not rehearsed" in page["connected"]


@pytest.mark.browser
@pytest.mark.skipif(
    not CHROMIUM.exists(), reason="Chromium is missing: run scripts/debian.sh chromium"
)
def test_the_sign_in_is_accessible_and_fits_in_both_themes(
    flight: Flight, states: dict[str, str], address: str
) -> None:
    """UX-02, UX-04."""
    secret = secret_for(flight, "riley", "session")
    flags = ["--no-sandbox", "--disable-background-networking"]
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=flags)
        context = browser.new_context(base_url=address, reduced_motion="reduce")
        context.add_cookies([{"name": SESSION_COOKIE, "value": secret, "url": address}])
        page = context.new_page()
        for name, mission in states.items():
            page.goto(f"/missions/{mission}")
            page.wait_for_selector("html[data-ready]")
            page.evaluate("document.querySelector('#stage-prepare').open = true")
            assert page.locator(".connection .badge", has_text="sandbox").first.is_visible()
            for width in (390, 1440):
                page.set_viewport_size({"width": width, "height": 900})
                assert page.evaluate(SIDEWAYS) <= 0, (name, width)
                for theme in ("light", "dark"):
                    page.emulate_media(color_scheme=theme)
                    found = Axe().run(page, options=RULES | {"resultTypes": ["violations"]})
                    assert found.violations_count == 0, f"{name}: {found.generate_report()}"
        context.close()
        browser.close()
