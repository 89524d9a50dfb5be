"""A colleague with little to say, a page of another port, and what both may not do."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from aicp.api.server import make_server
from aicp.web import SESSION_COOKIE
from console_visitor import secret_for
from flight import ANY_TIME, Flight

DEEDS = [
    ("post", "/acknowledgements", None),
    ("post", "/override", {"rationale": "x"}),
    ("post", "/plan", {"rank": 1}),
    ("post", "/rejection", {"reason": "x"}),
    ("post", "/run", None),
    ("post", "/pause", {}),
    ("post", "/resume", {}),
    ("post", "/stop", {}),
    ("post", "/undo", {}),
    ("put", "/brief/audience", {"text": None}),
    ("put", "/questions/question-1", {"text": "Leave it out"}),
]


def asking(flight: Flight, headers: dict[str, str]) -> TestClient:
    server = make_server(flight.app)
    return TestClient(server, base_url="http://127.0.0.1:8700", headers=headers)


@pytest.mark.parametrize(
    "origin",
    [{"origin": "http://127.0.0.1:3000"}, {"origin": "null"}, {"sec-fetch-site": "same-site"}],
)
def test_a_page_of_another_port_cannot_acknowledge_with_a_browsers_session(flight: Flight, origin):
    mission = flight.new(ANY_TIME)
    flight.work()
    http = asking(flight, origin)
    http.cookies.set(SESSION_COOKIE, secret_for(flight, "riley", "session"))
    said = http.post(f"/api/missions/{mission}/acknowledgements")
    assert (said.status_code, said.json()["error"]["code"]) == (403, "origin")
    assert flight.ack(mission, "riley")["capacity"] == "owner"  # nobody had given it yet


def test_the_consoles_own_pages_may(flight: Flight):
    mission = flight.new(ANY_TIME)
    flight.work()
    http = asking(flight, {"origin": "http://127.0.0.1:8700", "sec-fetch-site": "same-origin"})
    http.cookies.set(SESSION_COOKIE, secret_for(flight, "riley", "session"))
    assert http.post(f"/api/missions/{mission}/acknowledgements").status_code == 201


@pytest.mark.parametrize("deed", DEEDS, ids=[deed[1] for deed in DEEDS])
def test_a_colleague_without_a_role_for_it_changes_nothing(flight: Flight, deed):
    mission = flight.to_approve(ANY_TIME)
    before = flight.doc(mission)
    http = asking(flight, {"authorization": f"Bearer {secret_for(flight, 'sam', 'token')}"})
    verb, path, body = deed
    said = http.request(verb, f"/api/missions/{mission}{path}", json=body)
    assert said.status_code in (403, 409, 422, 423), said.text
    after = flight.doc(mission)
    assert {k: after[k] for k in ("stage", "run_state", "status", "brief")} == {
        k: before[k] for k in ("stage", "run_state", "status", "brief")
    }
