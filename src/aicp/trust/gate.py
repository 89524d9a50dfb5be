"""The gate: may exactly this call happen, now? Pure: facts in, verdict out; a doubt is a no.

Order matters: the first rule that says no is the one that is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jsonschema

from aicp.kernel.canonical import digest
from aicp.toolkits.model import ToolSpec
from aicp.trust.plan import Plan, Safeguard, Step


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to call. Nothing in it is trusted."""

    tool: str  # "mail.draft@<schema hash>"
    account: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database says in the very transaction that would write the intent."""

    now: datetime
    run_state: str
    cursor: int  # seq of the last finished step
    plan_digest: str  # of the plan in hand, computed now
    approved_digest: str
    approval_status: str
    approval_consumed: bool  # by this run: consumed when the run began
    granted_scopes: frozenset[str]
    outputs: dict[int, dict[str, Any]]  # data of finished steps by seq
    tightened: tuple[Safeguard, ...] = ()  # what stands beside the plan's own safeguards by now
    failures: int = 0  # of the step at the cursor, without an effect; they number its next attempt


@dataclass(frozen=True, slots=True)
class Verdict:
    """allowed, or the rule that said no and one sentence why."""

    allowed: bool
    rule: str = "ok"
    why: str = ""


def judge(
    asked: Asked, plan: Plan, spec: ToolSpec | None, facts: Facts, *, hashed: bool = True
) -> Verdict:
    """Whether the call is the call at the cursor of an approved, running plan (I-1, TR-10 to TR-12).

    Args:
        hashed: hash the plan in hand too. Only a look that lets nothing through leaves that out.
    """
    step = _at_cursor(plan, facts.cursor)
    for rule, why in _objections(asked, plan, step, spec, facts, hashed):
        if why:
            return Verdict(False, rule, why)
    return Verdict(True)


def resolve(step: Step, outputs: dict[int, dict[str, Any]]) -> tuple[dict[str, Any], str]:
    """The step's literal arguments with its references filled in, and why not if one may not be.

    A referenced value must meet the JSON Schema that was approved with the reference (agents.md A3.3).
    """
    args = dict(step.args)
    for name, ref in step.refs.items():
        value: Any = outputs.get(ref.step)
        for part in ref.path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None:
            return args, f"step {ref.step} gave no '{ref.path}' for the argument {name}"
        if not jsonschema.Draft202012Validator(ref.domain).is_valid(value):
            return args, f"the argument {name} from step {ref.step} is outside the approved domain"
        args[name] = value
    return args, ""


def _at_cursor(plan: Plan, cursor: int) -> Step | None:
    return plan.play.steps[cursor] if 0 <= cursor < len(plan.play.steps) else None


def _objections(
    asked: Asked, plan: Plan, step: Step | None, spec: ToolSpec | None, facts: Facts, hashed: bool
) -> list[tuple[str, str]]:
    return [
        ("run-state", "" if facts.run_state == "running" else f"the run is {facts.run_state}"),
        ("approval", _approval(plan, facts, hashed)),
        ("cursor", "" if step else "every approved step is done: nothing more may be called"),
        ("exact-call", _same_call(asked, step, facts) if step else ""),
        ("tool", _same_tool(step, spec) if step else ""),
        ("scope", _scope(spec, plan, facts) if spec else ""),
        ("arguments", _arguments(asked, spec) if spec else ""),
    ]


def _approval(plan: Plan, facts: Facts, hashed: bool) -> str:
    if facts.approval_status != "approved":
        return f"the approval is {facts.approval_status or 'missing'}"
    if not facts.approval_consumed:
        return "the approval was not taken into use by this run"
    in_hand = plan.digest if hashed else facts.plan_digest
    if facts.plan_digest != facts.approved_digest or in_hand != facts.approved_digest:
        return "the plan is not the plan that was approved"
    return ""


def _same_call(asked: Asked, step: Step, facts: Facts) -> str:
    args, why = resolve(step, facts.outputs)
    if why:
        return why
    if asked.tool != step.tool:
        return f"step {step.seq} is {step.tool_name}, not {asked.tool.split('@')[0]}"
    if asked.account != step.account:
        return f"step {step.seq} uses another account"
    if digest(asked.args) != digest(args):
        changed = sorted(
            k for k in {*args, *asked.args} if args.get(k, ...) != asked.args.get(k, ...)
        )
        return f"step {step.seq} was approved with other arguments ({', '.join(changed)[:200]})"
    return ""


def _same_tool(step: Step, spec: ToolSpec | None) -> str:
    if spec is None:
        return f"no connected toolkit has {step.tool_name}"
    if spec.ref != step.tool:
        return f"{step.tool_name} changed its declaration since the approval"
    if spec.mutates != step.mutates:
        return f"{step.tool_name} is not what the plan says it is (read or mutate)"
    return ""


def _scope(spec: ToolSpec, plan: Plan, facts: Facts) -> str:
    if spec.scope not in plan.scopes:
        return f"the approval does not cover the scope {spec.scope}"
    if spec.scope not in facts.granted_scopes:
        return f"the scope {spec.scope} is not granted"
    return ""


def _arguments(asked: Asked, spec: ToolSpec) -> str:
    why = spec.misfit(asked.args)
    return f"the arguments do not fit {spec.name}: {why[:120]}" if why else ""
