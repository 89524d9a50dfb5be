"""Follow-ups of missions become issues: each exactly once, whatever is killed or missing (the outbox).

The issue carries the follow-up's id as its external reference. Before one is opened it is looked for, so
that a worker killed after the write and before the note finds what the killed one made.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from aicp.errors import AicpError, Conflict, DatabaseDown
from aicp.issues.book import Book
from aicp.issues.delete import tombstone
from aicp.issues.errors import BadInput as NoEdge
from aicp.issues.errors import Conflict as Unclear
from aicp.issues.errors import NotFound as NoIssue
from aicp.issues.jsontext import loads
from aicp.kernel.db import NOBODY, Actor
from aicp.missions import followups
from aicp.missions.followups import FollowUp
from aicp.missions.services import Services
from aicp.telemetry.redaction import redact
from aicp.tracker import Tracker, ours


def reactions(services: Services, tracker: Tracker) -> dict[str, Callable[..., None]]:
    """The queue's handlers by task name."""

    def followup(tenant_id: str, followup_id: str) -> None:
        run(services, tracker, UUID(tenant_id), followup_id)

    return {followups.TASK: followup}


def run(services: Services, tracker: Tracker, tenant_id: UUID, followup_id: str) -> None:
    """Open the issue of a follow-up; while the graph cannot be written, the row waits and says why.

    Raises:
        Conflict: another worker is at it; the queue tries again.
    """
    looking = Actor(tenant_id, NOBODY)
    with services.db.lease(f"followup:{followup_id}") as held:
        if not held:
            raise Conflict(f"another worker opens the issue of {followup_id}")
        with services.db.transaction(looking) as conn:
            row = followups.get(conn, followup_id)
        if row.status == "created":
            return
        try:
            issue_id = open_issue(tracker, row)
        except DatabaseDown:
            raise
        except AicpError as error:
            with services.db.transaction(looking) as conn:
                followups.failed(conn, row, error.message, at=services.clock())
            return
        with services.db.transaction(looking) as conn:
            followups.opened(conn, row, issue_id, at=services.clock())


def open_issue(tracker: Tracker, row: FollowUp) -> str:
    """The id of the issue of a follow-up, linked and with its evidence; nothing is done twice.

    Raises:
        AicpError: the graph is missing, damaged or locked; what was done so far is found next time.
    """
    with ours():
        book, ref = tracker.book(), reference(row)
        issue_id = find(book, ref) or str(
            book.create(
                redact(row.task), priority=row.priority, labels=[*row.labels, "mission"],
                description=f"Follow-up of mission {row.mission_id}.", external_ref=ref, by=row.by,
            )["id"]
        )  # fmt: skip
        if tombstone(book.snapshot(), issue_id):
            return issue_id  # somebody has deleted it meanwhile, and that is the end of it
        note = _link(book, issue_id, row)
        said = book.snapshot().record(issue_id).get("comments", [])
        if not any(ref in str(comment.get("text")) for comment in said):
            book.comment(issue_id, redact(evidence(row) + note), by=row.by)
        return issue_id


def reference(row: FollowUp) -> str:
    """How the issue names the follow-up it was opened for."""
    return f"aicp:{row.mission_id}:{row.id}"


def evidence(row: FollowUp) -> str:
    """The comment that ties the issue to what proves the mission."""
    sealed = f"evidence manifest {row.manifest}" if row.manifest else "no evidence is sealed yet"
    return f"{reference(row)}: {sealed}"


def find(book: Book, ref: str) -> str:
    """The issue with that external reference, "" when there is none; one that was deleted counts."""
    wanted = ref.encode()
    lines = (line for line in book.snapshot().data.splitlines() if wanted in line)
    values = (loads(line.decode()) for line in lines)
    return next((str(v["id"]) for v in values if v.get("external_ref") == ref), "")


def _link(book: Book, issue_id: str, row: FollowUp) -> str:
    """Discovered from the mission's own issue; a mission whose issue is not there gets it all the same.

    Returns:
        What to say of it: "" when there is nothing to say.
    """
    if not row.mission_issue:
        return ""
    try:
        book.link(issue_id, row.mission_issue, "discovered-from", by=row.by)
    except (NoIssue, Unclear, NoEdge) as error:
        book.snapshot().record(issue_id)  # it is the mission's issue that is at fault, not this one
        return f"; not linked to {row.mission_issue}, the mission's issue: {error.message}"
    return ""
