"""Policies for the people who write them: are they sound, what do they see, what would they have denied?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from aicp.errors import BadInput
from aicp.kernel.db import Connection
from aicp.missions.services import Services
from aicp.toolkits.catalogue import Catalogue, from_json
from aicp.toolkits.model import ToolSpec
from aicp.trust import declarations
from aicp.trust.operator_rules import question
from aicp.trust.plan import Step
from aicp.trust.policy import Policies, Question, Source, Statement, Who, load, schema_text
from aicp.trust.rulebook import SEQUENCES
from aicp.trust.sequences import read

MOST_CALLS = 20_000  # of the past that are judged at once
MOST_FILES, MOST_LETTERS = 200, 1_000_000

_PAST = (
    "select c.mission_id, c.seq, c.purpose, c.tool, c.account, c.args, c.started_at as at,"
    " c.approval_id is not null as approved, m.priority, o.display_name as owner, o.roles,"
    " t.slug as tenant, a.risk, p.plan -> 'play' -> 'steps' -> (c.seq - 1) as step, d.spec"
    " from tool_calls c join missions m on m.id = c.mission_id"
    " join people o on o.id = m.owner_id join tenants t on t.id = m.tenant_id"
    " join approvals a on a.id = c.approval_id"
    " join plans p on p.mission_id = c.mission_id and p.digest = a.digest"
    " left join tool_declarations d on d.ref = c.tool and d.tenant_id = c.tenant_id"
    " where c.started_at >= %s order by c.started_at desc, c.id desc limit %s"
)


@dataclass(frozen=True, slots=True)
class _Past:
    """A journal row with what policies want to know of its mission and its step."""

    mission_id: str
    seq: int
    purpose: str
    tool: str
    account: str
    args: dict[str, Any]
    at: datetime
    approved: bool
    priority: int
    owner: str
    roles: list[str]
    tenant: str
    risk: str
    step: dict[str, Any]
    spec: dict[str, Any] | None


def overview(conn: Connection, services: Services) -> dict[str, Any]:
    """The rules in force: each policy with where it stands, the sequence rules, and any problem."""
    found = services.rulebook.policies(declarations.known(conn))
    sequences = services.rulebook.sequences()
    return {
        "folder": str(services.rulebook.folder),
        "problem": found.problem or sequences.problem,
        "policies": [_policy(one) for one in found.statements],
        "sequences": [rule.model_dump(mode="json") for rule in sequences.rules],
    }


def check(conn: Connection, services: Services, files: Sequence[Source]) -> dict[str, Any]:
    """Whether policy files parse and fit the tools that are known; those in force when none is given."""
    if not files:
        told = overview(conn, services)
        return {"problem": told["problem"], "policies": told["policies"]}
    _bounded(files)
    found = load(tuple(f for f in files if f.name != SEQUENCES), declarations.known(conn))
    problem = next((read(f.text).problem for f in files if f.name == SEQUENCES), "")
    return {
        "problem": found.problem or problem,
        "policies": [_policy(one) for one in found.statements],
    }


def schema(conn: Connection) -> str:
    """The schema that policies are validated against, in Cedar's own words."""
    return schema_text(declarations.known(conn))


def rehearse(
    conn: Connection, services: Services, files: Sequence[Source], since: datetime
) -> dict[str, Any]:
    """What policies would have denied of the calls that were made since a time.

    Args:
        files: candidates beside those in force; one of the same name stands in for it.

    Raises:
        BadInput: the policies are not sound.
    """
    _bounded(files)
    names = {one.name for one in files}
    kept = tuple(one for one in services.rulebook.sources() if one.name not in names)
    candidate = load((*kept, *files), declarations.known(conn))
    if candidate.problem:
        raise BadInput(candidate.problem, hint="`aicp policy schema` shows what policies may say")
    calls = 0
    denied = []
    for told, asked in _past(conn, candidate, since):
        calls += 1
        decision = candidate.decide(asked)
        if not decision.allowed:
            by = [_policy(one) for one in decision.by]
            denied.append(told | {"why": decision.why, "policies": by})
    return {"calls": calls, "denied": denied, "whole": calls < MOST_CALLS, "since": since}


def _past(
    conn: Connection, policies: Policies, since: datetime
) -> Iterator[tuple[dict[str, Any], Question]]:
    """Each past call, told and asked; the newest first."""
    for row in conn.cursor(row_factory=class_row(_Past)).execute(_PAST, (since, MOST_CALLS)):
        step = Step.model_validate(row.step)
        who = Who(row.mission_id, row.tenant, row.owner, tuple(row.roles), row.priority, row.risk)
        spec = from_json(row.spec) if row.spec else _declared(policies.tools, row.tool)
        told = {
            "mission_id": row.mission_id, "seq": row.seq, "purpose": row.purpose,
            "tool": step.tool_name, "account": row.account, "at": row.at,
        }  # fmt: skip
        yield (
            told,
            question(
                who, step, row.args, spec, at=row.at, approved=row.approved, purpose=row.purpose
            ),
        )


def _declared(tools: Catalogue, ref: str) -> ToolSpec | None:
    return next((spec for spec in tools.specs if spec.ref == ref), None)


def _policy(one: Statement) -> dict[str, Any]:
    return {
        "id": one.id, "effect": one.effect, "reason": one.reason, "file": one.file, "line": one.line,
        "text": one.text,
    }  # fmt: skip


def _bounded(files: Sequence[Source]) -> None:
    letters = sum(len(one.text) for one in files)
    if len(files) > MOST_FILES or letters > MOST_LETTERS:
        raise BadInput(
            f"that is too much to judge at once: {len(files)} files, {letters:,} characters",
            hint=f"at most {MOST_FILES} files of {MOST_LETTERS:,} characters together",
        )
