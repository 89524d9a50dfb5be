"""The console in Chromium against a real server: accessible, quiet, live, and its own company only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from aicp.people import sessions
from aicp.web import SESSION_COOKIE
from console_visitor import secret_for
from flight import Flight
from issue_book import bd, fill, give_issues, make

CHROMIUM = Path("/usr/bin/chromium")
SIDEWAYS = "document.documentElement.scrollWidth - innerWidth"
# Every kind of thing is opened once a page; the long lists of like rows below the first stay shut.
OPEN = """document.querySelectorAll(
  'details:not(.calls ~ .calls, .calls li + li details, .bundle ~ .bundle, .read + .read)'
).forEach((d) => (d.open = d.id !== 'stage-events' || d.querySelectorAll('tr').length < 40))"""
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason="Chromium is missing: run scripts/debian.sh chromium"
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as tools:
        flags = ["--no-sandbox", "--disable-background-networking"]
        found = tools.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield found
        found.close()


@pytest.fixture
def issues_on_disk(flight: Flight) -> Path:
    """The issues of the flight's installation; ask for it before the address."""
    folder = give_issues(flight)
    fill(folder)
    return folder


@pytest.fixture
def apart() -> Iterator[Callable[..., Any]]:
    """Run something in a thread of its own: the browser's loop occupies this one."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda call, *args: pool.submit(call, *args).result()


class Tab:
    """A page that notes what it should never do: errors, failed loads, talking to other hosts."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        self.address = address
        self.wrong: list[str] = []
        self.context = browser.new_context(base_url=address, **options)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda m: m.type == "error" and self.wrong.append(m.text))
        self.page.on("pageerror", lambda e: self.wrong.append(str(e)))
        self.page.on("request", lambda r: r.url.startswith(address) or self.wrong.append(r.url))

    def sign_in(self, flight: Flight, name: str = "riley") -> Page:
        self.page.goto(f"/login/{secret_for(flight, name, 'link')}")
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_selector("html[data-ready]")
        return self.page

    def open(self, path: str) -> Page:
        self.page.goto(path)
        self.page.wait_for_selector("html[data-ready]")
        return self.page


def test_every_screen_is_accessible_fits_and_is_quiet(
    flight: Flight, browser: Browser, address: str, apart: Any
) -> None:
    """UX-02, UX-05: no axe violation, no console error, nothing asked of another host."""
    undone = apart(flight.to_execute)
    apart(flight.work)
    apart(flight.undo, undone)
    approve = apart(flight.to_approve)
    unclear = flight.new("Win back our best accounts, frobnicating the zebra list.")
    apart(flight.work)
    tab = Tab(browser, address, reduced_motion="reduce")  # colours change at once
    tab.sign_in(flight)
    paths = ["/", "/missions", "/missions?stage=Home", f"/missions/{undone}?verify=true"]
    for path in (*paths, f"/missions/{approve}", f"/missions/{unclear}"):
        page = tab.open(path)
        page.evaluate(OPEN)
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(SIDEWAYS) <= 0, (path, width)
            for theme in ("light", "dark"):
                page.emulate_media(color_scheme=theme)
                found = Axe().run(page, options=RULES | {"resultTypes": ["violations"]})
                assert found.violations_count == 0, f"{path}: {found.generate_report()}"
    assert tab.wrong == []
    tab.context.close()


def test_nothing_scrolls_sideways_at_320_and_thumbs_find_the_buttons(
    flight: Flight, browser: Browser, address: str, apart: Any
) -> None:
    """UX-04, UX-103."""
    mission = apart(flight.to_approve)
    tab = Tab(browser, address, viewport={"width": 320, "height": 640})
    tab.sign_in(flight)
    for path in ("/", "/missions", f"/missions/{mission}"):
        page = tab.open(path)
        assert page.evaluate(SIDEWAYS) <= 0, path
    for button in page.locator("button.primary:visible").all():
        box = button.bounding_box()
        assert box
        assert box["height"] >= 44
    tab.context.close()


def test_a_mission_moves_on_screen_without_a_reload_and_keeps_what_is_typed(
    flight: Flight, browser: Browser, address: str, apart: Any
) -> None:
    mission = flight.new()
    apart(flight.work)
    tab = Tab(browser, address)
    tab.sign_in(flight)
    page = tab.open(f"/missions/{mission}")
    page.wait_for_selector("[data-live-pill][data-state=live]")
    page.evaluate("window.same = true")
    page.locator("#edit-objective > summary").click()
    page.locator("#words-objective").fill("half a thought")
    flight.ack(mission, "gabriela")
    page.wait_for_selector("#define .slot-full >> text=Gabriela Ortiz")
    assert page.locator("#words-objective").input_value() == "half a thought"
    assert page.locator("#words-objective").is_visible()
    assert page.locator("#words-objective").evaluate("(field) => field === document.activeElement")
    assert page.evaluate("window.same") is True
    assert tab.wrong == []
    tab.context.close()


def test_paused_updates_freeze_the_page_until_they_go_on(
    flight: Flight, browser: Browser, address: str, apart: Any
) -> None:
    """UX-96."""
    mission = flight.new()
    apart(flight.work)
    tab = Tab(browser, address)
    tab.sign_in(flight)
    page = tab.open(f"/missions/{mission}")
    page.wait_for_selector("[data-live-pill][data-state=live]")
    page.get_by_role("button", name="Pause updates").click()
    flight.ack(mission, "gabriela")
    page.wait_for_selector(r"text=/Paused, \d+ new/")
    assert page.locator(".slot-full").count() == 0
    page.get_by_role("button", name="Go on").click()
    page.wait_for_selector(".slot-full")
    tab.context.close()


def test_a_mission_goes_by_keyboard_and_the_first_tab_skips_to_the_content(
    flight: Flight, browser: Browser, address: str, apart: Any
) -> None:
    """UX-03, UX-100 in part."""
    mission = apart(flight.to_approve)
    tab = Tab(browser, address)
    tab.sign_in(flight)
    page = tab.open(f"/missions/{mission}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_role("button", name="Approve exactly this").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/missions/{mission}#approve")
    assert flight.doc(mission)["stage"] == "Execute"
    tab.context.close()


def test_the_first_load_is_small(flight: Flight, browser: Browser, address: str) -> None:
    """First load of the heaviest common page, even without compression, is at most 300 kB."""
    tab = Tab(browser, address)
    sizes: list[int] = []
    tab.page.on("response", lambda r: "stream" in r.url or sizes.append(len(r.body())))
    tab.sign_in(flight)
    assert 20_000 < sum(sizes) <= 300_000
    tab.context.close()


def test_issues_are_accessible_and_move_when_the_file_changes_on_disk(
    flight: Flight, issues_on_disk: Path, browser: Browser, address: str
) -> None:
    """UX-81, UX-82: closing a blocker from a terminal moves what waited into Ready, without a reload."""
    tab = Tab(browser, address, reduced_motion="reduce")
    tab.sign_in(flight)
    for path in ("/issues", "/issues/ops-2", "/issues/ops-7", "/issues/graph"):
        page = tab.open(path)
        page.evaluate(OPEN)
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(SIDEWAYS) <= 0, (path, width)
            for theme in ("light", "dark"):
                page.emulate_media(color_scheme=theme)
                found = Axe().run(page, options=RULES | {"resultTypes": ["violations"]})
                assert found.violations_count == 0, f"{path}: {found.generate_report()}"
    page = tab.open("/issues/ops-2")
    page.wait_for_selector("[data-live-pill][data-state=live]")
    page.locator("#text").fill("half a thought")
    bd(issues_on_disk, "close", "ops-3", "--reason", "bounded")
    page.wait_for_selector("text=ops-2 is ready: nothing open blocks it.")
    assert page.locator("#text").input_value() == "half a thought"
    page.locator("a.node[href='/issues/ops-3']").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/issues/ops-3")
    assert tab.wrong == []
    tab.context.close()


def test_the_issues_page_lives_through_a_list_that_is_missing_and_damaged(
    flight: Flight, browser: Browser, address: str, apart: Any
) -> None:
    folder = give_issues(flight, made=False)
    tab = Tab(browser, address, reduced_motion="reduce")
    tab.sign_in(flight)
    page = tab.open("/issues")
    page.wait_for_selector("[data-live-pill][data-state=live]")
    assert Axe().run(page, options=RULES | {"resultTypes": ["violations"]}).violations_count == 0
    make(folder)
    page.wait_for_selector("text=There are no issues yet")
    page.wait_for_selector("[data-live-pill][data-state=live]")
    page.locator("#title").fill("half a thought")
    path = folder / ".beads" / "issues.jsonl"
    path.write_text("{torn")
    page.wait_for_selector("[role=alert] >> text=bd doctor")
    assert Axe().run(page, options=RULES | {"resultTypes": ["violations"]}).violations_count == 0
    path.write_text("")
    bd(folder, "create", "It is back")
    page.wait_for_selector("text=It is back")
    page.wait_for_selector("[role=alert]", state="detached")
    assert page.locator("#title").input_value() == "half a thought"
    assert [text for text in tab.wrong if "404" not in text] == []
    apart(sign_out, flight, tab.context.cookies())
    page.wait_for_selector("[data-live-pill][data-state=over]")
    tab.context.close()


def sign_out(flight: Flight, cookies: list[Any]) -> None:
    secret = next(cookie["value"] for cookie in cookies if cookie["name"] == SESSION_COOKIE)
    with flight.app.db.service() as conn:
        sessions.revoke(conn, secret, at=flight.clock())
