"""Every page in every state, without scripts, and what each refuses."""

from __future__ import annotations

import csv
import re
from typing import Any

import pytest

from aicp.brain.brief import Coverage, CoveragePart
from aicp.console import assets
from aicp.kernel.db import Actor
from aicp.missions import control, define, store
from console_visitor import secret_for
from flight import ANY_TIME, NOW, Flight

BAD = "<script>alert(document.title)</script><img src=x onerror=alert()>"


def structure(html: str) -> tuple[int, int, int]:
    return html.count("<h1"), html.count("<main"), html.count('class="skip"')


def title(html: str) -> str:
    found = re.search(r"<title>(.*?)</title>", html, re.DOTALL)
    assert found
    return found[1]


def test_whoever_has_no_session_sees_how_to_sign_in_and_nothing_else(
    flight: Flight, visit: Any
) -> None:
    mission = flight.new()
    for path in ("/", "/missions", f"/missions/{mission}", "/missions/nope", "/nowhere"):
        page = visit().get(path)
        assert page.status_code == 401
        assert "aicp login" in page.text
        assert mission not in page.text


def test_a_link_is_used_up_by_its_button_and_not_by_looking(flight: Flight, visit: Any) -> None:
    guest = visit()
    path = f"/login/{secret_for(flight, 'riley', 'link')}"
    for _ in range(3):
        assert guest.get(path).status_code == 200
    signed = guest.send(guest.get(path).text, path)
    assert signed.url.path == "/"
    assert "Riley Chen" in signed.text
    cookie = signed.history[0].headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    again = visit().http.post(path)
    assert again.status_code == 401


def test_signing_in_is_refused_after_ten_attempts_a_minute(visit: Any) -> None:
    guest = visit()
    answers = [guest.http.post("/login/wrong").status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]


def test_signing_out_ends_the_session_on_the_server(visit: Any) -> None:
    riley = visit("riley")
    kept = dict(riley.http.cookies)
    assert riley.send(riley.get("/").text, "/logout").status_code == 401
    riley.http.cookies.update(kept)
    assert riley.get("/").status_code == 401


@pytest.mark.parametrize("stage", ["new", "define", "plan", "approve", "held", "undone", "blocked"])
def test_a_mission_page_is_whole_in_every_state(flight: Flight, visit: Any, stage: str) -> None:
    mission = reach(flight, stage)
    for name in ("riley", "gabriela", "lee", "sam"):
        page = visit(name).get(f"/missions/{mission}")
        assert page.status_code == 200
        assert structure(page.text) == (1, 1, 1)
        assert mission in title(page.text)
        assert all(f'id="{part}"' in page.text for part in ("define", "approve", "reflect"))
    twin = visit("riley").get(f"/missions/{mission}.json")
    assert twin.json()["id"] == mission


def reach(flight: Flight, stage: str) -> str:
    """A mission in a state."""
    if stage in ("new", "define"):
        mission = flight.new("Win back our best accounts, frobnicating the zebra list.")
    elif stage == "blocked":
        mission = flight.new(data=(str(flight.sandbox / "missing.csv"),))
    else:
        ways = {"plan": flight.to_plan, "approve": flight.to_approve}
        return ways[stage]() if stage in ways else _run(flight, stage)
    if stage != "new":
        flight.work()
    return mission


def _run(flight: Flight, stage: str) -> str:
    mission = flight.to_execute()
    flight.work()
    if stage == "undone":
        flight.undo(mission)
    return mission


def test_home_names_what_needs_each_person_and_only_that(flight: Flight, visit: Any) -> None:
    mission = flight.new()
    flight.work()
    assert [w["verb"] for w in visit("riley").get("/index.json").json()["queue"]] == ["Acknowledge"]
    assert visit("sam").get("/index.json").json()["queue"] == []
    flight.ack(mission, "riley")
    flight.ack(mission, "gabriela")
    flight.work()
    assert [w["verb"] for w in visit("riley").get("/index.json").json()["queue"]] == [
        "Choose a play"
    ]
    flight.select(mission)
    waits = visit("riley").get("/index.json").json()["queue"]
    assert [(w["verb"], bool(w["due"])) for w in waits] == [("Decide", True)]
    assert "Nothing waits for you" in visit("sam").get("/").text


def test_lists_keep_their_filter_in_the_address_and_say_when_they_are_empty(
    flight: Flight, visit: Any
) -> None:
    mission = flight.new()
    riley = visit("riley")
    assert mission in riley.get("/missions?stage=Define").text
    empty = riley.get("/missions?stage=Reflect&status=completed").text
    assert mission not in empty
    assert "Show all missions" in empty
    assert [m["id"] for m in riley.get("/missions.json?stage=Define").json()] == [mission]
    assert riley.get("/missions?stage=Nonsense").status_code == 422


def test_the_json_twin_is_one_rule_for_every_page(flight: Flight, visit: Any) -> None:
    mission = flight.new()
    riley = visit("riley")
    for path, twin in (
        ("/missions", "/missions.json"),
        (f"/missions/{mission}", f"/missions/{mission}.json"),
    ):
        by_path = riley.get(twin).json()
        assert by_path == riley.get(path, accept="application/json").json()
    wrong = riley.get("/missions/m-none.json")
    assert (wrong.status_code, wrong.json()["error"]["exit_code"]) == (404, 3)


def test_what_users_and_tables_say_is_shown_and_never_run(flight: Flight, visit: Any) -> None:
    """UX-35: injected markup stays text, in the intent and in a cell."""
    table = flight.sandbox / "accounts.csv"
    rows = list(csv.reader(table.open(newline="", encoding="utf-8")))
    with table.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([rows[0], *([*row[:-1], BAD] for row in rows[1:])])
    mission = flight.new(f"Win back our 3 best manufacturing accounts that went quiet in Q2. {BAD}")
    flight.work()
    flight.call(define.edit, mission, "audience", None)  # words nobody understood ask for a look
    flight.ack(mission, "riley")
    flight.ack(mission, "gabriela")
    flight.work()
    page = visit("riley").get(f"/missions/{mission}").text
    assert BAD not in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(document.title)&lt;/script&gt;&lt;img" in page
    assert "Nothing in it is an instruction." in page


def test_pages_carry_a_strict_policy_and_assets_a_version(visit: Any) -> None:
    page = visit("riley").get("/")
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "same-origin"
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page.text)
    links = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    assert len(links) >= 7
    for link in links:
        got = visit().http.get(link)
        assert got.status_code == 200
        assert "immutable" in got.headers["cache-control"]
    stale = links[0].replace(assets.version(), "0" * 12)
    assert visit("riley").http.get(stale).status_code == 404


def test_there_is_one_page_for_what_does_not_exist_and_what_is_not_yours(
    flight: Flight, visit: Any
) -> None:
    riley = visit("riley")
    pages = [riley.get(path) for path in ("/nowhere", "/missions/m-none", "/a/b/c")]
    assert [page.status_code for page in pages] == [404, 404, 404]
    assert all(structure(page.text) == (1, 1, 1) for page in pages)
    assert riley.get("/search?id=m-none").status_code == 404
    mission = flight.new()
    assert riley.get(f"/search?id={mission[:6]}").url.path == f"/missions/{mission}"


def test_the_theme_is_a_form_and_only_known_ones_are_kept(visit: Any) -> None:
    riley = visit("riley")
    page = riley.send(riley.get("/missions").text, "/theme", theme="contrast")
    assert page.url.path == "/missions"
    assert 'data-theme="contrast"' in page.text
    assert riley.send(page.text, "/theme", theme="neon").status_code == 422
    away = riley.send(page.text, "/theme", theme="dark", back="//evil.test/x")
    assert away.history[0].headers["location"] == "/"


def test_an_unexpected_failure_is_a_page_with_an_id_and_no_traceback(
    visit: Any, server: Any
) -> None:
    riley = visit("riley")
    server.state.aicp = Broken(server.state.aicp)
    page = riley.get("/missions")
    assert page.status_code == 500
    assert page.headers["x-correlation-id"] in page.text
    assert "ZeroDivisionError" not in page.text


class Broken:
    """An app whose transactions break in a way nobody foresaw."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)

    def transaction(self, _actor: Actor) -> Any:
        return 1 / 0


def test_a_paused_run_offers_to_go_on_and_shows_its_reason(flight: Flight, visit: Any) -> None:
    mission, _ = flight.fly(2, ANY_TIME)
    flight.call(control.pause, mission, "the phone rang")
    page = visit("riley").get(f"/missions/{mission}").text
    assert "the phone rang" in page
    visit("riley").form(page, "/resume")
    assert "2 of " in page


def test_only_changed_parts_are_sent(flight: Flight, visit: Any) -> None:
    mission = flight.new()
    flight.work()
    riley = visit("riley")
    page = riley.get(f"/missions/{mission}").text
    have = re.findall(r'name="have" value="([^"]+)"', page)
    assert len(have) == 9
    path = f"/missions/{mission}/changes"
    assert riley.http.get(path, params={"have": have}).status_code == 204
    flight.ack(mission, "riley")
    fresh = riley.http.get(path, params={"have": have}).text
    assert 'id="define"' in fresh
    assert 'id="prepare"' not in fresh


def test_coverage_below_the_gate_shows_the_gaps_and_who_may_override(
    flight: Flight, visit: Any
) -> None:
    mission = flight.new()
    flight.work()
    flight.ack(mission, "riley")
    flight.ack(mission, "gabriela")
    gap = CoveragePart(name="data", percent=40, weight=0.3, gaps=("email is empty in 70 rows.",))
    output = {"granted_scopes": [], "coverage": Coverage(percent=82, parts=(gap,)).model_dump()}
    with flight.app.transaction(flight.people["riley"]) as conn:
        store.mark_stage(conn, mission, "Prepare", "blocked", at=NOW, output=output)
        store.change(conn, mission, NOW, status="blocked", coverage_percent=82)
    page = visit("riley").get(f"/missions/{mission}").text
    assert "email is empty in 70 rows." in page
    assert "only governance may let a mission pass" in page
    gabriela = visit("gabriela")
    page = gabriela.get(f"/missions/{mission}").text
    done = gabriela.send(page, "/override", reason="drafts are enough")
    assert done.status_code == 200
    assert flight.doc(mission)["stage"] == "Plan"
