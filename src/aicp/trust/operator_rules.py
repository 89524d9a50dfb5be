"""The checks of a governed call that look at operators' policies, labels and sequences (TR-11, TR-20)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from aicp.kernel.db import Connection
from aicp.toolkits.catalogue import Catalogue
from aicp.toolkits.model import Call, Json, ToolSpec
from aicp.trust import declarations, journal, taint
from aicp.trust.leaving import domains, leaves, recipients
from aicp.trust.objection import Objection
from aicp.trust.plan import Step
from aicp.trust.policy import Decision, Question, Who
from aicp.trust.rulebook import RuleBook
from aicp.trust.sequences import Deed, broken, deed

if TYPE_CHECKING:
    from aicp.trust.calls import Run


@dataclass(frozen=True)
class Rules:
    """The operator's rules as one run meets them."""

    book: RuleBook
    who: Who
    tools: Catalogue
    words: str = ""  # what people said themselves: the mission's intent and brief
    handed: frozenset[str] = frozenset()  # accounts that return no strangers' words
    prepared: tuple[Deed, ...] = ()  # what was read before the plan was made

    @cached_property
    def by_ref(self) -> dict[str, ToolSpec]:
        return {spec.ref: spec for spec in self.tools.specs}


def policy(conn: Connection, run: Run, step: Step, call: Call) -> Objection | None:  # noqa: ARG001  the shape of a check
    """The operator's policies on a call that the gate allowed: exactly what was approved."""
    return denied(run, step, call, purpose="step")


def denied(run: Run, step: Step, call: Call, *, purpose: str) -> Objection | None:
    """What the policies say against a call now.

    Args:
        purpose: "step", or "release" when a held effect leaves.
    """
    asked = question(
        run.operator.who, step, call.args, run.spec(step.account, call.tool), at=run.clock(),
        approved=True, purpose=purpose,
    )  # fmt: skip
    decision = run.operator.book.policies(run.operator.tools).decide(asked)
    return None if decision.allowed else _objection(decision)


def question(
    who: Who, step: Step, args: Json, spec: ToolSpec | None, *, at: datetime, approved: bool,
    purpose: str,
) -> Question:  # fmt: skip
    """A call as the policies see it; hour and weekday (Monday is 1) are those of UTC."""
    to, moment = recipients(args), at.astimezone(UTC)
    return Question(
        who, step.tool_name, step.account, args,
        {
            "approved": approved, "tier": int(step.undo_tier.value[1:]), "mutates": step.mutates,
            "leaves": leaves(step, spec), "purpose": purpose, "hour": moment.hour,
            "weekday": moment.isoweekday(), "recipients": len(to), "domains": domains(to),
            "untrusted": untrusted(step),
        },
    )  # fmt: skip


def untrusted(step: Step) -> list[str]:
    """The arguments whose values come from untrusted content, or from another call."""
    literal = {name.split(".", 1)[0] for name, one in step.provenance.items() if not one.trusted}
    return sorted(literal | set(step.refs))


def labelled(conn: Connection, run: Run, step: Step, call: Call) -> Objection | None:
    """No value of strangers decides who, where or how much, references filled in (TR-20)."""
    found = unnamed_values(run, step, call)
    if not found:
        return None
    said = frozenset(declarations.named_values(conn, run.mission_id))
    left = [one for one in found if one.value not in said]
    if not left:
        return None
    first = left[0]
    return Objection(
        "untrusted-value",
        f"its {first.argument} is '{first.value[:120]}', first seen in {first.first_seen}, and nobody named it",
        hint=f"if it is right: aicp mission approve {run.mission_id} --name '{first.value[:120]}', then resume",
    )


def unnamed_values(run: Run, step: Step, call: Call) -> list[taint.Unnamed]:
    """Values of strangers in sensitive arguments that people did not name before the run."""
    spec = run.spec(step.account, call.tool)
    return list(taint.unnamed_in(step, call.args, spec, run.labels, run.said, run.operator.handed))


def sequence(conn: Connection, run: Run, step: Step, call: Call) -> Objection | None:
    """No call after one that rules it out within the mission."""
    rules = run.operator.book.sequences()
    now = deed(step, run.spec(step.account, call.tool))
    concerned = rules.problem or any(rule.never.fits(now) for rule in rules.rules)
    return sequence_of(run, step, call, _made(conn, run)) if concerned else None


def sequence_of(run: Run, step: Step, call: Call, made: list[Deed]) -> Objection | None:
    """The same, of the calls that were made before."""
    rules = run.operator.book.sequences()
    if rules.problem:
        return Objection("sequence", f"the sequence rules cannot be used: {rules.problem}")
    now = deed(step, run.spec(step.account, call.tool))
    found = broken(rules.rules, [*run.operator.prepared, *made], now)
    if found is None:
        return None
    return Objection(f"sequence:{found.rule.id}", found.why, "plan again without one of the two")


def _made(conn: Connection, run: Run) -> list[Deed]:
    """Every call of the mission that may have happened, whatever plan it belonged to."""
    found = []
    for seq, tool, account, mutates in journal.made(conn, run.mission_id):
        spec = run.operator.by_ref.get(tool)
        out = spec.leaves if spec and spec.leaves is not None else mutates
        name, scope = tool.split("@", 1)[0], spec.scope if spec else ""
        found.append(Deed(seq, name, account, scope, mutates, out, "done"))
    return found


def _objection(decision: Decision) -> Objection:
    """The rule is the policy's @id; a policy's @reason is the why."""
    first = decision.by[0] if decision.by else None
    return Objection(
        f"policy:{first.name if first else 'default-deny'}", decision.why,
        "ask whoever writes the policies (`aicp policy show`), then resume or plan again",
    )  # fmt: skip
