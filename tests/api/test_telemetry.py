"""Events by HTTP: stored once, redacted, for the sender's own tenant, each refused by itself (OB-3, OB-4)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from aicp.telemetry.redaction import Context, redact
from api.conftest import Server
from flight import NOW

CALL = {"action_id": 1, "toolkit": "crm", "action_name": "x", "duration_ms": 12.5, "status": "ok"}
NAME = "execution_step_completed"


def event_id(n: int, at: datetime = NOW) -> str:
    stamp = int(at.timestamp() * 1000)
    return str(UUID(int=(stamp << 80) | (7 << 76) | (2 << 62) | n))


def event(n: int, at: datetime = NOW, **given: Any) -> dict[str, Any]:
    return {"event_id": event_id(n, at), "event": NAME, "context": CALL, **given}


def stored(server: Server, name: str = "riley") -> list[tuple[Any, ...]]:
    with server.flight.app.transaction(server.flight.people[name]) as conn:
        return conn.execute(
            "select event_id::text, toolkit, duration_ms, created_at, context from telemetry_events"
            " where event_type = %s order by id", (NAME,),
        ).fetchall()  # fmt: skip


def test_a_batch_is_stored_once_however_often_it_is_sent(server: Server) -> None:
    batch = [event(n) for n in range(100)]
    first = server.ask("POST", "/api/telemetry", json=batch)
    again = server.ask("POST", "/api/telemetry", json=[*batch, event(100), event(100)])
    assert (first.status_code, first.json()) == (200, {"stored": 100, "known": 0, "rejected": []})
    assert again.json() == {"stored": 1, "known": 101, "rejected": []}
    rows = stored(server)
    assert [row[0] for row in rows] == [event_id(n) for n in range(101)]
    assert rows[0][1:4] == ("crm", 12.5, NOW)


def test_each_event_that_is_wrong_is_named_by_its_place_and_the_rest_is_kept(
    server: Server,
) -> None:
    wrong = [
        event(1, event="no_such_event"), event(2, context={}), event(3, at=NOW + timedelta(hours=1)),
        event(4, at=NOW - timedelta(days=31)), event(5, mission_id="m-nobody"), event(6, tenant_id="x"),
        event(7, event_id="7d444840-9dc0-11d1-b245-5ffdce74fad2"), event(8, event_id="secret-value"),
        event(9, status="fine"), event(10, trace_id="XYZ"), "no event", None,
    ]  # fmt: skip
    answer = server.ask("POST", "/api/telemetry", json=[*wrong, event(20)])
    said = answer.json()
    assert (answer.status_code, said["stored"]) == (200, 1)
    assert [one["index"] for one in said["rejected"]] == list(range(len(wrong)))
    reasons = [one["reason"].split(":")[0] for one in said["rejected"]]
    assert reasons == ["event", "context", "event_id", "event_id", "mission_id", "tenant_id", "event_id",
                       "event_id", "status", "trace_id", "event", "event"]  # fmt: skip
    assert "secret-value" not in answer.text
    assert len(stored(server)) == 1


def test_what_is_stored_is_redacted(server: Server) -> None:
    mail = "kim@example.org"
    server.ask(
        "POST",
        "/api/telemetry",
        json=[event(1, context=CALL | {"action_name": f"write to {mail}"})],
    )
    [row] = stored(server)
    assert mail not in str(row[4])
    assert "[EMAIL:" in str(row[4])


def test_markers_are_the_tenants_own(server: Server) -> None:
    """The same address is another marker elsewhere: nobody joins what two tenants sent (OP-4)."""
    sent = CALL | {"action_name": "write to kim@example.org"}
    server.ask("POST", "/api/telemetry", json=[event(1, context=sent)])
    [row] = stored(server)
    tenant = str(server.flight.people["riley"].tenant_id)
    assert row[4]["action_name"] == redact(sent, Context(tenant))["action_name"]
    assert row[4]["action_name"] != redact(sent, Context(str(UUID(int=1))))["action_name"]


def test_too_many_events_and_no_list_are_refused(server: Server) -> None:
    for body in ([event(n) for n in range(1001)], {"events": []}):
        assert server.ask("POST", "/api/telemetry", json=body).status_code == 422
    assert stored(server) == []


def test_nobody_outside_says_who_decided_what(server: Server) -> None:
    """A forged approval in the stream would look like one: decisions are recorded by the product alone."""
    forged = {
        "event_id": event_id(1), "event": "approval_granted",
        "context": {"play_id": "win-back", "approver_role": "governance", "complete": True},
    }  # fmt: skip
    said = server.ask("POST", "/api/telemetry", json=[forged]).json()
    assert (said["stored"], said["rejected"]) == (
        0, [{"index": 0, "reason": "event: it is recorded by the product alone"}],
    )  # fmt: skip
