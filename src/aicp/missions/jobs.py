"""The jobs a worker runs for missions: one at a time for a mission, whoever else lives or died."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from structlog.contextvars import bound_contextvars

from aicp.errors import AicpError, Conflict, DatabaseDown
from aicp.kernel.db import Actor
from aicp.missions import define, execute, flow, plan, prepare, reflect, release, store, undo
from aicp.missions.lifecycle import Stage
from aicp.missions.services import Services
from aicp.missions.store import Mission
from aicp.telemetry.logs import log
from aicp.telemetry.record import record

STAGE_JOBS: dict[Stage, Callable[[Services, Mission], None]] = {
    "Define": define.run,
    "Prepare": prepare.run,
    "Plan": plan.run,
    "Execute": execute.run,
    "Reflect": reflect.run,
}
NOBODY = UUID(int=0)


def tasks(services: Services) -> dict[str, Callable[..., None]]:
    """The queue's handlers by task name."""

    def stage(tenant_id: str, mission_id: str, stage: Stage) -> None:
        _alone(services, tenant_id, mission_id, lambda mission: _stage(services, mission, stage))

    def undo_run(tenant_id: str, mission_id: str, undo_id: str) -> None:
        _alone(
            services, tenant_id, mission_id, lambda mission: undo.run(services, mission, undo_id)
        )

    def release_hold(tenant_id: str, mission_id: str, seq: int) -> None:
        _alone(services, tenant_id, mission_id, lambda mission: release.run(services, mission, seq))

    return {"mission.stage": stage, "mission.undo": undo_run, "mission.release": release_hold}


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
        log.exception(
            "stage job failed", mission_id=mission.id, correlation_id=mission.correlation_id
        )
        wrapped = AicpError(
            f"{stage} failed on an internal error ({type(error).__name__}); its log line has the id {mission.correlation_id}",
            hint="try again with `aicp mission resume`; report it with that id if it stays",
        )
        _block(services, mission, wrapped)


def _block(services: Services, mission: Mission, error: AicpError) -> None:
    actor = mission.agent("coordinator")
    reason = f"{error.message}{f' ({error.hint})' if error.hint else ''}"
    readiness = "needs_data" if error.reason_code == "needs_data" else "blocked"
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
