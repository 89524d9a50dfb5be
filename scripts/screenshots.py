"""The console's key screens as pictures: `make screenshots` writes them into screenshots/.

Starts a demo system in a folder of its own, brings sample missions to every stage through the API,
and looks at each page in Chromium, light and dark, at the width of a phone and of a desk.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from playwright.sync_api import Browser, Page, sync_playwright

from aicp import client
from aicp.cli.up import stop
from aicp.client import Client

OWNER, DELEGATE = "riley@home.example", "gabriela@home.example"
WIN_BACK = (
    "Win back our {n} best manufacturing accounts (over $50k ARR) that went quiet in Q2; warm advisory"
    " e-mails, no promotion, send only Tue–Thu 9–17 recipient time, skip the do-not-contact list."
)
UNCLEAR = (
    "Win back our best accounts that went quiet, maybe the big ones first, and please be"
    " frobnicating about the zebra list."
)
SIZES = {"390": (390, 844), "1440": (1440, 900)}
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-background-networking"]


@click.command()
@click.option("--only", default="", help="Only pictures whose name starts with this.")
@click.option("--into", default="screenshots", type=click.Path(path_type=Path))
def main(only: str, into: Path) -> None:
    into.mkdir(exist_ok=True)
    with demo_system() as home, sync_playwright() as tools:
        missions = samples(home)
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        count = sum(1 for _ in pictures(browser, home, missions, into, only))
        browser.close()
    click.echo(f"{count} pictures in {into}/")


@contextmanager
def demo_system() -> Iterator[Path]:
    """A demo system in a folder of its own, ended and removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="aicp-screens-"))
    folder.chmod(0o755)
    home = folder / "demo"
    words = [sys.executable, "-m", "aicp.cli.main", "--data-dir", str(folder), "demo", "--fast"]
    try:
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        yield home
    finally:
        stop(home)
        shutil.rmtree(folder, ignore_errors=True)


def samples(home: Path) -> dict[str, str]:
    """A mission in every stage, by the name of the stage; "undone" is the demo's own."""
    owner, delegate = (Client(client.find(home, as_email=name)) for name in (OWNER, DELEGATE))
    found = {"undone": owner.get("/api/missions")[0]["id"]}
    found["held"] = _new(owner, home, WIN_BACK.format(n=6))
    _to_plan(owner, delegate, found["held"])
    digest = owner.post(f"/api/missions/{found['held']}/plan", {"rank": 1})["digest"]
    owner.post(f"/api/missions/{found['held']}/approval", {"digest": digest})
    _until(owner, found["held"], lambda doc: doc["run_state"] == "held")
    found["define"] = _new(owner, home, UNCLEAR)
    found["plan"] = _new(owner, home, WIN_BACK.format(n=12))
    found["approve"] = _new(owner, home, WIN_BACK.format(n=60))
    found["blocked"] = _new(owner, home, "Normalise all phone numbers.", data="sandbox/missing.csv")
    _until(owner, found["define"], lambda doc: doc["brief"])
    for name in ("plan", "approve"):
        _to_plan(owner, delegate, found[name])
    owner.post(f"/api/missions/{found['approve']}/plan", {"rank": 1})
    _until(owner, found["blocked"], lambda doc: doc["status"] == "blocked")
    return found


def _new(owner: Client, home: Path, intent: str, data: str = "sandbox/accounts.csv") -> str:
    box = home / "sandbox"
    smtp = owner.get(f"/api/missions/{owner.get('/api/missions')[-1]['id']}")
    mail = next(c["account"] for c in smtp["connections"] if c["toolkit"] == "mail")
    body = {
        "intent": intent, "data": [str(home / data)], "calendar": str(box / "calendar.ics"),
        "smtp": mail.removeprefix("smtp "), "sender": "Riley Chen <riley@ourside.example>",
        "mail_folder": str(box / "mail"), "delivered": str(box / "inbox"),
    }  # fmt: skip
    return owner.post("/api/missions", body)["id"]


def _to_plan(owner: Client, delegate: Client, mission: str) -> None:
    _until(owner, mission, lambda doc: doc["brief"])
    for who in (owner, delegate):
        who.post(f"/api/missions/{mission}/acknowledgements")
    _until(owner, mission, lambda doc: doc["plays"])


def _until(owner: Client, mission: str, seen: Callable[[dict[str, Any]], Any]) -> None:
    deadline = time.monotonic() + 60
    while not seen(owner.get(f"/api/missions/{mission}")):
        if time.monotonic() > deadline:
            raise click.ClickException(f"{mission} does not get on")
        time.sleep(0.1)


def pictures(
    browser: Browser, home: Path, missions: dict[str, str], into: Path, only: str
) -> Iterator[Path]:
    """Every screen in both themes and both widths."""
    place = client.find(home, as_email=OWNER)
    for theme in ("light", "dark"):
        for width, (wide, high) in SIZES.items():
            context = browser.new_context(
                base_url=place.url, color_scheme=theme, viewport={"width": wide, "height": high}
            )
            page = context.new_page()
            for name, path, sign_in in screens(missions, Client(place)):
                if sign_in or name.startswith(only):
                    _visit(page, path)
                if name.startswith(only):
                    target = into / f"{name}-{theme}-{width}.png"
                    page.screenshot(path=target, full_page=True)
                    yield target
                if sign_in:
                    page.get_by_role("button", name="Sign in").click()
                    page.wait_for_selector("html[data-ready]")
            context.close()


def screens(missions: dict[str, str], owner: Client) -> Iterator[tuple[str, str, bool]]:
    """(name, path, whether the page signs in when its button is pressed)."""
    yield "sign-in-needed", "/", False
    yield "sign-in", owner.post("/api/login-link")["path"], True
    yield "home", "/", False
    yield "missions", "/missions", False
    yield "missions-empty", "/missions?stage=Home&status=archived", False
    yield "not-found", "/nowhere", False
    for stage, mission in missions.items():
        yield f"mission-{stage}", f"/missions/{mission}", False
    yield "mission-verified", f"/missions/{missions['undone']}?verify=true", False


def _visit(page: Page, path: str) -> None:
    page.goto(path)
    if page.locator("script").count():
        page.wait_for_selector("html[data-ready]")


if __name__ == "__main__":
    main()
