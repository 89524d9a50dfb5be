"""The gateway over the wire: MCP and HTTP give the same answers, and a token opens nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client

from agents import agent_mission, findings, finish, made, propose, running, status, token
from aicp.api.gateway.mcp_server import wire
from aicp.missions import control
from api.conftest import Server, bearer
from api.test_routes import OPEN, filled, routes
from flight import Flight
from offers import a_plan, event

Json = dict[str, Any]


def post(server: Server, mission: str, secret: str, body: Any, path: str = "") -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    return server.client.post(
        path or f"/api/missions/{mission}/calls", content=content, headers=headers
    )


def test_a_whole_mission_over_plain_http(server: Server) -> None:
    flight = server.flight
    mission = agent_mission(flight)
    secret = server.ask("POST", f"/api/missions/{mission}/tokens", json={}).json()["token"]

    def call(tool: str, account: str = "", **args: Any) -> Json:
        body = {"tool": tool, "account": account, "args": args}
        return post(server, mission, secret, body).json()

    listed = {(t["tool"], t["account"]) for t in call("mission.tools")["tools"]}
    assert ("table.update", "accounts.csv") in listed
    assert call("table.select", "accounts.csv", limit=1)["untrusted"] is True
    assert call("mission.propose", plan=a_plan(flight))["proposed"] is True
    flight.work()
    flight.select(mission)
    flight.approve(mission, naming=True)
    flight.work()
    while now := call("mission.status")["next"]:
        assert call(now["tool"], now["account"], **now["args"])["allowed"]
    flight.work()
    assert flight.doc(mission)["stage"] == "Reflect"
    assert findings(flight, mission) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b"[" * 100_000, b"\xff", b'{"tool": "x", "more": 1}', b'{"tool": NaN}',
     b'{"args": []}'],
)  # fmt: skip
def test_junk_is_a_denial_and_a_finding(server: Server, content: bytes) -> None:
    mission = agent_mission(server.flight)
    answer = post(server, mission, token(server.flight, mission), content)
    assert answer.status_code == 200
    assert (answer.json()["allowed"], answer.json()["rule"]) == (False, "junk")
    assert findings(server.flight, mission) == ["gateway:junk"]


def test_an_agents_token_opens_no_other_route(server: Server) -> None:
    """Every route there is, as documented: 401 or 403, and for another mission 404."""
    flight = server.flight
    mission = agent_mission(flight)
    secret = token(flight, mission)
    own = {"/mcp", "/api/missions/{mission_id}/calls"}
    asked = [(m, p) for m, p in routes(server) if p not in OPEN | own]
    assert len(asked) >= 28
    for method, path in asked:
        for headers in (
            {"Authorization": f"Bearer {secret}"},
            {"Cookie": f"aicp_session={secret}"},
        ):
            answer = server.client.request(method, filled(path, mission), headers=headers)
            assert answer.status_code in (401, 403), (method, path)
    other = agent_mission(flight)
    answer = post(server, other, secret, {"tool": "mission.status"})
    assert answer.status_code == 404
    assert findings(flight, mission) == ["gateway:other-mission"]
    assert findings(flight, other) == []


def test_a_token_is_not_taken_from_a_cookie_and_people_have_none(server: Server) -> None:
    mission = agent_mission(server.flight)
    secret = token(server.flight, mission)
    for path in (f"/api/missions/{mission}/calls", "/mcp"):
        answer = server.client.post(path, headers={"Cookie": f"aicp_session={secret}"}, json={})
        assert answer.status_code == 401
        answer = server.client.post(path, headers=bearer(server.flight), json={})
        assert answer.status_code in (401, 403)


@pytest.mark.parametrize("how", ["expired", "revoked", "stopped", "completed"])
def test_an_ended_token_is_refused_and_its_use_is_a_finding(server: Server, how: str) -> None:
    flight = server.flight
    mission = running(flight, a_plan(flight, event()))
    secret = token(flight, mission, hours=1)
    if how == "expired":
        flight.clock.advance(hours=1)
    elif how == "revoked":
        answer = server.ask("DELETE", f"/api/missions/{mission}/tokens")
        assert answer.json()["revoked"] >= 1
    elif how == "stopped":
        flight.call(control.stop, mission)
    else:
        finish(flight, mission)
        flight.work()
        assert flight.doc(mission)["status"] == "completed"
    rule = {"expired": "token-expired", "revoked": "token-revoked"}.get(how, "mission-over")
    for path in ("", "/mcp"):
        answer = post(server, mission, secret, {"tool": "mission.status"}, path)
        assert answer.status_code == 401
        facts = answer.json()["error"]["facts"]
        assert (facts["allowed"], facts["rule"]) == (False, rule)
    assert findings(flight, mission) == [f"gateway:{rule}"] * 2


def test_only_the_owner_makes_tokens_for_a_mission_that_takes_agents(server: Server) -> None:
    flight = server.flight
    own = flight.new()
    path = f"/api/missions/{own}/tokens"
    assert server.ask("POST", path, json={}).status_code == 409
    mission = agent_mission(flight)
    path = f"/api/missions/{mission}/tokens"
    assert server.ask("POST", path, by="gabriela", json={}).status_code == 403
    assert server.ask("DELETE", path, by="gabriela").status_code == 403
    assert server.ask("POST", path, json={"hours": 0}).status_code == 422
    answer = server.ask("POST", path, json={"hours": 2}).json()
    with flight.app.db.service() as conn:
        kept = conn.execute(
            "select count(*) from credentials where secret_sha256 = %s or mission_id = %s",
            (answer["token"], mission),
        ).fetchone()
    assert kept == (1,)  # by its hash, never itself


# MCP ------------------------------------------------------------------------------------------


async def with_session(url: str, secret: str, work: Any) -> Any:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {secret}"}) as http,
        streamable_http_client(f"{url}/mcp", http_client=http) as streams,
        ClientSession(*streams[:2]) as session,
    ):
        await session.initialize()
        return await work(session)


def mcp(url: str, secret: str, work: Any) -> Any:
    return anyio.run(with_session, url, secret, work)


def test_mcp_lists_the_missions_tools_with_closed_schemas(flight: Flight, live_url: str) -> None:
    mission = agent_mission(flight)

    async def listed(session: ClientSession) -> Any:
        return (await session.list_tools()).tools

    tools = {tool.name: tool for tool in mcp(live_url, token(flight, mission), listed)}
    assert {"mission_status", "mission_propose", "table_update", "mail_draft"} <= set(tools)
    assert all(len(n) <= 64 and n.replace("_", "").replace("-", "").isalnum() for n in tools)
    assert all(t.input_schema["additionalProperties"] is False for t in tools.values())
    assert "Needs the approved plan." in tools["table_update"].description
    assert tools["table_select"].annotations.read_only_hint is True


def test_a_whole_mission_over_mcp_with_denials(flight: Flight, live_url: str) -> None:
    mission = agent_mission(flight)
    secret = token(flight, mission)

    def call(name: str, **args: Any) -> Json:
        async def one(session: ClientSession) -> Any:
            return await session.call_tool(name, args)

        said = mcp(live_url, secret, one)
        assert said.is_error == (not said.structured_content["allowed"])
        return said.structured_content

    assert call("table_select", limit=1)["output"]["rows"]
    assert call("table_update", key="1", set={"a": "b"})["rule"] == "not-approved"
    assert call("no_such_tool")["rule"] == "unknown-tool"
    assert call("mission_propose", plan=a_plan(flight))["proposed"]
    flight.work()
    flight.select(mission)
    flight.approve(mission, naming=True)
    flight.work()
    now = call("mission_status")["next"]
    changed = now["args"] | {"set": {"notes": "changed"}}
    assert call("table_update", **changed)["rule"] == "exact-call"
    while now := call("mission_status")["next"]:
        said = call(now["tool"].replace(".", "_"), **now["args"], _step=now["step"])
        assert said["allowed"], said
    flight.work()
    assert [seq for seq, _ in made(flight, mission)] == [1, 2, 3, 4]
    assert findings(flight, mission) == [
        "gateway:not-approved",
        "gateway:unknown-tool",
        "exact-call",
    ]


def test_tools_that_several_accounts_have_need_the_account_named(
    flight: Flight, live_url: str
) -> None:
    other = flight.sandbox / "other.csv"
    other.write_bytes((flight.sandbox / "accounts.csv").read_bytes())
    data = (str(flight.sandbox / "accounts.csv"), str(other))
    mission = agent_mission(flight, data=data)
    secret = token(flight, mission)

    async def both(session: ClientSession) -> Any:
        one = await session.call_tool("table_select", {"limit": 1})
        two = await session.call_tool("table_select", {"limit": 1, "_account": "other.csv"})
        return one.structured_content, two.structured_content

    unnamed, named = mcp(live_url, secret, both)
    assert (unnamed["rule"], named["allowed"]) == ("unknown-account", True)


def test_names_that_look_alike_on_the_wire_stay_apart() -> None:
    known: dict[str, Iterator[Any] | None] = {"a.b_c": None, "a_b.c": None, "table.update": None}
    wires = {wire(name, known) for name in known}
    assert len(wires) == 3
    assert "table_update" in wires
    assert len(wire("x." + "y" * 100, {"x." + "y" * 100: None})) == 64


def test_status_tells_whose_turn_it_is(server: Server) -> None:
    flight = server.flight
    mission = agent_mission(flight)
    assert status(flight, mission)["poll_seconds"] == 0
    propose(flight, mission)
    told = post(server, mission, token(flight, mission), {"tool": "mission.status"}).json()
    assert (told["stage"], told["next"], told["poll_seconds"]) == ("Plan", None, 5)
