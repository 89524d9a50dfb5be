"""Safeguards under a run over JSON, and on the mission's page (TR-7, TR-10)."""

from __future__ import annotations

from starlette.testclient import TestClient

from aicp.api.server import make_server
from aicp.console.pages import routers
from aicp.web import SESSION_COOKIE
from api.conftest import Server
from console_visitor import secret_for


def test_a_safeguard_is_listed_added_and_seen_on_the_page(server: Server) -> None:
    flight = server.flight
    mission = flight.to_execute()
    flight.work()
    url = f"/api/missions/{mission}/safeguards"
    before = server.ask("GET", url).json()
    assert {"id", "kind", "text", "params", "tightenings"} <= before[0].keys()
    body = {"kind": "tone", "params": {"forbid": ["hello"]}, "reason": "legal <b>asks</b>"}
    made = server.ask("POST", url, by="gabriela", json=body)
    assert (made.status_code, made.json()["holds"]) == (201, "now")
    (added,) = [g for g in server.ask("GET", url).json() if g["added"]]
    assert (added["params"], added["tightenings"][0]["by"]) == (body["params"], "Gabriela Ortiz")
    http = TestClient(make_server(flight.app, pages=routers()), base_url="http://console.test")
    http.cookies.set(SESSION_COOKIE, secret_for(flight, "sam", "session"))
    page = http.get(f"/missions/{mission}").text
    assert "Safeguards made narrower during the run" in page
    assert "legal &lt;b&gt;asks&lt;/b&gt;" in page


def test_what_is_wrong_or_forbidden_is_one_sentence_and_changes_nothing(server: Server) -> None:
    flight = server.flight
    mission = flight.to_execute()
    flight.work()
    url = f"/api/missions/{mission}/safeguards"
    before = server.ask("GET", url).json()
    tone = {"kind": "tone", "params": {"forbid": ["x"]}, "reason": "why"}
    for body, status in (
        (tone | {"safeguard": "safeguard-1"}, 422), (tone | {"kind": ""}, 422),
        (tone | {"reason": " "}, 422), (tone | {"params": {"forbid": "x"}}, 422),
        (tone | {"kind": "wish"}, 422), (tone | {"kind": "", "safeguard": "nobody"}, 404),
    ):  # fmt: skip
        answer = server.ask("POST", url, json=body)
        assert answer.status_code == status, body
        assert answer.json()["error"]["message"]
    assert server.ask("POST", url, by="sam", json=tone).status_code == 403
    assert server.ask("GET", url).json() == before
