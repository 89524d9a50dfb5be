"""Telemetry over HTTP: what is stored a second, beside the least that a durable intake can be (OB-4)."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from statistics import median
from uuid import UUID

import orjson
import psycopg
from bench.bare import TABLES
from bench.report import Line, Table
from bench.series import interleaved, percentile
from bench.world import ROOT, World
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aicp.cli.supervise import free_port
from aicp.people import sessions
from aicp.people.tenants import Person
from flight import Flight

BATCH, SENDERS = 100, 4
JSON, PROTOBUF = "application/json", "application/x-protobuf"
CALL = {"action_id": 1, "toolkit": "crm", "action_name": "update the record of an account", "duration_ms": 12.5,
        "status": "ok"}  # fmt: skip


def bench(world: World) -> list[Table]:
    """Events as JSON and spans as protobuf, batches of 100 from 4 senders, ours and bare by turns."""
    batches, rounds = (40, 2) if world.quick else (120, 5)
    with (
        world.flight() as flight,
        psycopg.connect(world.cluster.owner_url, autocommit=True) as owner,
    ):
        owner.execute(TABLES)
        with _ours(flight) as (ours, token), _bare(world) as bare:
            head = {"Authorization": f"Bearer {token}"}
            return [
                _table(name, path, form, make, {"ours": (ours, head), "bare": (bare, {})}, batches, rounds, owner)
                for name, path, form, make in (
                    ("events", "/api/telemetry", JSON, _events),
                    ("spans", "/v1/traces", PROTOBUF, _spans),
                )
            ]  # fmt: skip


def _table(
    name: str, path: str, form: str, make: Callable[[], bytes], servers: dict[str, tuple[int, dict[str, str]]],
    batches: int, rounds: int, owner: psycopg.Connection,
) -> Table:  # fmt: skip
    walls: dict[str, list[float]] = {one: [] for one in servers}

    def run(one: str) -> list[float]:
        port, head = servers[one]
        bodies = [make() for _ in range(batches)]
        began = time.perf_counter()
        seconds = _send(port, path, head | {"Content-Type": form}, bodies)
        walls[one].append(time.perf_counter() - began)
        return seconds

    for one in servers:  # everything is loaded, every connection is there
        run(one)
        walls[one].clear()
    before = {one: _count(owner, one, name) for one in servers}
    found = interleaved({one: lambda one=one: run(one) for one in servers}, rounds)
    for one in servers:  # durable: counted in the database, not in answers
        if (stored := _count(owner, one, name) - before[one]) != batches * rounds * BATCH:
            raise AssertionError(f"{one}: {stored} stored of {batches * rounds * BATCH}")
    rate = {one: median(batches * BATCH / wall for wall in walls[one]) for one in servers}
    share = median(b / a for a, b in zip(walls["ours"], walls["bare"], strict=True))
    posts = {one: percentile([s for each in found[one] for s in each], 95) for one in servers}
    lines = (
        Line(f"{name} a second, durable, redacted", rate["ours"], "/s", least=5000),
        Line(f"{name} a second, bare COPY", rate["bare"], "/s"),
        Line("ours : bare", share, "×", least=0.35),
        Line("POST, p95", posts["ours"], "ms", most=50),
        Line("POST, p95, bare", posts["bare"], "ms"),
    )
    title = (
        f"{name} by {path}, batches of {BATCH} from {SENDERS} senders, {rounds} rounds of {batches}"
    )
    return Table(f"ingest {name}", title, lines, rounds=walls)


def _send(port: int, path: str, head: dict[str, str], bodies: list[bytes]) -> list[float]:
    """Each body by one of the senders; seconds of each."""

    def sender(mine: list[bytes]) -> list[float]:
        conn = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        seconds = []
        for body in mine:
            began = time.perf_counter()
            conn.request("POST", path, body, head)
            answer = conn.getresponse()
            told = answer.read()
            seconds.append(time.perf_counter() - began)
            if answer.status != 200:
                raise AssertionError(f"{answer.status}: {told[:300]!r}")
        conn.close()
        return seconds

    with ThreadPoolExecutor(SENDERS) as senders:
        shares = [bodies[n::SENDERS] for n in range(SENDERS)]
        return [one for each in senders.map(sender, shares) for one in each]


def _events() -> bytes:
    return orjson.dumps(
        [
            {"event_id": _uuid7(), "event": "execution_step_completed", "context": CALL}
            for _ in range(BATCH)
        ]
    )


def _uuid7() -> str:
    low = int.from_bytes(os.urandom(8)) >> 2
    return str(UUID(int=(time.time_ns() // 10**6 << 80) | (7 << 76) | (2 << 62) | low))


def _spans() -> bytes:
    asked = ExportTraceServiceRequest()
    one = asked.resource_spans.add()
    one.resource.attributes.add(key="service.name").value.string_value = "bench"
    scope = one.scope_spans.add()
    trace, now = os.urandom(16), time.time_ns()
    words = {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "crm.update", "gen_ai.provider.name": "example",
        "gen_ai.request.model": "model-1", "gen_ai.conversation.id": "m-0k3f9x2v7q", "note": "updated the account",
        "correlation_id": "req_0a1b2c3d4e5f6a7b", "status": "ok",
    }  # fmt: skip
    for _ in range(BATCH):
        span = scope.spans.add(trace_id=trace, span_id=os.urandom(8), name="execute_tool crm.update", kind=1,
                               start_time_unix_nano=now, end_time_unix_nano=now + 10**6)  # fmt: skip
        for key, text in words.items():
            span.attributes.add(key=key).value.string_value = text
        for key in ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "attempt", "step"):
            span.attributes.add(key=key).value.int_value = 12
    return asked.SerializeToString()


def _count(owner: psycopg.Connection, one: str, name: str) -> int:
    table = f"{'bare' if one == 'bare' else 'telemetry'}_{name}"
    row = owner.execute(f"select count(*) from {table}").fetchone()  # type: ignore[arg-type]
    return int(row[0]) if row else 0


@contextmanager
def _ours(flight: Flight) -> Iterator[tuple[int, str]]:
    """The product's server process, and a token for it."""
    port = free_port("127.0.0.1", 0)
    actor = flight.people["riley"]
    with flight.app.db.service() as conn:
        person = Person(actor.person_id, actor.tenant_id, "", "riley", actor.roles)
        token = sessions.issue(conn, person, "token", at=datetime.now(UTC))
    given = {
        "DATABASE_URL": flight.url,
        "AICP_DATA_DIR": str(flight.folder / "data"),
        "AICP_PORT": str(port),
    }
    with _process([sys.executable, "-m", "aicp.serve"], given, port):
        yield port, token


@contextmanager
def _bare(world: World) -> Iterator[int]:
    port = free_port("127.0.0.1", 0)
    words = [
        sys.executable,
        "-m",
        "uvicorn",
        "bench.bare:app",
        "--port",
        str(port),
        "--log-level",
        "error",
    ]
    with _process(words, {"BARE_URL": world.cluster.owner_url}, port):
        yield port


@contextmanager
def _process(words: list[str], given: dict[str, str], port: int) -> Iterator[None]:
    process = subprocess.Popen(words, env=os.environ | given, cwd=ROOT, stderr=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)  # fmt: skip
    try:
        _until_up(port)
        yield
    finally:
        process.kill()
        process.wait()


def _until_up(port: int) -> None:
    for _ in range(150):
        conn = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            conn.connect()
        except OSError:
            time.sleep(0.2)
        else:
            conn.close()
            return
    raise AssertionError("the server did not start")
