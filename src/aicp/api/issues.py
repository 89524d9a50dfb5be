"""Issues over JSON: the installation's `.beads`, in the order and the shapes of `bd` (UX-84).

Everybody who is signed in reads; operators, on-call, governance and admins write, under their e-mail.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from aicp.people import tenants
from aicp.tracker import Tracker, Wish, need_writer
from aicp.web import ActorDep, AppDep

router = APIRouter(prefix="/api/issues", tags=["issues"])


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewIssueBody(Body):
    title: str
    type: str = "task"
    priority: int = Field(2, description="0 is the most urgent, 4 the least")
    labels: list[str] = Field(default_factory=list)
    description: str = ""


class CommentBody(Body):
    text: str


class CloseBody(Body):
    reason: str


class ReopenBody(Body):
    reason: str = ""


class UpdateBody(Body):
    title: str | None = None
    status: str | None = None
    priority: int | None = None
    assignee: str | None = Field(None, description='"" takes it from whoever has it')
    description: str | None = None
    add_labels: list[str] = Field(default_factory=list)
    remove_labels: list[str] = Field(default_factory=list)


class DependencyBody(Body):
    on: str = Field(description="the issue it depends on; for parent-child the parent")
    type: str = "blocks"


class NoDependencyBody(Body):
    on: str = Field(description="the issue it shall not depend on any more")
    type: str = Field("", description="only this one; all between the two by default")


def get_tracker(app: AppDep) -> Tracker:
    return Tracker(app.settings.issues_dir)


def get_writer(app: AppDep, actor: ActorDep) -> str:
    """The e-mail under which this person writes.

    Raises:
        Forbidden: they may only read.
    """
    need_writer(actor.roles)
    with app.transaction(actor) as conn:
        return tenants.email_of(conn, actor.person_id)


def get_wish(
    status: str = "", label: Annotated[list[str] | None, Query()] = None,
    tag: Annotated[list[str] | None, Query()] = None, priority: str = "",
    limit: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> Wish:  # fmt: skip
    return Wish(status, (*(label or ()), *(tag or ())), priority, limit)


TrackerDep = Annotated[Tracker, Depends(get_tracker)]
WriterDep = Annotated[str, Depends(get_writer)]
WishDep = Annotated[Wish, Depends(get_wish)]


@router.get("")
def index(tracker: TrackerDep, _actor: ActorDep, wish: WishDep) -> list[dict[str, Any]]:
    return tracker.listed(wish)


@router.get("/ready")
def ready(tracker: TrackerDep, _actor: ActorDep, wish: WishDep) -> list[dict[str, Any]]:
    return tracker.listed(wish, ready=True)


@router.get("/{issue_id}")
def show(issue_id: str, tracker: TrackerDep, _actor: ActorDep) -> dict[str, Any]:
    return tracker.show(issue_id)


@router.post("", status_code=201)
def create(body: NewIssueBody, tracker: TrackerDep, by: WriterDep) -> dict[str, Any]:
    return tracker.create(
        body.title, by=by, kind=body.type, priority=body.priority, labels=tuple(body.labels),
        description=body.description,
    )  # fmt: skip


@router.post("/{issue_id}/comments", status_code=201)
def comment(issue_id: str, body: CommentBody, tracker: TrackerDep, by: WriterDep) -> dict[str, Any]:
    return tracker.comment(issue_id, body.text, by=by)


@router.post("/{issue_id}/close", status_code=201)
def close(issue_id: str, body: CloseBody, tracker: TrackerDep, by: WriterDep) -> dict[str, Any]:
    return tracker.close(issue_id, body.reason, by=by)


@router.post("/{issue_id}/reopen", status_code=201)
def reopen(issue_id: str, body: ReopenBody, tracker: TrackerDep, by: WriterDep) -> dict[str, Any]:
    return tracker.reopen(issue_id, body.reason, by=by)


@router.post("/{issue_id}/update", status_code=201)
def update(issue_id: str, body: UpdateBody, tracker: TrackerDep, by: WriterDep) -> dict[str, Any]:
    change = {key: value for key, value in body.model_dump().items() if value is not None}
    return tracker.update(issue_id, change, by=by)


@router.post("/{issue_id}/dependencies", status_code=201)
def link(issue_id: str, body: DependencyBody, tracker: TrackerDep, by: WriterDep) -> dict[str, str]:
    return tracker.link(issue_id, body.on, body.type, by=by).as_dict()


@router.post("/{issue_id}/dependencies/remove", status_code=201)
def unlink(
    issue_id: str, body: NoDependencyBody, tracker: TrackerDep, by: WriterDep
) -> dict[str, str]:
    return tracker.unlink(issue_id, body.on, body.type, by=by).as_dict()
