"""Missions over JSON: one route for each thing a person can do (MI-1 to MI-7)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from aicp.errors import BadInput
from aicp.missions import (
    approve,
    consent,
    control,
    define,
    delegate,
    disconnect,
    finalize,
    followups,
    offer,
    plan,
    prepare,
    reflect,
    store,
    tighten,
    undo,
    view,
)
from aicp.missions.sources import Sources
from aicp.web import ActorDep, AppDep

router = APIRouter(prefix="/api/missions", tags=["missions"])


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewMissionBody(Body):
    intent: str = ""
    title: str = ""
    priority: int = 2
    issue: str = Field("", description="id of the issue it is about, which need not exist (yet)")
    data: list[str] = Field(
        default_factory=list, description="absolute paths or database URLs with #table"
    )
    smtp: str = ""
    sender: str = ""
    mail_folder: str = ""
    delivered: str = ""
    calendar: str = ""
    connect: list[str] = Field(default_factory=list, description="KIND:TARGET, see the manual")
    plan: dict[str, Any] | None = Field(
        None, description="a ready plan instead of words, see /api/schemas/plan"
    )
    agent: bool = Field(False, description="an agent proposes and makes the calls")
    safeguards: list[Any] = Field(
        default_factory=list, description="rules of an agent's mission, as in a plan"
    )


class ChipBody(Body):
    text: str | None = Field(None, description="the new words; null accepts the chip as it is")


class AnswerBody(Body):
    text: str


class OverrideBody(Body):
    rationale: str


class SelectBody(Body):
    rank: int


class ApproveBody(Body):
    digest: str
    rationale: str = ""
    named: list[str] = Field(
        default_factory=list,
        description="values from untrusted content that the approver stands by",
    )


class NamesBody(Body):
    values: list[str]


class AccountBody(Body):
    account: str


class ConsentBody(AccountBody):
    scopes: list[str] = Field(description="exactly those shown under connections[].wanted")


class DelegateBody(Body):
    to: str = Field(description="e-mail address of the person who decides instead")
    reason: str


class SheetBody(Body):
    format: str = "markdown"


class ReasonBody(Body):
    reason: str = ""


class UndoBody(ReasonBody):
    to_step: int = Field(0, ge=0, description="the last step that stays")
    dry_run: bool = Field(False, description="try it on copies, change nothing")


class ResumeBody(Body):
    happened: bool | None = None


class GuardBody(Body):
    safeguard: str = Field("", description="id of the safeguard to change; empty to add one")
    kind: str = Field("", description="of the safeguard to add")
    params: dict[str, Any] = Field(description="the parameters to set, by name")
    reason: str


class FeedbackBody(Body):
    rating: int
    notes: str = ""
    effort_saved_hours: float | None = Field(None, ge=0, lt=1_000_000, allow_inf_nan=False)


class FollowUpBody(Body):
    title: str
    priority: int = 2
    labels: list[str] = Field(default_factory=list)


@router.post("", status_code=201)
def create(body: NewMissionBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    sources = Sources(
        data=tuple(body.data), smtp=body.smtp, sender=body.sender, mail_folder=body.mail_folder,
        delivered=body.delivered, calendar=body.calendar,
        connect=tuple(body.connect),
    )  # fmt: skip
    new = define.NewMission(
        body.intent, sources, body.title, body.priority, body.issue, agent=body.agent,
        plan=offer.read(body.plan) if body.plan is not None else None,
        safeguards=offer.read_rules(body.safeguards),
    )  # fmt: skip
    with app.transaction(actor) as conn:
        mission_id = define.create(conn, actor, app.services, new)
        return view.summary(store.get(conn, mission_id))


@router.get("")
def index(
    app: AppDep, actor: ActorDep, stage: str | None = None, status: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> list[dict[str, Any]]:  # fmt: skip
    with app.transaction(actor) as conn:
        return [
            view.summary(m) for m in store.recent(conn, limit=limit, stage=stage, status=status)
        ]


@router.get("/{mission_id}")
def show(mission_id: str, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return view.document(conn, store.get(conn, mission_id))


@router.get("/{mission_id}/events")
def events(
    mission_id: str, app: AppDep, actor: ActorDep, after: int = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> list[dict[str, Any]]:  # fmt: skip
    with app.transaction(actor) as conn:
        return view.events(conn, store.get(conn, mission_id).id, after=after, limit=limit)


@router.put("/{mission_id}/brief/{chip_id}")
def edit_chip(
    mission_id: str, chip_id: str, body: ChipBody, app: AppDep, actor: ActorDep
) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        define.edit(conn, actor, app.services, mission_id, chip_id, body.text)
        return view.document(conn, store.get(conn, mission_id))


@router.put("/{mission_id}/questions/{question_id}")
def answer(
    mission_id: str, question_id: str, body: AnswerBody, app: AppDep, actor: ActorDep
) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        define.answer(conn, actor, app.services, mission_id, question_id, body.text)
        return view.document(conn, store.get(conn, mission_id))


@router.post("/{mission_id}/acknowledgements", status_code=201)
def acknowledge(mission_id: str, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return define.acknowledge(conn, actor, app.services, mission_id)


@router.post("/{mission_id}/override", status_code=201)
def override(mission_id: str, body: OverrideBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return prepare.override(conn, actor, app.services, mission_id, body.rationale)


@router.post("/{mission_id}/plan", status_code=201)
def select(mission_id: str, body: SelectBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return plan.select(conn, actor, app.services, mission_id, body.rank)


@router.post("/{mission_id}/approval", status_code=201)
def give_approval(
    mission_id: str, body: ApproveBody, app: AppDep, actor: ActorDep
) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return approve.approve(
            conn, actor, app.services, mission_id, digest=body.digest, rationale=body.rationale,
            named=body.named,
        )  # fmt: skip


@router.post("/{mission_id}/names", status_code=201)
def name_values(mission_id: str, body: NamesBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    """Stand by values that a run met in untrusted content, so that it may go on (TR-20)."""
    with app.transaction(actor) as conn:
        return {"named": approve.name(conn, actor, app.services, mission_id, body.values)}


@router.post("/{mission_id}/consents", status_code=201)
def consents(mission_id: str, body: ConsentBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return consent.give(conn, actor, app.services, mission_id, body.account, scopes=body.scopes)


@router.post("/{mission_id}/disconnection", status_code=201)
def disconnection(
    mission_id: str, body: AccountBody, app: AppDep, actor: ActorDep
) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return disconnect.request(conn, actor, app.services, mission_id, body.account)


@router.post("/{mission_id}/delegation", status_code=201)
def delegation(mission_id: str, body: DelegateBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return delegate.delegate(
            conn, actor, app.services, mission_id, to=body.to, reason=body.reason
        )


@router.post("/{mission_id}/sheet", status_code=201)
def export_sheet(mission_id: str, body: SheetBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return approve.export(conn, actor, app.services, mission_id, format=body.format)


@router.post("/{mission_id}/rejection", status_code=201)
def reject(mission_id: str, body: ReasonBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return approve.reject(conn, actor, app.services, mission_id, rationale=body.reason)


@router.post("/{mission_id}/run", status_code=201)
def run(mission_id: str, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return control.run_now(conn, actor, app.services, mission_id)


@router.post("/{mission_id}/pause", status_code=201)
def pause(mission_id: str, body: ReasonBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return control.pause(conn, actor, app.services, mission_id, body.reason)


@router.get("/{mission_id}/safeguards")
def safeguards(mission_id: str, app: AppDep, actor: ActorDep) -> list[dict[str, Any]]:
    """The safeguards as they hold now, each with what it was narrowed by."""
    with app.transaction(actor) as conn:
        return tighten.listed(conn, store.get(conn, mission_id))


@router.post("/{mission_id}/safeguards", status_code=201)
def guard(mission_id: str, body: GuardBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    """Narrow a safeguard of a run, or add one: it holds at once. Whatever is wider is asked for."""
    if bool(body.safeguard) == bool(body.kind):
        raise BadInput("name a safeguard to change, or a kind to add", hint="one of the two")
    with app.transaction(actor) as conn:
        if body.kind:
            return tighten.add(
                conn, actor, app.services, mission_id, body.kind, body.params, body.reason
            )
        return tighten.tighten(
            conn, actor, app.services, mission_id, body.safeguard, body.params, body.reason
        )


@router.post("/{mission_id}/resume", status_code=201)
def resume(mission_id: str, body: ResumeBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return control.resume(conn, actor, app.services, mission_id, body.happened)


@router.post("/{mission_id}/stop", status_code=201)
def stop(mission_id: str, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return control.stop(conn, actor, app.services, mission_id)


@router.post("/{mission_id}/undo", status_code=201)
def take_back(mission_id: str, body: UndoBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return undo.request(
            conn, actor, app.services, mission_id, body.reason,
            to_step=body.to_step, dry_run=body.dry_run,
        )  # fmt: skip


@router.post("/{mission_id}/finalization", status_code=201)
def finalization(mission_id: str, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return finalize.finalize(conn, actor, app.services, mission_id)


@router.get("/{mission_id}/evidence")
def evidence(mission_id: str, app: AppDep, actor: ActorDep) -> list[dict[str, Any]]:
    with app.transaction(actor) as conn:
        mission = store.get(conn, mission_id)
        found = reflect.bundles(conn, mission.id)
    return [
        {**row, "artifacts": reflect.contents(app.services, mission, row["manifest_sha256"])}
        for row in found
    ]


@router.post("/{mission_id}/evidence/verification", status_code=201)
def verify_evidence(mission_id: str, app: AppDep, actor: ActorDep) -> list[dict[str, Any]]:
    with app.transaction(actor) as conn:
        mission = store.get(conn, mission_id)
        return reflect.check(app.services, mission, conn)


@router.post("/{mission_id}/feedback", status_code=201)
def feedback(mission_id: str, body: FeedbackBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return reflect.feedback(
            conn, actor, app.services, mission_id, rating=body.rating, notes=body.notes,
            hours=body.effort_saved_hours,
        )  # fmt: skip


@router.get("/{mission_id}/followups")
def list_followups(mission_id: str, app: AppDep, actor: ActorDep) -> list[dict[str, Any]]:
    with app.transaction(actor) as conn:
        return followups.of_mission(conn, store.get(conn, mission_id).id)


@router.post("/{mission_id}/followups", status_code=201)
def follow_up(mission_id: str, body: FollowUpBody, app: AppDep, actor: ActorDep) -> dict[str, Any]:
    with app.transaction(actor) as conn:
        return followups.schedule(
            conn, actor, app.services, mission_id, title=body.title, priority=body.priority,
            labels=tuple(body.labels),
        )  # fmt: skip
