"""Every route needs somebody signed in, answers strangers with 404, and never falls over (TR-22, design 6)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.conftest import Server
from flight import land, take_off

OPEN = {"/health"}
DOCUMENT = "/api/openapi.json"  # lists the others, and not itself


def routes(server: Server) -> Iterator[tuple[str, str]]:
    """Method and path of every route, parameters filled in."""
    for path, operations in server.client.app.openapi()["paths"].items():  # type: ignore[attr-defined]
        for method in operations:
            yield method.upper(), path


def filled(path: str, mission: str = "m-1") -> str:
    return (
        path.replace("{mission_id}", mission)
        .replace("{chip_id}", "objective")
        .replace("{question_id}", "q-1")
    )


def test_every_route_but_the_open_ones_needs_somebody_signed_in(server: Server) -> None:
    asked = [(method, path) for method, path in routes(server) if path not in OPEN]
    asked.append(("GET", DOCUMENT))
    assert len(asked) >= 24
    for headers in ({}, {"Authorization": "Bearer nobody"}, {"Authorization": "Basic cmlsZXk6"},
                    {"Cookie": "aicp_session=nobody"}):  # fmt: skip
        for method, path in asked:
            answer = server.client.request(method, filled(path), headers=headers)
            assert answer.status_code == 401, (method, path)
            assert answer.json()["error"]["code"] == "sign_in_needed"


def test_there_is_no_route_outside_what_is_documented(server: Server) -> None:
    """What the document lists is what there is: nothing is hidden from the test above."""
    listed = {path for _, path in routes(server)}
    there = {r.path for r in _all(server.client.app.routes)}  # type: ignore[attr-defined]
    assert there - listed <= {*OPEN, DOCUMENT}
    assert listed - there == set()


def _all(found: list[Any]) -> Iterator[APIRoute]:
    for route in found:
        if hasattr(route, "path"):
            yield route
        else:
            inner = getattr(route, "original_router", None) or getattr(route, "router", None)
            yield from _all(inner.routes if inner else [])


def test_a_stranger_finds_nothing_by_any_route(server: Server, tmp_path: Path) -> None:
    """I-10: not found, as if it were not there; never forbidden, never a hint that it exists."""
    flight = server.flight
    mission = flight.to_execute()
    strange = take_off(tmp_path / f"x{uuid4().hex[:10]}", flight.url)
    bodies = {"plan": {"rank": 1}, "approval": {"digest": "d" * 64}, "override": {"rationale": "x"},
              "feedback": {"rating": 5}, "rejection": {"reason": "no"}, "questions": {"text": "x"},
              "followups": {"title": "x"}, "delegation": {"to": "a@b.example", "reason": "x"},
                  "names": {"values": ["x"]},
              "safeguards": {"kind": "tone", "params": {}, "reason": "x"},
                  "consents": {"account": "a", "scopes": []}, "disconnection": {"account": "a"}}  # fmt: skip
    try:
        for method, path in routes(server):
            if "{mission_id}" not in path:
                continue
            body = next((b for word, b in bodies.items() if f"/{word}" in path), {})
            given = {"json": body} if method != "GET" else {}
            answer = Server(strange, server.client).ask(method, filled(path, mission), **given)
            assert answer.status_code == 404, (method, path, answer.text)
            assert mission in answer.json()["error"]["message"]
        listed = Server(strange, server.client).ask("GET", "/api/missions").json()
        people = Server(strange, server.client).ask("GET", "/api/people").json()
    finally:
        land(strange)
    assert listed == []
    assert {p["id"] for p in people}.isdisjoint({str(a.person_id) for a in flight.people.values()})


SHAPE = {"code", "message", "hint", "exit_code", "facts", "correlation_id"}


@pytest.mark.parametrize(
    ("method", "path", "given", "status"),
    [
        ("GET", "/api/missions/m-none", {}, 404),
        ("GET", "/api/nothing", {}, 404),
        ("DELETE", "/api/missions", {}, 405),
        ("POST", "/api/missions", {"content": b"{"}, 422),
        ("POST", "/api/missions", {"content": b"\xff\xfe"}, 422),
        ("POST", "/api/missions", {"content": b""}, 422),
        ("POST", "/api/missions", {"json": []}, 422),
        ("POST", "/api/missions", {"json": {"intent": 7}}, 422),
        ("POST", "/api/missions", {"json": {"intent": "x", "tenant_id": "y"}}, 422),
        ("POST", "/api/missions", {"json": {"intent": ""}}, 422),
        ("POST", "/api/missions", {"content": b'{"intent": "\\ud800"}'}, 422),
        ("POST", "/api/missions", {"json": {"intent": "win\x00back"}}, 422),
        ("POST", "/api/missions", {"json": {"intent": "x", "priority": 10**30}}, 422),
        ("POST", "/api/missions", {"json": {"intent": "x", "data": ["/etc/passwd"]}}, 403),
        ("POST", "/api/missions", {"json": {"intent": "x", "data": ["/a\x00b"]}}, 422),
        ("POST", "/api/missions", {"content": b"[" * 100_000}, 400),
        ("GET", "/api/missions?limit=0", {}, 422),
        ("GET", "/api/missions?limit=99999", {}, 422),
        ("GET", "/api/missions?stage=%00", {}, 422),
        ("GET", "/api/missions/%00", {}, 422),
        ("GET", "/api/missions/%ff", {}, 404),
        ("GET", "/api/missions/m-none/events?after=x", {}, 422),
        ("POST", "/api/people", {"json": {"email": "no", "name": "x", "roles": ["operator"]}}, 422),
        ("POST", "/api/people", {"json": {"email": "a@b.example", "name": "x\x00", "roles": ["operator"]}}, 422),
    ],
)  # fmt: skip
def test_every_refusal_is_one_sentence_in_one_shape(
    server: Server, method: str, path: str, given: dict[str, Any], status: int
) -> None:
    answer = server.ask(method, path, **given)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == SHAPE
    assert error["message"]
    assert "\n" not in error["message"]
    assert "Traceback" not in answer.text


def test_the_callers_correlation_id_is_echoed_and_an_unfit_one_replaced(server: Server) -> None:
    for said, kept in (("trace-1_A", True), ("x" * 65, False), ("a b", False), ("ä", False)):
        answer = server.ask(
            "GET", "/api/missions/m-none", headers={"X-Correlation-Id": said.encode()}
        )
        found = answer.json()["error"]["correlation_id"]
        assert (found == said) == kept
        assert found


def test_an_error_of_ours_is_a_sentence_with_the_id_of_its_log_line(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr("aicp.missions.store.recent", broken)
    answer = server.ask("GET", "/api/missions", headers={"X-Correlation-Id": "req-7"})
    assert answer.status_code == 500
    assert "req-7" in answer.json()["error"]["message"]
    assert "secret inside" not in answer.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
FIELDS = st.sampled_from(
    ["intent", "text", "rank", "digest", "rationale", "reason", "happened", "rating", "notes", "email",
     "effort_saved_hours", "name", "roles", "data", "smtp", "priority"]
)  # fmt: skip


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), body=JSON | st.dictionaries(FIELDS, JSON, max_size=5))
def test_no_body_makes_the_server_fall_over(server: Server, data: st.DataObject, body: Any) -> None:
    if not hasattr(server, "known"):
        server.known = [r for r in routes(server) if r[0] != "GET"]  # type: ignore[attr-defined]
        server.mine = server.flight.new()  # type: ignore[attr-defined]
    method, path = data.draw(st.sampled_from(server.known))  # type: ignore[attr-defined]
    content = json.dumps(body).encode("utf-8", "surrogatepass")  # NaN and Infinity included
    answer = server.ask(method, filled(path, server.mine), content=content)  # type: ignore[attr-defined]
    assert answer.status_code < 500, (method, path, content, answer.text)


@pytest.mark.parametrize("hours", ["NaN", "Infinity", "-1", "1e400", "123456789", "null", "2.5"])
def test_feedback_takes_only_hours_that_are_hours(server: Server, hours: str) -> None:
    flight = server.flight
    mission = flight.to_execute()
    flight.work()
    flight.undo(mission)
    path = f"/api/missions/{mission}/feedback"
    answer = server.ask(
        "POST", path, content=f'{{"rating": 5, "effort_saved_hours": {hours}}}'.encode()
    )
    assert answer.status_code == (201 if hours in ("null", "2.5") else 422), answer.text
    assert server.ask("GET", f"/api/missions/{mission}").status_code == 200


def test_the_document_builds_and_health_needs_nobody(server: Server) -> None:
    document = server.ask("get", DOCUMENT, by="riley").json()
    assert document["info"]["title"] == "AI Employee Control Plane"
    assert len(document["paths"]) >= 20
    answer = server.client.get("/health")
    assert answer.status_code == 503  # no worker lives in this test
    assert answer.json()["database"] == "ok"
    assert answer.json()["schema"] == "ok"
    assert "riley" not in answer.text


def test_only_an_admin_adds_people_and_the_token_works(server: Server) -> None:
    new = {"email": "New@Home.example", "name": "New", "roles": ["operator"]}
    assert server.ask("POST", "/api/people", by="gabriela", json=new).status_code == 403
    answer = server.ask("POST", "/api/people", json=new)
    assert answer.status_code == 201
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert server.client.get("/api/me", headers=headers).json()["roles"] == ["operator"]
    assert server.ask("POST", "/api/people", json=new).status_code == 409
