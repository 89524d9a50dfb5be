"""Kill switches and limits over JSON, and on the console's home page (MI-8, TR-14, TR-15)."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from aicp.api.server import make_server
from aicp.console.pages import routers
from aicp.web import SESSION_COOKIE
from api.conftest import Server
from console_visitor import secret_for
from flight import Flight

MAIL = {"scope": "toolkit", "target": "mail", "reason": "wrong recipients <b>"}


def home(flight: Flight) -> str:
    http = TestClient(make_server(flight.app, pages=routers()), base_url="http://console.test")
    http.cookies.set(SESSION_COOKIE, secret_for(flight, "sam", "session"))
    return http.get("/").text


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["message"]


def test_a_switch_is_pulled_seen_by_all_and_lifted(server: Server) -> None:
    ask = server.ask
    made = ask("POST", "/api/kill-switches", json=MAIL)
    assert (made.status_code, made.json()["target"]) == (201, "toolkit mail")
    assert ask("POST", "/api/kill-switches", json=MAIL).status_code == 409
    seen = ask("GET", "/api/kill-switches", by="sam").json()
    assert [(s["target"], s["reason"], s["pulled_by"]) for s in seen] == [
        ("toolkit mail", MAIL["reason"], "Riley Chen")
    ]
    page = home(server.flight)
    assert "A kill switch is pulled: calls are stopped" in page
    assert "wrong recipients &lt;b&gt;" in page
    assert page.index("A kill switch") < page.index('id="ask"'), "before everything else"
    lifted = ask("POST", "/api/kill-switches/lift", by="gabriela", json=MAIL)
    assert lifted.json() == {"scope": "toolkit", "target": "toolkit mail", "paused": []}
    assert ask("GET", "/api/kill-switches").json() == []
    assert "kill switch" not in home(server.flight)


def test_what_is_wrong_or_forbidden_is_one_sentence(server: Server) -> None:
    ask = server.ask
    for by in ("gabriela", "sam"):
        status, said = refused(ask("POST", "/api/kill-switches", by=by, json=MAIL))
        assert (status, "on-call pull" in said) == (403, True)
    for body in (
        MAIL | {"reason": ""}, MAIL | {"target": ""}, MAIL | {"scope": "planet"},
        {"scope": "tenant", "target": "x", "reason": "y"}, {"scope": "tenant"},
    ):  # fmt: skip
        assert refused(ask("POST", "/api/kill-switches", json=body))[0] == 422
    missing = MAIL | {"scope": "mission", "target": "m-1"}
    assert refused(ask("POST", "/api/kill-switches", json=missing))[0] == 404
    assert refused(ask("POST", "/api/kill-switches/lift", by="gabriela", json=MAIL))[0] == 404


def test_limits_show_quotas_with_their_use(server: Server) -> None:
    mission, _run = server.flight.fly(3)
    found = server.ask("GET", "/api/limits").json()
    assert found["usual"] == {"calls": 60, "seconds": 60}
    kits = {kit["toolkit"]: kit for kit in found["toolkits"]}
    done = server.flight.doc(mission)["run"]["steps"][:3]
    for name in {step["tool"].split(".")[0] for step in done} - {"mail"}:
        assert kits[name]["used"] == sum(step["tool"].startswith(name) for step in done)
        assert (kits[name]["state"], kits[name]["calls"]) == ("closed", 600)
    assert "mail" not in kits or kits["mail"]["used"] == 0, "drafts use nothing up"
