"""The audit trail over JSON: records with their hashes, and the seals that know them (OP-1)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from aicp.errors import Forbidden
from aicp.kernel.db import Actor, Connection
from aicp.missions import store as missions
from aicp.telemetry.trail import seals, store
from aicp.web import ActorDep, AppDep

router = APIRouter(prefix="/api/audit", tags=["audit"])
MAY_READ = frozenset({"governance", "security_lead", "admin", "oncall", "analytics"})
MAY_SEAL = frozenset({"governance", "security_lead", "admin"})


@router.get("")
def trail(
    app: AppDep, actor: ActorDep, mission: str = "", after_chain: str = "", after_seq: int = 0
) -> dict[str, Any]:
    """A page of the records of the asker's tenant, or of one mission's chain; `next` is where the next
    one begins, null at the end. The seals and the public key come with the first page."""
    first = not after_chain
    with app.db.service() as conn:  # before the records: a seal knows nothing that comes after it
        sealed = [asdict(one) for one in store.seals(conn)] if first else []
    with app.transaction(actor) as conn:
        subject = _allowed(conn, actor, mission)
        page = store.entries(conn, subject, after=(after_chain, after_seq))
    last = page[-1] if len(page) == store.PAGE else None
    return {
        "tenant_id": str(actor.tenant_id), "entries": [asdict(one) for one in page], "seals": sealed,
        "key": seals.public(app.audit_key),
        "next": {"after_chain": last.subject, "after_seq": last.seq} if last else None,
    }  # fmt: skip


@router.post("/seals", status_code=201)
def seal(app: AppDep, actor: ActorDep) -> dict[str, int]:
    """Seal what was recorded since the last seal; `chains` is how many went on."""
    if not MAY_SEAL & set(actor.roles):
        raise Forbidden(
            "only governance, the security lead and administrators seal the audit trail"
        )
    return {"chains": app.seal()}


def _allowed(conn: Connection, actor: Actor, mission: str) -> str:
    """The chain that is asked for, when this person may read it; an owner reads their mission's.

    Raises:
        Forbidden: they may not.
        NotFound: there is no such mission.
    """
    subject = missions.get(conn, mission).id if mission else ""
    own = bool(subject) and missions.get(conn, subject).owner_id == actor.person_id
    if not own and not MAY_READ & set(actor.roles):
        raise Forbidden(
            "the audit trail is for governance, security, on-call, analytics and administrators",
            hint="ask one of them, or name a mission of yours",
        )
    return subject
