"""The journal of governed calls: every query on tool_calls, holds, findings and scopes used."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg import Cursor
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from aicp.kernel.canonical import digest
from aicp.kernel.db import Actor, Connection
from aicp.telemetry.redaction import without_secrets
from aicp.toolkits.model import BeforeImage, Call, Outcome


@dataclass(frozen=True, slots=True)
class Entry:
    """One journal row."""

    id: int
    mission_id: str
    seq: int
    purpose: str
    key: str
    tool: str
    account: str
    args: dict[str, Any]
    mutates: bool
    before: dict[str, Any]
    state: str
    outcome: dict[str, Any] | None
    verdicts: dict[str, Any]
    error: str
    reconciled: bool
    started_at: datetime
    finished_at: datetime | None

    @property
    def call(self) -> Call:
        return Call(self.tool.split("@", 1)[0], self.args, self.key)

    @property
    def image(self) -> BeforeImage:
        return BeforeImage(**self.before)

    @property
    def result(self) -> Outcome:
        return Outcome(**(self.outcome or {}))


_ENTRY = (
    "id, mission_id, seq, purpose, key, tool, account, args, mutates, before, state, outcome,"
    " verdicts, error, reconciled, started_at, finished_at"
)


def intend(
    conn: Connection, actor: Actor, mission_id: str, *, seq: int, purpose: str, call: Call,
    tool: str, account: str, mutates: bool, approval_id: str | None, before: BeforeImage,
    verdicts: dict[str, Any], worker: str, at: datetime,
) -> None:  # fmt: skip
    """Write the intent. It must be committed before the effect."""
    conn.execute(
        "insert into tool_calls (tenant_id, mission_id, seq, purpose, key, tool, account, args,"
        " args_digest, mutates, approval_id, before, state, verdicts, worker, started_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'intent', %s, %s, %s)",
        (
            actor.tenant_id, mission_id, seq, purpose, call.key, tool, account, Jsonb(call.args),
            digest(call.args), mutates, approval_id, Jsonb(asdict(before)), Jsonb(verdicts), worker, at,
        ),
    )  # fmt: skip


def finish(
    conn: Connection, mission_id: str, key: str, *, state: str, outcome: Outcome | None,
    error: str = "", reconciled: bool = False, post: tuple[str, ...] = (), at: datetime,
) -> None:  # fmt: skip
    """Write the result of an intent, or of an unknown that was settled.

    Args:
        post: what the read-back found wrong; empty when the world is as promised.
    """
    conn.execute(
        "update tool_calls set state = %s, outcome = %s, error = %s, reconciled = %s,"
        " verdicts = verdicts || %s, finished_at = %s"
        " where mission_id = %s and key = %s and state in ('intent', 'unknown')",
        (
            state, Jsonb(asdict(outcome)) if outcome else None, without_secrets(error), reconciled,
            Jsonb({"post": list(post)}), at, mission_id, key,
        ),
    )  # fmt: skip


def settle(
    conn: Connection, actor: Actor, mission_id: str, seq: int, key: str, *, toolkit: str,
    outcome: Outcome, reconciled: bool, post: tuple[str, ...], at: datetime,
) -> Cursor[tuple[object, ...]]:  # fmt: skip
    """The result of a call that is done, the cursor past it, and the end of its toolkit's failures.

    One statement, which needs no answer at once. An intent that was settled before, or a cursor that
    went on, is left as it is.

    Returns:
        a cursor; it holds a row exactly when this call was the probe of a resting toolkit.
    """
    return conn.execute(
        "with done as (update tool_calls set state = 'done', outcome = %(outcome)s, error = '',"
        " reconciled = %(reconciled)s, verdicts = verdicts || %(post)s, finished_at = %(at)s"
        " where mission_id = %(mission)s and key = %(key)s and state in ('intent', 'unknown')),"
        " moved as (update missions set cursor_seq = %(seq)s, stumbles = 0, updated_at = %(at)s"
        " where id = %(mission)s and cursor_seq = %(seq)s - 1),"
        " was as (select failed, resume_at from breakers where tenant_id = %(tenant)s"
        " and toolkit = %(toolkit)s and (probe = %(key)s or (resume_at is null and failed > 0)) for update),"
        " now_well as (update breakers set failed = 0, resume_at = null, probe = '', probe_until = null"
        " where tenant_id = %(tenant)s and toolkit = %(toolkit)s and exists (select 1 from was))"
        " select 1 from was where resume_at is not null",
        {
            "outcome": Jsonb(asdict(outcome)), "reconciled": reconciled, "at": at,
            "post": Jsonb({"post": list(post)}), "mission": mission_id, "key": key, "seq": seq,
            "tenant": actor.tenant_id, "toolkit": toolkit,
        },
    )  # fmt: skip


def entries(conn: Connection, mission_id: str, purpose: str = "step") -> list[Entry]:
    """All rows of a mission for one purpose, in plan order."""
    return (
        conn.cursor(row_factory=class_row(Entry))
        .execute(
            f"select {_ENTRY} from tool_calls where mission_id = %s and purpose = %s order by seq, id",
            (mission_id, purpose),
        )
        .fetchall()
    )


def entry(conn: Connection, mission_id: str, key: str) -> Entry | None:
    return (
        conn.cursor(row_factory=class_row(Entry))
        .execute(
            f"select {_ENTRY} from tool_calls where mission_id = %s and key = %s", (mission_id, key)
        )
        .fetchone()
    )


def made(conn: Connection, mission_id: str) -> list[tuple[int, str, str, bool]]:
    """seq, tool@hash, account and mutates of every call that may have happened, each tool once."""
    rows = conn.execute(
        "select distinct on (tool, account) seq, tool, account, mutates from tool_calls"
        " where mission_id = %s and state <> 'failed' order by tool, account, seq",
        (mission_id,),
    )
    return [(int(str(seq)), str(tool), str(acc), bool(mut)) for seq, tool, acc, mut in rows]


def outputs(conn: Connection, mission_id: str) -> dict[int, dict[str, Any]]:
    """Data of the finished steps by seq, for references."""
    rows = conn.execute(
        "select seq, outcome -> 'data' from tool_calls where mission_id = %s and purpose = 'step' and state = 'done'",
        (mission_id,),
    )
    return {int(str(seq)): dict(data) for seq, data in rows}  # type: ignore[call-overload]


def hold(conn: Connection, actor: Actor, mission_id: str, seq: int, *, due_at: datetime) -> None:
    """Note that a step's effect is held until a time."""
    conn.execute(
        "insert into holds (tenant_id, mission_id, seq, due_at, state) values (%s, %s, %s, %s, 'held')"
        " on conflict (mission_id, seq) do nothing",
        (actor.tenant_id, mission_id, seq, due_at),
    )


def failures(conn: Connection, mission_id: str, seq: int) -> int:
    """How often a step failed without an effect: the number of its next attempt."""
    row = conn.execute(
        "select count(*) from tool_calls where mission_id = %s and seq = %s and purpose = 'step' and state = 'failed'",
        (mission_id, seq),
    ).fetchone()
    return int(str(row[0])) if row else 0


def uses_since(conn: Connection, mission_id: str, toolkit: str, since: datetime) -> int:
    """Calls to a toolkit since a time; of mail those that left, whatever came before that."""
    row = conn.execute(
        "select count(*) from tool_calls where mission_id = %(mission)s and started_at > %(since)s"
        " and (%(toolkit)s = '' or split_part(tool, '.', 1) = %(toolkit)s)"
        " and (%(toolkit)s <> 'mail' or purpose = 'release' or tool like 'mail.send@%%')",
        {"mission": mission_id, "since": since, "toolkit": toolkit},
    ).fetchone()
    return int(str(row[0])) if row else 0


def settle_hold(conn: Connection, mission_id: str, seq: int, state: str, *, at: datetime) -> bool:
    """Move a hold on from held or unknown; False when it had moved already."""
    return (
        conn.execute(
            "update holds set state = %s, settled_at = %s where mission_id = %s and seq = %s"
            " and state in ('held', 'unknown')",
            (state, at, mission_id, seq),
        ).rowcount
        == 1
    )


def holds(conn: Connection, mission_id: str) -> dict[int, tuple[datetime, str]]:
    """due_at and state of each hold by seq."""
    rows = conn.execute(
        "select seq, due_at, state from holds where mission_id = %s order by seq", (mission_id,)
    )
    return {int(str(seq)): (due, str(state)) for seq, due, state in rows}  # type: ignore[misc]


def find(
    conn: Connection, actor: Actor, mission_id: str, *, rule: str, message: str,
    facts: dict[str, Any], at: datetime,
) -> None:  # fmt: skip
    """Record a finding, without credentials: something that was refused, or was not as it should be.

    What is reported may hold anything; a NUL, which PostgreSQL refuses, becomes a replacement sign.
    """
    message, facts = without_secrets(message), without_secrets(facts)
    conn.execute(
        "insert into findings (tenant_id, mission_id, rule, message, facts, found_at) values (%s, %s, %s, %s, %s, %s)",
        (actor.tenant_id, mission_id, rule, storable(message), Jsonb(storable(facts)), at),
    )


def storable(value: Any) -> Any:
    """The same JSON value without NUL characters."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, dict):
        return {storable(k): storable(v) for k, v in value.items()}
    return [storable(item) for item in value] if isinstance(value, list | tuple) else value


def use_scope(conn: Connection, mission_id: str, account: str, scope: str) -> None:
    """Remember that a granted scope was really used."""
    conn.execute(
        "update connections set used_scopes = array_append(used_scopes, %s)"
        " where mission_id = %s and account = %s and not (used_scopes @> array[%s])",
        (scope, mission_id, account, scope),
    )
