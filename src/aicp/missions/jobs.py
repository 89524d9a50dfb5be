"""The jobs a worker runs for missions: one at a time for a mission, whoever else lives or died."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from structlog.contextvars import bound_contextvars

from aicp.errors import AicpError, Conflict, DatabaseDown
from aicp.kernel.db import NOBODY, Actor
from aicp.missions import (
    connecting,
    consent,
    define,
    disconnect,
    execute,
    expiry,
    flow,
    grants,
    plan,
    prepare,
    reflect,
    release,
    store,
    take_back,
)
from aicp.missions.lifecycle import Stage
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.telemetry.logs import log
from aicp.telemetry.record import record
from aicp.telemetry.redaction import without_secrets

STAGE_JOBS: dict[Stage, Callable[[Services, Mission], None]] = {
    "Define": define.run,
    "Prepare": prepare.run,
    "Plan": plan.run,
    "Execute": execute.run,
    "Reflect": reflect.run,
}


def tasks(services: Services) -> dict[str, Callable[..., None]]:
    """The queue's handlers by task name."""

    def stage(tenant_id: str, mission_id: str, stage: Stage) -> None:
        _alone(services, tenant_id, mission_id, lambda mission: _stage(services, mission, stage))

    def undo_run(tenant_id: str, mission_id: str, undo_id: str) -> None:
        _alone(services, tenant_id, mission_id, lambda mission: _undo(services, mission, undo_id))

    def release_hold(tenant_id: str, mission_id: str, seq: int) -> None:
        _alone(services, tenant_id, mission_id, lambda mission: _release(services, mission, seq))

    def approval(tenant_id: str, mission_id: str, approval_id: str, phase: str) -> None:
        _alone(
            services, tenant_id, mission_id,
            lambda mission: expiry.run(services, mission, approval_id, phase),
        )  # fmt: skip

    def connect(tenant_id: str, mission_id: str, consent_id: str) -> None:
        _alone(services, tenant_id, mission_id, lambda m: connecting.start(services, m, consent_id))

    def link(tenant_id: str, mission_id: str, link_id: str) -> None:
        _alone(services, tenant_id, mission_id, lambda m: connecting.look(services, m, link_id))

    def revoke(tenant_id: str, mission_id: str, account: str) -> None:
        _alone(services, tenant_id, mission_id, lambda m: disconnect.run(services, m, account))

    return {
        consent.TASK: connect,
        connecting.TASK: link,
        grants.TASK: revoke,
        expiry.TASK: approval,
        "mission.stage": stage,
        "mission.undo": undo_run,
        "mission.release": release_hold,
    }


def _alone(
    services: Services, tenant_id: str, mission_id: str, work: Callable[[Mission], None]
) -> None:
    """Run with the mission to itself: a worker thought dead may still hold it, and then we wait.

    Raises:
        Conflict: another worker holds the mission; the queue tries again.
    """
    looking = Actor(UUID(tenant_id), NOBODY)
    with services.db.lease(f"mission:{mission_id}") as held:
        if not held:
            raise Conflict(f"another worker still holds mission {mission_id}")
        with services.db.transaction(looking) as conn:
            mission = store.get(conn, mission_id)
        with bound_contextvars(bd_issue=mission.bd_issue or None):
            work(mission)


def _stage(services: Services, mission: Mission, stage: Stage) -> None:
    """Run a stage's job; what a person can mend blocks the mission, the database's absence retries."""
    if mission.current_stage != stage:
        return
    try:
        STAGE_JOBS[stage](services, mission)
    except DatabaseDown:
        raise
    except AicpError as error:
        _block(services, mission, error)
    except Exception as error:  # noqa: BLE001  a stage that fails must say so on its mission
        _block(services, mission, _internal(mission, stage, "resume", error))


def _undo(services: Services, mission: Mission, undo_id: str) -> None:
    """Run an undo; one that breaks is closed as stopped, and says how far it came."""
    try:
        take_back.run(services, mission, undo_id)
    except DatabaseDown:
        raise
    except Exception as error:  # noqa: BLE001  an undo that fails must say so on its mission
        why = _internal(mission, "The undo", "undo", error)
        take_back.give_up(services, mission, undo_id, f"{why.message} ({why.hint})")


def _release(services: Services, mission: Mission, seq: int) -> None:
    """Release one hold; one that breaks keeps the mail here and pauses the mission."""
    try:
        release.run(services, mission, seq)
    except DatabaseDown:
        raise
    except Exception as error:  # noqa: BLE001  a release that fails must say so on its mission
        why = _internal(mission, f"The release of step {seq}", "resume", error)
        release.give_up(services, mission, seq, f"{why.message} ({why.hint})")


def _internal(mission: Mission, what: str, verb: str, error: Exception) -> AicpError:
    """What a person is told; an error of ours has its own words, any other only its name and an id."""
    log.exception(
        "job_failed", mission_id=mission.id, correlation_id=mission.correlation_id, what=what
    )
    if isinstance(error, AicpError):
        return error
    return AicpError(
        f"{what} failed on an internal error ({type(error).__name__}); its log line has the id {mission.correlation_id}",
        hint=f"try again with `aicp mission {verb}`; report it with that id if it stays",
    )


def _block(services: Services, mission: Mission, error: AicpError) -> None:
    actor = mission.agent("coordinator")
    reason = without_secrets(f"{error.message}{f' ({error.hint})' if error.hint else ''}")
    known = ("needs_data", "needs_auth")
    readiness = error.reason_code if error.reason_code in known else "blocked"
    with services.db.transaction(actor) as conn:
        current = store.get(conn, mission.id, lock=True)
        flow.block(
            conn, actor, current, reason=reason, readiness=readiness, code=error.reason_code,
            at=services.clock(),
        )  # fmt: skip
        if current.run_state == "running":
            record(
                conn, actor, "execution_failed", {"reason": error.reason_code}, at=services.clock(),
                mission_id=mission.id, correlation_id=mission.correlation_id, stage="Execute",
                status="error",
            )  # fmt: skip
