"""Policies for the people who write them: are they sound, what do they see, what would they have denied?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

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
    "select c.mission_id, c.seq, c.purpose, c.tool, c.account, c.args, c.started_at,"
    " c.approval_id is not null, m.priority, o.display_name, o.roles, t.slug, a.risk,"
    " p.plan -> 'play' -> 'steps' -> (c.seq - 1), d.spec"
    " from tool_calls c join missions m on m.id = c.mission_id"
    " join people o on o.id = m.owner_id join tenants t on t.id = m.tenant_id"
    " join approvals a on a.id = c.approval_id"
    " join plans p on p.mission_id = c.mission_id and p.digest = a.digest"
    " left join tool_declarations d on d.ref = c.tool and d.tenant_id = c.tenant_id"
    " where c.started_at >= %s order by c.started_at desc, c.id desc limit %s"
)


def overview(conn: Connection, services: Services) -> dict[str, Any]:
    """The rules in force: each policy with where it stands, the sequence rules, and any problem."""
    found = services.rules.policies(declarations.known(conn))
    sequences = services.rules.sequences()
    return {
        "folder": str(services.rules.folder),
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
    kept = tuple(one for one in services.rules.sources() if one.name not in names)
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
    for row in conn.execute(_PAST, (since, MOST_CALLS)):
        (mission, seq, purpose, tool, account, args, at, approved, priority, owner, roles, tenant,
         risk, step, spec) = row  # fmt: skip
        one = Step.model_validate(step)
        who = Who(
            str(mission), str(tenant), str(owner), tuple(roles), int(str(priority)), str(risk)
        )  # type: ignore[arg-type]
        declared = from_json(spec) if isinstance(spec, dict) else _declared(policies.tools, tool)
        told: dict[str, Any] = {
            "mission_id": mission, "seq": seq, "purpose": purpose, "tool": one.tool_name,
            "account": account, "at": at,
        }  # fmt: skip
        yield told, question(
            who, one, dict(args), declared, at=at, approved=bool(approved), purpose=str(purpose),  # type: ignore[call-overload,arg-type]
        )  # fmt: skip


def _declared(tools: Catalogue, ref: object) -> ToolSpec | None:
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
