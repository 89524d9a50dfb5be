"""What governance costs: a governed call of a tool that does nothing, beside the bare journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from bench import journal, noop
from bench.report import Line, Table
from bench.series import flat, interleaved, percentile, ratio, timed
from bench.world import World
from structlog.contextvars import bound_contextvars

from aicp.brain.executor import run_executor
from aicp.missions.execute import _watcher, caller
from aicp.toolkits.model import Call
from aicp.trust.calls import Run, context_of, facts_of, governed_call
from aicp.trust.gate import Asked, Facts, judge
from aicp.trust.operator_rules import question, unnamed_values
from aicp.trust.plan import Step
from aicp.trust.policy import Policies
from aicp.trust.safeguards import Context, breaches
from aicp.trust.sequences import Sequences, broken, deed
from flight import Flight

STEPS = 80  # of a plan: as long as that of the demo


def bench(world: World) -> list[Table]:
    """Governed calls against the bare journal, through the agent, and the pure parts alone."""
    calls, rounds = (10, 3) if world.quick else (40, 12)
    journal.make(world.cluster.owner_url)
    with world.flight() as flight:
        runs = {
            "bare": lambda: _bare(flight, calls),
            "governed": lambda: _governed(flight, calls),
            "agent": lambda: _through_agent(flight, calls),
        }
        interleaved(runs, 1)  # imports, prepared statements, caches
        found = interleaved(runs, rounds)
        return [_overhead(found, calls), _pure(flight, 50 if world.quick else 400)]


def _bare(flight: Flight, calls: int, numbers: count[int] = count()) -> Sequence[float]:  # noqa: B008
    mission = f"bare-{next(numbers)}"
    tenant, at, db = flight.people["riley"].tenant_id, flight.clock(), flight.app.db
    return [
        timed(lambda n=n: journal.call(db, tenant, mission, n, noop.TOUCH.ref, noop.arguments(n), at))
        for n in range(1, calls + 1)
    ]  # fmt: skip


def _governed(flight: Flight, calls: int) -> Sequence[float]:
    """The calls as the plan's caller makes them, one after the other, in a job of the mission."""
    run = noop.running(flight, STEPS)
    with bound_contextvars(bd_issue=None):  # as `missions/jobs.py` does
        return [
            timed(lambda s=step: governed_call(run, Asked(s.tool, s.account, s.args)))
            for step in run.plan.play.steps[:calls]
        ]


def _through_agent(flight: Flight, calls: int) -> Sequence[float]:
    """The calls as a mission's executor agent makes them; each one's share of the walk."""
    run = noop.running(flight, STEPS)
    steps = run.plan.play.steps[:calls]
    with bound_contextvars(bd_issue=None):
        walk = timed(lambda: run_executor(steps, call=caller(run), before_tool=_watcher(run)))
    return [walk / calls] * calls


def _overhead(found: dict[str, list[list[float]]], calls: int) -> Table:
    lines = []
    for name, told in (("bare", "bare two-commit journal"), ("governed", "governed call"),
                       ("agent", "governed call through the executor agent")):  # fmt: skip
        seconds = flat(found[name])
        if name == "agent":
            lines.append(Line(f"{told}, mean", 1000 * sum(seconds) / len(seconds), "ms"))
            continue
        most = 15.0 if name == "governed" else None
        lines += [
            Line(f"{told}, p50", percentile(seconds, 50), "ms"),
            Line(f"{told}, p95", percentile(seconds, 95), "ms", most=most),
            Line(f"{told}, p99", percentile(seconds, 99), "ms"),
        ]
    lines += [
        Line("throughput, governed : bare", ratio(found["bare"], found["governed"]), "×", least=0.25),
        Line("throughput, agent : governed", ratio(found["governed"], found["agent"]), "×"),
        Line("throughput, agent : bare", ratio(found["bare"], found["agent"]), "×"),
        Line("governed calls a second", 1 / (sum(flat(found["governed"])) / len(flat(found["governed"]))), "/s"),
    ]  # fmt: skip
    rounds = {name: [1000 * sum(r) / len(r) for r in each] for name, each in found.items()}
    title = (
        f"one tool that does nothing; {len(found['bare'])} rounds of {calls} calls, plan of {STEPS}"
    )
    return Table("calls", title, tuple(lines), rounds=rounds)


POLICIES = 100


def _policies(flight: Flight) -> None:
    """A hundred operator policies that forbid none of the calls; every fourth is for other tools."""
    folder = flight.app.services.rulebook.folder
    folder.mkdir(parents=True, exist_ok=True)
    kinds = (
        'context.args has subject && context.args.subject like "*never {n} said*"',
        'context.recipients > 10{n} && !principal.owner_roles.contains("role{n}")',
        'context.domains.containsAny(["blocked{n}.example"])',
        'context.tier >= 4 && context.hour == 3 && resource.name like "prod{n}*"',
    )
    scopes = (
        "action",
        'action in Action::"noop"',
        'action == Action::"noop.touch"',
        'action in Action::"mail"',
    )
    told = (
        f'@id("p{n}")\n@reason("number {n}")\nforbid (principal, {scopes[n % 4]}, resource)\n'
        f"when {{ {kinds[n // 4 % 4].format(n=n)} }};\n"
        for n in range(POLICIES)
    )
    (folder / "bench.cedar").write_text("".join(told))


def _pure(flight: Flight, times: int) -> Table:
    """The decision alone: no database, no effect."""
    _policies(flight)
    run = noop.running(flight, STEPS)
    step = run.plan.play.steps[0]
    rules = (run.operator.book.policies(run.operator.tools), run.operator.book.sequences())
    with flight.app.transaction(run.actor) as conn:
        facts = facts_of(conn, run)
        context = context_of(conn, run, step, step.args)
    found = interleaved(
        {
            "gate": lambda: _repeat(times // 10, lambda: _judge(run, step, facts)),
            "both": lambda: _repeat(
                times // 10, lambda: (_judge(run, step, facts), _check(run, step, context))
            ),
            "all": lambda: _repeat(
                times // 10,
                lambda: (
                    _judge(run, step, facts),
                    _check(run, step, context),
                    _rules(run, step, *rules),
                ),
            ),
        },
        10,
    )
    gate, both, every = flat(found["gate"]), flat(found["both"]), flat(found["all"])
    lines = (
        Line("pure gate, p50", percentile(gate, 50), "ms"),
        Line("pure gate, p95", percentile(gate, 95), "ms", most=1.0),
        Line("gate + safeguards, p50", percentile(both, 50), "ms"),
        Line("gate + safeguards, p95", percentile(both, 95), "ms"),
        Line(f"gate + all checks, {POLICIES} policies, p50", percentile(every, 50), "ms"),
        Line(f"gate + all checks, {POLICIES} policies, p95", percentile(every, 95), "ms", most=1.0),
    )
    return Table("gate", f"the decision alone, {times} times, plan of {STEPS} steps", lines)


def _repeat(times: int, work: Callable[[], object]) -> list[float]:
    return [timed(work) for _ in range(times)]


def _judge(run: Run, step: Step, facts: Facts) -> None:
    verdict = judge(Asked(step.tool, step.account, step.args), run.plan,
                    run.spec(step.account, step.tool_name), facts)  # fmt: skip
    if not verdict.allowed:
        raise AssertionError(verdict.why)


def _rules(run: Run, step: Step, policies: Policies, sequences: Sequences) -> None:
    """Policies, labels and sequences, without the look at the folder and at the database."""
    spec = run.spec(step.account, step.tool_name)
    asked = question(run.operator.who, step, step.args, spec, at=run.clock(), approved=True, purpose="step")  # fmt: skip
    decision = policies.decide(asked)
    unnamed = unnamed_values(run, step, Call(step.tool_name, step.args))
    if not decision.allowed or unnamed or broken(sequences.rules, [], deed(step, spec)):
        raise AssertionError(decision.why)


def _check(run: Run, step: Step, context: Context) -> None:
    if broken := breaches(run.plan.safeguards, step, step.args, context):
        raise AssertionError(broken[0].why)
