"""Define: words become a brief, people settle what is unclear, two of them stand by the safeguards."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aicp.brain.brief import Brief
from aicp.errors import BadInput, Forbidden, GateBlocked, SafeguardViolation
from aicp.issues import errors as issue_errors
from aicp.issues.model import check_id
from aicp.kernel.db import Actor, Connection
from aicp.kernel.ids import new_id
from aicp.missions import flow, store
from aicp.missions.lifecycle import Facts, brief_gaps, reasons
from aicp.missions.offer import OfferedPlan, safeguards_of, unknown_accounts
from aicp.missions.offered_play import brief_of
from aicp.missions.opening import open_one
from aicp.missions.services import Services
from aicp.missions.sources import Bounds, Sources, connections
from aicp.missions.store import Mission
from aicp.telemetry.record import record
from aicp.toolkits.model import Resource
from aicp.toolkits.providers.base import ProviderError
from aicp.trust.plan import Safeguard

MAX_INTENT = 20_000  # characters
MAX_ISSUE = 200  # characters of an issue id


@dataclass(frozen=True, slots=True)
class NewMission:
    """What a person asks for.

    Args:
        issue: the issue this is about, "" when there is none. It need not exist: a mission never
            waits for the issue graph.
    """

    intent: str
    sources: Sources
    title: str = ""
    priority: int = 2
    issue: str = ""
    plan: OfferedPlan | None = None  # a ready plan instead of words to plan from
    agent: bool = False  # an agent of somebody else's proposes (without a plan) and makes the calls
    safeguards: tuple[Safeguard, ...] = ()  # for a mission whose words are not read

    @property
    def given(self) -> bool:
        return self.plan is not None or self.agent

    @property
    def words(self) -> str:
        """What is wanted; a plan's own title and reason serve when nothing else is said."""
        told = (self.plan.title, self.plan.reason) if self.plan else ()
        return self.intent.strip() or ". ".join(filter(None, told))

    @property
    def offer(self) -> dict[str, Any]:
        """The form in which a mission keeps what was handed in."""
        rules = (*safeguards_of(self.plan), *self.safeguards) if self.plan else self.safeguards
        numbered = [
            guard.model_copy(update={"id": f"safeguard-{n}"}).model_dump(mode="json")
            for n, guard in enumerate(rules, 1)
        ]
        plan = (
            self.plan.model_dump(mode="json", by_alias=True, exclude_none=True)
            if self.plan
            else None
        )
        return {"plan": plan, "source": "human" if plan else "agent", "where": "the given plan",
                "safeguards": numbered}  # fmt: skip


def create(conn: Connection, actor: Actor, services: Services, new: NewMission) -> str:
    """A mission from plain words; its first job is queued with it (MI-1).

    Raises:
        BadInput: the intent is empty or too long, or a source or the issue's id is malformed.
        Forbidden: the person may not start missions, or a path is out of bounds.
    """
    if not {"operator", "admin"} & set(actor.roles):
        raise Forbidden(
            "your role may not start missions", hint="ask an admin for the role 'operator'"
        )
    intent = new.words
    if not intent:
        raise BadInput(
            "the mission is empty", hint='say what you want, for example: aicp mission new "…"'
        )
    if len(intent) > MAX_INTENT:
        raise BadInput(
            f"the mission is {len(intent):,} characters long; at most {MAX_INTENT:,} are read",
            hint="say it in a few sentences and put data into the table",
        )
    if not 0 <= new.priority <= 4:
        raise BadInput("priority is a number from 0 (first) to 4 (last)")
    issue = _issue(new.issue.strip())
    made = connections(
        new.sources,
        bounds=Bounds(services.roots, services.private),
        hold_seconds=services.hold_seconds,
        work_dir=services.work_dir,
        tenant=str(actor.tenant_id),
        own=services.providers,
        settings=services.toolkits,
    )
    _refuse_unfit(new, frozenset(connection.account for connection in made))
    at, mission_id = services.clock(), new_id("m")
    named = new.title.strip() or (new.plan.title if new.plan else _title(intent))
    store.add(
        conn, actor, mission_id=mission_id, title=named, intent=intent, priority=new.priority,
        issue=issue, correlation_id=new_id("req", 16), at=at, driver="agent" if new.agent else "self",
        offered=new.offer if new.given else None,
    )  # fmt: skip
    for connection in made:
        store.add_connection(conn, actor, mission_id, connection)
    mission = store.get(conn, mission_id)
    record(
        conn, actor, "intent_submitted", {"intent_length": len(intent), "source": _source(new)}, at=at,
        mission_id=mission_id, correlation_id=mission.correlation_id, stage="Home",
    )  # fmt: skip
    for connection in made:
        record(
            conn, actor, "toolkit_selected",
            {"toolkit_id": connection.toolkit, "auth_status": "not_needed"}, at=at,
            mission_id=mission_id, correlation_id=mission.correlation_id, stage="Home",
        )  # fmt: skip
    flow.enter(conn, actor, mission, at=at, output={"mission": mission_id})
    return mission_id


def _refuse_unfit(new: NewMission, accounts: frozenset[str]) -> None:
    """What can be said of a handed-in plan before its connections are looked at."""
    if new.agent and not accounts:
        raise BadInput(
            "a mission for an agent needs something to work on", hint="add --data or --connect"
        )
    if new.safeguards and not new.given:
        raise BadInput(
            "safeguards of their own form belong to a ready plan or an agent's mission",
            hint="say them in the words of the mission",
        )
    for why in unknown_accounts(new.plan, accounts) if new.plan else ():
        raise BadInput(why, hint="name the account as the mission's connections are named")


def _source(new: NewMission) -> str:
    if new.plan is not None:
        return "plan"
    return "agent" if new.agent else "freeform"


def run(services: Services, mission: Mission) -> None:
    """The job of the stage: look at what is connected, read the intent, save the brief."""
    from aicp.brain.agents import run_intake

    actor = mission.agent("intake")
    resources = inspect(services, mission, actor)
    started = time.monotonic()
    if mission.offered is not None:
        rules = [Safeguard.model_validate(guard) for guard in mission.offered["safeguards"]]
        brief = brief_of(mission.intent, rules)
    else:
        brief = run_intake(mission.intent, resources, now=services.clock(), model=services.model)
    latency = int((time.monotonic() - started) * 1000)
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission.id, lock=True)
        if mission.current_stage != "Define":
            return
        save(conn, mission, brief, frozenset(), at=services.clock())
        record(
            conn, actor, "brief_generated",
            {"chip_count": len(brief.chips), "confidence_scores": [c.confidence for c in brief.chips],
             "generation_latency_ms": latency, "brain": brief.brain},
            at=services.clock(), mission_id=mission.id, correlation_id=mission.correlation_id, stage="Define",
        )  # fmt: skip


def inspect(services: Services, mission: Mission, actor: Actor) -> list[Resource]:
    """Describe every connection without touching it (TR-1); what is wrong with one is kept on it.

    Raises:
        GateBlocked: no table can be read, so nothing can be understood.
    """
    with services.db.transaction(actor) as conn:
        rows = store.connections(conn, mission.id)
    started = time.monotonic()
    found = [_describe(row, services, actor) for row in rows]
    latency = int((time.monotonic() - started) * 1000)
    at = services.clock()
    with services.db.transaction(actor) as conn:
        for row, (resource, problem) in zip(rows, found, strict=True):
            store.describe_connection(conn, mission.id, row.account, resource, problem, at=at)
        record(
            conn, actor, "composio_discovery",
            {"toolkit_count": len(rows), "latency_ms": latency, "cached": False, "provider": "local"},
            at=at, mission_id=mission.id, correlation_id=mission.correlation_id, stage=mission.current_stage,
        )  # fmt: skip
    tables = [
        (r, problem)
        for row, (r, problem) in zip(rows, found, strict=True)
        if row.toolkit == "table"
    ]
    broken = [problem for resource, problem in tables if resource is None]
    if broken:
        raise GateBlocked(broken[0], code="needs_data")
    return [resource for resource, _ in found if resource is not None]


def _describe(
    row: store.ConnectionRow, services: Services, actor: Actor
) -> tuple[Resource | None, str]:
    try:
        return open_one(services, row, actor).describe(), ""
    except ProviderError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return None, f"{row.account}: {error.message}{hint}"


def save(
    conn: Connection, mission: Mission, brief: Brief, accepted: frozenset[str], *, at: datetime
) -> None:
    """Keep a brief and say what is still missing; any earlier acknowledgement is void (TR-7)."""
    store.save_brief(conn, mission.id, brief, accepted, at=at)
    gaps = brief_gaps(brief, accepted)
    flow.wait(conn, mission, output={"mission_brief": True, "gaps": list(gaps)}, at=at)


def edit(
    conn: Connection,
    actor: Actor,
    services: Services,
    mission_id: str,
    chip_id: str,
    text: str | None,
) -> Brief:
    """Put a chip into a person's words, or accept it as it is (text None). Reopens a locked brief.

    Raises:
        Forbidden: only the owner may edit.
        GateBlocked: the mission is past the point where its brief may change.
        BadInput: there is no such chip, or the words are not understood.
    """
    from aicp.brain.intake import accept, revise

    mission = _owned(conn, actor, mission_id)
    brief = _brief_of(mission)
    if mission.run_state != "idle":
        raise GateBlocked("the plan is already in use; undo it or start a new mission")
    if mission.offered is not None and text is not None:
        raise GateBlocked(
            "this brief was given, not read from words",
            hint="start a new mission with what you want",
        )
    at = services.clock()
    resources = [row.described for row in store.connections(conn, mission.id)]
    known = [resource for resource in resources if resource]
    if text is None:
        changed, accepted = accept(brief, chip_id), mission.accepted | {chip_id}
    else:
        changed, accepted = revise(brief, chip_id, text, known, now=at), mission.accepted
    if mission.current_stage != "Define":
        flow.go_back(conn, actor, mission, "Define", reason="the brief was changed", at=at)
        mission = store.get(conn, mission.id)
    save(conn, mission, changed, accepted, at=at)
    record(
        conn, actor, "brief_item_modified",
        {"chip_type": chip_id.rstrip("-0123456789"), "edit_type": "accepted" if text is None else "reworded"},
        at=at, mission_id=mission.id, correlation_id=mission.correlation_id, stage="Define",
    )  # fmt: skip
    return changed


def answer(
    conn: Connection, actor: Actor, services: Services, mission_id: str, question_id: str, text: str
) -> Brief:
    """Answer a question of the brief in a person's words, or leave its words out.

    Raises:
        Forbidden: only the owner answers.
        BadInput: there is no such question, or the words are not understood.
    """
    from aicp.brain.intake import answer as read_answer

    mission = _owned(conn, actor, mission_id)
    if mission.current_stage != "Define":
        raise GateBlocked(f"the mission is in {mission.current_stage}; its questions were answered")
    known = [r for row in store.connections(conn, mission.id) if (r := row.described)]
    changed = read_answer(_brief_of(mission), question_id, text, known, now=services.clock())
    save(conn, mission, changed, mission.accepted, at=services.clock())
    record(
        conn, actor, "brief_item_modified", {"chip_type": "question", "edit_type": "answered"},
        at=services.clock(), mission_id=mission.id, correlation_id=mission.correlation_id, stage="Define",
    )  # fmt: skip
    return changed


def acknowledge(
    conn: Connection, actor: Actor, services: Services, mission_id: str
) -> dict[str, object]:
    """Stand by the brief's safeguards; the second of two different people opens the gate (TR-7).

    Raises:
        GateBlocked: something in the brief is still open.
        SafeguardViolation: this person, or this capacity, acknowledged already.
        Forbidden: the person is neither owner nor governance delegate.
    """
    mission = store.get(conn, mission_id, lock=True)
    _in_define(mission)
    gaps = brief_gaps(_brief_of(mission), mission.accepted)
    if gaps:
        raise GateBlocked(
            f"the brief cannot be locked yet: {gaps[0]}",
            hint=f"settle it with `aicp mission brief {mission.id} --set CHIP=WORDS` or `--accept CHIP`",
            facts={"reasons": list(gaps)},
        ).on(mission.id, "brief-gaps")
    at = services.clock()
    given = store.acks(conn, mission.id, mission.brief_version)
    capacity = _capacity(actor, mission, given)
    store.add_ack(conn, actor, mission, capacity, at=at)
    given = store.acks(conn, mission.id, mission.brief_version)
    _announce_ack(conn, actor, mission, capacity, first=len(given) == 1, at=at)
    facts = Facts(
        brief=mission.understanding, accepted=mission.accepted,
        acknowledged_by=tuple(ack["person_id"] for ack in given),
        capacities=frozenset(ack["capacity"] for ack in given),
    )  # fmt: skip
    shut = reasons("Define", facts)
    if not shut:
        flow.enter(conn, actor, mission, at=at, output={"mission_brief": mission.brief_version})
    return {"capacity": capacity, "complete": not shut, "missing": list(shut)}


def _capacity(actor: Actor, mission: Mission, given: list[dict[str, object]]) -> str:
    if any(ack["person_id"] == str(actor.person_id) for ack in given):
        raise SafeguardViolation(
            "you acknowledged these safeguards already; the second acknowledgement must come from another person",
            hint="ask a governance delegate: `aicp --as EMAIL mission ack`",
            code="same_person",
        ).on(mission.id, "TR-7")
    filled = {str(ack["capacity"]) for ack in given}
    open_to = [
        name
        for name, may in (
            ("owner", actor.person_id == mission.owner_id),
            ("governance", "governance" in actor.roles),
        )
        if may
    ]
    for capacity in open_to:
        if capacity not in filled:
            return capacity
    if open_to:
        raise SafeguardViolation(
            f"the {open_to[0]}'s acknowledgement is already given", code="same_capacity"
        ).on(mission.id, "TR-7")
    raise Forbidden(
        "only the mission's owner and a governance delegate acknowledge safeguards",
        hint="add one with `aicp people add NAME EMAIL --role governance`",
    )


def _announce_ack(
    conn: Connection, actor: Actor, mission: Mission, capacity: str, *, first: bool, at: datetime
) -> None:
    guards = len(_brief_of(mission).safeguards)
    common = {
        "at": at, "mission_id": mission.id, "correlation_id": mission.correlation_id, "stage": "Define",
    }  # fmt: skip
    if first:
        store.change(conn, mission.id, at, brief_locked_at=at)
        seconds = int((at - mission.created_at).total_seconds())
        record(
            conn, actor, "mission_brief_locked",
            {"safeguard_count": guards, "time_to_lock_seconds": seconds,
             "edits_before_lock": mission.brief_version - 1}, **common,
        )  # fmt: skip
    record(
        conn,
        actor,
        "safeguard_reviewed",
        {"capacity": capacity, "safeguard_count": guards},
        **common,
    )


def _brief_of(mission: Mission) -> Brief:
    brief = mission.understanding
    if brief is None:
        raise GateBlocked(
            "the brief is not there yet", hint=f"see `aicp mission show {mission.id}`"
        )
    return brief


def _in_define(mission: Mission) -> None:
    if mission.current_stage != "Define":
        raise GateBlocked(
            f"the mission is in {mission.current_stage}; its safeguards were acknowledged"
        )


def _owned(conn: Connection, actor: Actor, mission_id: str) -> Mission:
    mission = store.get(conn, mission_id, lock=True)
    if mission.owner_id != actor.person_id and "admin" not in actor.roles:
        raise Forbidden(f"only the owner, {mission.owner_name}, may change this brief")
    return mission


def _issue(text: str) -> str:
    """The id as given; only its shape is looked at."""
    if len(text) > MAX_ISSUE:
        raise BadInput(
            f"the issue id is {len(text):,} characters long; {MAX_ISSUE} is the most",
            hint="ids look like ops-1 or BD-4521",
        )
    try:
        return check_id(text) if text else ""
    except issue_errors.BadInput as error:
        raise BadInput(error.message, hint=error.hint) from error


def _title(intent: str) -> str:
    """The first clause, cut at a word."""
    head = intent.replace("\n", " ").split(";")[0].split(". ")[0].strip().rstrip(".")
    return head if len(head) <= 72 else head[:72].rsplit(" ", 1)[0] + "…"
