"""The issue pages: bd's order, what hangs together as picture and text, live from disk, and who may write."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicp import web
from aicp.console import issues as pages
from aicp.console.picture import BOX_H, BOX_W, picture, place
from aicp.errors import DatabaseDown
from aicp.people import sessions
from aicp.tracker import Tracker
from aicp.web import SignedIn
from console_visitor import secret_for
from flight import Flight
from issue_book import bd, fill, give_issues, make


@pytest.fixture
def ops(flight: Flight) -> Path:
    folder = give_issues(flight)
    fill(folder)
    return folder


@pytest.fixture
def bare(flight: Flight) -> Path:
    """A repository in which `bd init` never ran."""
    return give_issues(flight, made=False)


def rows(html: str, part: str) -> list[str]:
    """The ids of a table, in the order a person reads them."""
    section = html.split(f'<section id="{part}"')[1].split("</section>")[0]
    return re.findall(r'<th scope="row"><a href="/issues/([^"]+)"', section)


def test_pages_show_the_order_of_bd(ops: Path, visit: Any) -> None:
    """UX-84."""
    page = visit("sam").get("/issues").text
    assert rows(page, "ready") == [r["id"] for r in json.loads(bd(ops, "ready", "--json"))]
    assert rows(page, "list") == [r["id"] for r in json.loads(bd(ops, "list", "--json"))]
    some = visit("sam").get("/issues?status=open&label=ops&priority=1").text
    told = json.loads(bd(ops, "list", "--status", "open", "-l", "ops", "-p", "1", "--json"))
    assert rows(some, "list") == [r["id"] for r in told] != []
    assert '<option value="open" selected>' in some
    assert visit("sam").get("/issues?status=opne").status_code == 422


def test_an_issue_page_says_why_it_waits_and_escapes_what_people_wrote(
    ops: Path, visit: Any
) -> None:
    page = visit("sam").get("/issues/ops-2")
    assert page.status_code == 200
    assert "ops-2 is not ready: it waits for ops-3" in page.text
    assert "<b>12</b>" not in page.text
    assert page.text.count("<h1") == 1
    twin = visit("sam").get("/issues/ops-2.json").json()
    assert twin["blocked_by"] == ["ops-3"]
    assert visit("sam").get("/issues/ops-99").status_code == 404


@pytest.mark.parametrize("path", ["/issues/graph", "/issues/ops-2"])
def test_the_text_lists_the_nodes_and_edges_of_the_picture(
    ops: Path, visit: Any, path: str
) -> None:
    """UX-81."""
    html = visit("sam").get(path).text
    drawn = re.findall(r'<a href="/issues/([^"]+)" class="node', html)
    told = re.findall(r'data-node="([^"]+)"', html)
    assert drawn == told != []
    lines = len(re.findall(r'class="edge edge-[a-z-]+" marker-end', html))
    edges = re.findall(r'data-edge="([^"]+)"', html)
    assert lines == len(edges)
    assert {"ops-2 blocks ops-3", "ops-2 parent-child ops-1", "ops-6 related ops-2"} <= set(edges)
    if path.endswith("graph"):
        twin = visit("sam").get("/issues/graph.json").json()
        assert [node["id"] for node in twin["nodes"]] == told
        assert [f"{e['start']} {e['kind']} {e['end']}" for e in twin["edges"]] != []
        assert "ops-7" not in told


def test_people_open_comment_link_and_close(ops: Path, visit: Any) -> None:
    riley = visit("riley")
    page = riley.get("/issues").text
    made = riley.send(
        page.split('id="new"')[1],
        "/issues",
        title="Pager is quiet",
        type="incident",
        priority="0",
        labels="ops,eu",
    )
    new = str(made.url).rsplit("/", 1)[1]
    assert "Pager is quiet" in made.text
    page = riley.send(made.text, "/comments", text="EU <i>only</i>").text
    assert "EU &lt;i&gt;only&lt;/i&gt;" in page
    page = riley.send(page, "/dependencies", on="ops-3", type="blocks").text
    assert f"{new} is not ready: it waits for ops-3" in page
    page = riley.send(page, "/update", status="in_progress", priority="1").text
    page = riley.send(page, "/close", reason="it rings again").text
    assert "it rings again" in page
    shown = json.loads(bd(ops, "show", new, "--json"))[0]
    assert (shown["status"], shown["priority"], shown["created_by"]) == (
        "closed",
        1,
        "riley@home.example",
    )
    assert shown["comments"][0]["author"] == "riley@home.example"


def test_people_take_a_dependency_away_and_reopen_what_is_closed(ops: Path, visit: Any) -> None:
    riley = visit("riley")
    page = riley.get("/issues/ops-2").text
    assert 'aria-label="Remove: parent-child ops-1"' in page
    assert riley.form(page, "/removal").fields["on"] == "ops-1"
    freed = riley.send(page, "/removal", on="ops-3", type="blocks")
    assert freed.url.fragment == "needs"
    assert "ops-2 is ready" in freed.text
    assert "Remove: blocks ops-3" not in freed.text
    again = riley.send(page, "/removal", on="ops-3", type="blocks")
    assert again.status_code == 404
    assert "/reopen" not in page
    closed = riley.get("/issues/ops-7").text
    assert "/close" not in closed
    opened = riley.send(closed, "/reopen", reason="not so old").text
    assert "/reopen" not in opened
    assert riley.send(closed, "/reopen").status_code == 409
    [two, seven] = json.loads(bd(ops, "show", "ops-2", "ops-7", "--json"))
    assert [one["dependency_type"] for one in two["dependencies"]] == ["parent-child"]
    assert seven["status"] == "open"
    assert json.loads(bd(ops, "history", "ops-7", "--json"))[-1]["reason"] == "not so old"


def test_a_dependency_on_what_is_gone_is_listed_and_can_be_taken_away(
    ops: Path, visit: Any
) -> None:
    path = ops / ".beads" / "issues.jsonl"
    path.write_text(
        path.read_text().replace('"depends_on_id":"ops-3"', '"depends_on_id":"ops-404"')
    )
    riley = visit("riley")
    page = riley.get("/issues/ops-2").text
    assert "<code>ops-404</code>" in page
    assert 'href="/issues/ops-404"' not in page.split('id="needs"')[1].split("</section>")[0]
    assert "ops-404" not in riley.send(page, "/removal", on="ops-404", type="blocks").text


def test_a_refusal_keeps_what_was_typed_and_changes_nothing(ops: Path, visit: Any) -> None:
    """UX-83."""
    riley = visit("riley")
    before = (ops / ".beads" / "issues.jsonl").read_bytes()
    page = riley.get("/issues/ops-3").text
    ring = riley.send(page, "/dependencies", on="ops-2", type="blocks")
    assert ring.status_code == 409
    assert "ops-2" in ring.text
    assert 'value="ops-2"' in ring.text
    empty = riley.send(page, "/close", reason=" ")
    assert empty.status_code == 422
    assert "say why it is closed" in empty.text
    assert (
        riley.send(riley.get("/issues").text.split('id="new"')[1], "/issues", title=" ").status_code
        == 422
    )
    forged = riley.http.post("/issues/ops-3/close", data={"reason": "x", "csrf": "0" * 64})
    assert forged.status_code == 403
    assert (ops / ".beads" / "issues.jsonl").read_bytes() == before


def test_who_may_only_read_gets_no_form_and_is_refused(ops: Path, visit: Any) -> None:
    sam = visit("sam")
    page = sam.get("/issues/ops-3").text
    assert "only operators" in page
    assert "/close" not in page
    assert "/removal" not in sam.get("/issues/ops-2").text
    assert "/reopen" not in sam.get("/issues/ops-7").text
    csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
    assert csrf
    for path in ("/issues/ops-3/close", "/issues/ops-7/reopen", "/issues/ops-2/removal", "/issues"):
        refused = sam.http.post(path, data={"csrf": csrf[1], "reason": "x", "title": "x"})
        assert refused.status_code == 403
    assert visit().get("/issues").status_code == 401


def test_a_missing_or_damaged_list_is_a_page_with_the_way_back(bare: Path, visit: Any) -> None:
    page = visit("riley").get("/issues")
    assert page.status_code == 404
    assert "bd init" in page.text
    make(bare)
    assert "There are no issues yet" in visit("riley").get("/issues").text
    (bare / ".beads" / "issues.jsonl").write_text("{torn")
    torn = visit("riley").get("/issues")
    assert torn.status_code == 503
    assert "bd doctor" in torn.text
    for page in ("/issues", "/issues/ops-1", "/issues/graph"):
        answer = visit("riley").get(page)
        assert answer.status_code == 503, page
        assert re.search(r'data-live="/issues/stream\?after=\d+-', answer.text), page
        assert 'hx-get="/issues/again"' in answer.text
    assert visit("riley").get("/issues.json").json()["error"]["code"] == "issues_damaged"
    again = visit("riley").get("/issues/again")
    assert (again.status_code, again.headers["hx-refresh"]) == (204, "true")
    assert visit().get("/issues/again").status_code == 401


@pytest.mark.parametrize("where", ["/issues", "/issues/ops-2", "/issues/graph"])
def test_a_page_that_is_open_says_what_is_wrong_with_the_list_and_goes_on_after(
    ops: Path, visit: Any, where: str
) -> None:
    riley = visit("riley")
    path = ops / ".beads" / "issues.jsonl"
    good, have = path.read_bytes(), versions(riley.get(where).text)

    def changed() -> str:
        answer = riley.get(f"{where}/changes?" + "&".join(f"have={one}" for one in have))
        assert answer.status_code in (200, 204)
        return answer.text

    path.write_bytes(good + b"<<<<<<< ours\n")
    torn = changed()
    assert "bd doctor" in torn
    assert [one.partition(":")[0] for one in versions(torn)] == ["problem"]
    have += versions(torn)
    assert changed() == ""
    path.write_bytes(good.replace(b"Fix the pool leak", b"Fix the leak"))
    have = [one for one in have if one not in versions(riley.get(where).text)]
    mended = changed()
    assert "bd doctor" not in mended
    assert "Fix the leak" in mended


def versions(html: str) -> list[str]:
    """The parts of a page as the browser names them when it asks for changes."""
    return re.findall(r'name="have" value="([^"]+)"', html)


def test_only_what_changed_is_sent_again(ops: Path, visit: Any) -> None:
    riley = visit("riley")
    have = re.findall(r'name="have" value="([^"]+)"', riley.get("/issues/ops-2").text)
    asked = "/issues/ops-2/changes?" + "&".join(f"have={one}" for one in have)
    assert riley.get(asked).status_code == 204
    path = ops / ".beads" / "issues.jsonl"
    path.write_text(path.read_text().replace("Fix the pool leak", "Fix the leak"))
    fresh = riley.get(asked).text
    assert "Fix the leak" in fresh
    assert 'id="tree"' in fresh
    assert 'id="comments"' not in fresh


class Request:
    async def is_disconnected(self) -> bool:
        return False


def test_the_stream_tells_of_a_file_edited_on_disk(ops: Path) -> None:
    async def listen() -> list[bytes]:
        tracker = Tracker(str(ops))
        signed_in = SignedIn(lambda: None)
        told = pages._told(Request(), tracker, tracker.stamp(), signed_in)  # type: ignore[arg-type]
        heard = [await anext(told)]
        path = ops / ".beads" / "issues.jsonl"
        path.write_text(path.read_text().replace("Old work", "Older work"))
        heard += [await anext(told)]
        (ops / ".beads").rename(ops / "away")
        heard += [await anext(told)]
        await told.aclose()  # type: ignore[attr-defined]
        return heard

    hello, changed, gone = asyncio.run(asyncio.wait_for(listen(), 20))
    assert hello == b": hello\n\n"
    assert b"event: aicp\n" in changed
    assert b"id: none\n" in gone


@pytest.mark.parametrize("end", ["signed out", "expired"])
def test_the_stream_ends_with_the_session_that_opened_it(
    flight: Flight, ops: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(web, "SIGNED_IN_SECONDS", 0.1)
    secret, asked = secret_for(flight, "riley", "session"), []

    def ask() -> None:
        asked.append(1)
        if len(asked) == 2:
            raise DatabaseDown("the database is away")
        with flight.app.db.service() as conn:
            sessions.who(conn, secret, ("session",), at=flight.clock())

    async def listen() -> list[bytes]:
        tracker = Tracker(str(ops))
        told = pages._told(Request(), tracker, "", SignedIn(ask))  # type: ignore[arg-type]
        heard = [await anext(told), await anext(told)]
        while len(asked) < 3:  # it lives on while the database is away
            heard.append(await anext(told))
        if end == "expired":
            flight.clock.advance(hours=13)
        else:
            with flight.app.db.service() as conn:
                sessions.revoke(conn, secret, at=flight.clock())
        (ops / ".beads").rename(ops / "away")
        return [*heard, *[frame async for frame in told]]

    heard = asyncio.run(asyncio.wait_for(listen(), 20))
    assert sum(frame.startswith(b"id:") for frame in heard) <= 2
    assert len(asked) >= 4


@given(st.data())
def test_boxes_never_overlap_and_what_comes_first_is_on_the_left(data: st.DataObject) -> None:
    ids = [f"t-{n}" for n in range(data.draw(st.integers(1, 12)))]
    pairs = data.draw(st.sets(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), max_size=20))
    edges = [(a, "blocks", b) for a, b in sorted(pairs) if a != b]
    spots = place(ids, edges)
    assert spots.keys() == set(ids)
    taken = sorted(spots.values())
    assert len(set(taken)) == len(taken)
    for (x1, y1), (x2, y2) in itertools.pairwise(taken):
        assert x1 != x2 or y2 - y1 >= BOX_H
        assert x1 == x2 or x2 - x1 >= BOX_W
    forward = [(a, k, b) for a, k, b in edges if int(a[2:]) > int(b[2:])]
    acyclic = place(ids, forward)
    assert all(acyclic[b][0] < acyclic[a][0] for a, _, b in forward)


def test_a_picture_holds_300_issues_and_says_what_it_leaves_out(ops: Path, visit: Any) -> None:
    """UX-80."""
    lines = [
        json.dumps({
            "id": f"ops-{n}", "title": f"Issue {n}", "description": "", "status": "open", "priority": 2,
            "issue_type": "task", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            "dependencies": [{"issue_id": f"ops-{n}", "depends_on_id": f"ops-{n // 2}", "type": "blocks"}] * (n > 1),
        })
        for n in range(1, 341)
    ]  # fmt: skip
    (ops / ".beads" / "issues.jsonl").write_text("\n".join(sorted(lines)) + "\n")
    graph = Tracker(str(ops)).snapshot().graph
    assert len(picture(graph, list(graph.by_id)).boxes) == 300
    page = visit("sam").get("/issues/graph")
    assert page.elapsed.total_seconds() < 1.5
    assert "40 more issues do not fit" in page.text


def test_a_follow_up_asked_on_the_missions_page_leads_to_its_issue(
    flight: Flight, ops: Path, visit: Any
) -> None:
    mission = flight.new()
    flight.work()
    riley = visit("riley")
    page = riley.get(f"/missions/{mission}").text
    page = riley.send(
        page, "/followups", title="Ask <b>legal</b>", labels="ops,eu", priority="1"
    ).text
    assert "Ask &lt;b&gt;legal&lt;/b&gt;" in page
    assert "Waiting" in page
    flight.work()
    [row] = flight.doc(mission)["followups"]
    assert f'href="/issues/{row["issue_id"]}"' in riley.get(f"/missions/{mission}").text
    assert row["issue_id"] in rows(riley.get("/issues?label=eu").text, "ready")
    refused = riley.send(page, "/followups", title="x", labels="a, ,b" * 200, priority="9")
    assert refused.status_code == 422
    assert "/followups" not in visit("sam").get(f"/missions/{mission}").text
