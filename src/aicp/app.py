"""The composition root: the only place that decides which parts a process is made of."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from aicp.brain.models import pick
from aicp.errors import AicpError, BadInput
from aicp.evidence.stores.base import EvidenceStore
from aicp.evidence.stores.local import LocalEvidence
from aicp.evidence.stores.s3 import Bucket, S3Evidence
from aicp.kernel import postgres
from aicp.kernel.clock import Clock, system_clock
from aicp.kernel.db import Actor, Connection, Database
from aicp.kernel.vault import Vault, key_from
from aicp.missions.services import Services
from aicp.schema.apply import apply
from aicp.schema.standing import Watch
from aicp.settings import Settings
from aicp.telemetry import redaction
from aicp.telemetry.catalogue import declare
from aicp.telemetry.record import record
from aicp.telemetry.trail import seals
from aicp.trust import journal
from aicp.trust.limits import Limits, quotas
from aicp.trust.rulebook import RuleBook


@dataclass(frozen=True)
class App:
    """A running part of the product: settings, database and what the missions need."""

    settings: Settings
    db: Database
    services: Services
    clock: Clock
    schema: Watch

    @contextmanager
    def transaction(self, actor: Actor) -> Iterator[Connection]:
        """The edge's one transaction. A refusal rolls it back and is recorded on its own."""
        try:
            with self.db.transaction(actor) as conn:
                yield conn
        except AicpError as error:
            if error.finding:
                self._record_refusal(actor, error)
            raise

    def _record_refusal(self, actor: Actor, error: AicpError) -> None:
        mission_id, rule = error.finding or ("", "")
        at = self.clock()
        with self.db.transaction(actor) as conn:
            journal.find(
                conn, actor, mission_id, rule=rule, message=error.message,
                facts={"by": str(actor.person_id), "exit_code": error.exit_code}, at=at,
            )  # fmt: skip
            record(
                conn, actor, "approval_refused", {"rule": rule}, at=at, mission_id=mission_id,
                stage="", status="warning",
            )  # fmt: skip

    @cached_property
    def audit_key(self) -> seals.Key:
        """What seals of the audit trail are signed with; made once when the setting is empty."""
        settings = self.settings
        file = settings.data_dir / "audit.key"
        return seals.key_of(key_from(settings.audit_key, file, name="AICP_AUDIT_KEY"))

    def seal(self) -> int:
        """Seal the audit trail into the data folder; returns how many chains went on (OP-5)."""
        folder = self.settings.data_dir / "audit"
        return seals.seal(self.db, self.audit_key, folder, at=self.clock())

    def close(self) -> None:
        self.db.close()


def database_url(settings: Settings) -> str:
    """Where the data is: DATABASE_URL, or the embedded server, started and given its schema."""
    if settings.database_url:
        return settings.database_url
    cluster = postgres.start(settings.data_dir)
    apply(cluster.owner_url, password=cluster.app_password)
    return cluster.url


def build(
    settings: Settings, *, name: str, url: str | None = None, clock: Clock = system_clock
) -> App:
    """Put a process together.

    Args:
        name: what it is: "server", "worker", "cli".
        url: the database, when it is already known to run.
    """
    redacts(settings)
    direct = settings.direct  # refused before anything is started, when there is none
    db = Database(
        url or database_url(settings), name=name, prepares=settings.prepares, direct=direct
    )
    services = Services(
        db=db,
        clock=clock,
        evidence=_evidence(settings),
        work_dir=settings.data_dir / "work",
        roots=settings.roots,
        private=settings.data_dir,
        rulebook=RuleBook(settings.policies_dir, named=bool(settings.policies)),
        model=_model(settings),
        hold_seconds=settings.integer("hold_seconds"),
        approval_hours=settings.integer("approval_hours"),
        providers=settings.own_providers,
        limits=_limits(settings),
        toolkits={
            "mcp_file": str(settings.mcp_file),
            "composio_url": settings.composio_url,
        },
        vault=Vault(db, key_from(settings.secret_key, settings.data_dir / "secret.key")),
        worker=f"{socket.gethostname()}:{os.getpid()}",
    )
    services.work_dir.mkdir(parents=True, exist_ok=True)
    return App(settings, db, services, clock, Watch(clock))


def redacts(settings: Settings) -> None:
    """Give redaction its key, its countries, and what it does with free text.

    Raises:
        BadInput: a setting is of another form.
    """
    declare()
    redaction.configure(
        key=key_from(
            settings.redaction_key, settings.redaction_key_file, name="AICP_REDACTION_KEY"
        ),
        regions=settings.regions,
        content=settings.keeps_content,
    )


def _evidence(settings: Settings) -> EvidenceStore:
    """The bucket of AICP_EVIDENCE_URL, or a folder.

    Raises:
        BadInput: the URL names no bucket.
    """
    if not settings.evidence_url:
        return LocalEvidence(settings.data_dir / "evidence")
    return S3Evidence(
        Bucket(
            settings.evidence_url, settings.evidence_endpoint, settings.evidence_region,
            settings.evidence_key_id, settings.evidence_secret,
        )
    )  # fmt: skip


def _limits(settings: Settings) -> Limits:
    """The limits on calls to toolkits.

    Raises:
        BadInput: AICP_QUOTAS or AICP_COOLDOWN_SECONDS is of another form.
    """
    try:
        usual, own = quotas(settings.quotas)
    except ValueError:
        raise BadInput(
            f"AICP_QUOTAS is '{settings.quotas}', which is not a list of quotas",
            hint='set AICP_QUOTAS="60, gmail=100, crm=20/5", say',
        ) from None
    return Limits(usual, own, timedelta(seconds=settings.integer("cooldown_seconds")))


def _model(settings: Settings) -> str:
    """Which model the agents use; a key that came from a file reaches the SDK by its own name."""
    if settings.google_api_key:
        os.environ.setdefault("GOOGLE_API_KEY", settings.google_api_key)
    return pick(google_api_key=settings.google_api_key, model=settings.model)
