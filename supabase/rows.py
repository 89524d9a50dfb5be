"""The rows of the database. Made from supabase/migrations/0001_init.sql by `make schema`; do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ApprovalDecisions:
    tenant_id: UUID
    approval_id: str
    person_id: UUID
    capacity: Literal['owner', 'governance', 'lead']
    decision: Literal['approved', 'rejected']
    digest: str
    rationale: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class ApprovalDelegations:
    tenant_id: UUID
    approval_id: str
    capacity: Literal['owner', 'governance', 'lead']
    from_person: UUID
    to_person: UUID
    reason: str
    delegated_at: datetime


@dataclass(frozen=True, slots=True)
class Approvals:
    id: str
    number: int
    tenant_id: UUID
    mission_id: str
    digest: str
    risk: Literal['low', 'medium_low', 'medium', 'high', 'critical']
    required: list[str]
    status: Literal['requested', 'approved', 'rejected', 'expired', 'voided']
    status_reason: str
    requested_by: UUID
    requested_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    consumed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Artifacts:
    id: str
    tenant_id: UUID
    mission_id: str
    name: str
    media_type: str
    sha256: str
    size_bytes: int
    stage: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AuditLog:
    tenant_id: UUID
    subject: str
    seq: int
    entry: str
    hash: str


@dataclass(frozen=True, slots=True)
class Breakers:
    tenant_id: UUID
    toolkit: str
    failed: int
    resume_at: datetime | None
    probe: str
    probe_until: datetime | None


@dataclass(frozen=True, slots=True)
class Bundles:
    manifest_sha256: str
    tenant_id: UUID
    mission_id: str
    number: int
    occasion: Literal['execution', 'release', 'undo']
    artifact_count: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ConnectLinks:
    id: str
    number: int
    tenant_id: UUID
    mission_id: str
    account: str
    consent_id: str
    url: str
    ref: str
    requested_scopes: list[str]
    granted_scopes: list[str]
    status: Literal['initiated', 'approved', 'expired', 'revoked', 'failed']
    why: str
    created_at: datetime
    expires_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Connections:
    tenant_id: UUID
    mission_id: str
    toolkit: str
    account: str
    provider: str
    config: Any
    auth: Literal['none', 'needed', 'linking', 'active', 'expired', 'revoked', 'failed']
    wanted_scopes: Any
    auth_ref: str
    failed_scopes: list[str]
    resource: Any
    problem: str
    requested_scopes: list[str]
    granted_scopes: list[str]
    used_scopes: list[str]
    inspected_at: datetime | None


@dataclass(frozen=True, slots=True)
class Consents:
    id: str
    tenant_id: UUID
    mission_id: str
    account: str
    scopes: list[str]
    person_id: UUID
    given_at: datetime
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Credentials:
    secret_sha256: str
    tenant_id: UUID
    person_id: UUID
    kind: Literal['token', 'session', 'link', 'agent']
    mission_id: str | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Feedback:
    tenant_id: UUID
    mission_id: str
    person_id: UUID
    rating: int
    effort_saved_hours: Decimal | None
    notes: str
    given_at: datetime


@dataclass(frozen=True, slots=True)
class Findings:
    id: int
    tenant_id: UUID
    mission_id: str
    rule: str
    message: str
    facts: Any
    found_at: datetime


@dataclass(frozen=True, slots=True)
class Followups:
    id: str
    tenant_id: UUID
    mission_id: str
    task: str
    priority: int
    labels: list[str]
    requested_by: UUID
    status: Literal['waiting', 'created']
    bd_issue: str | None
    attempts: int
    problem: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Holds:
    tenant_id: UUID
    mission_id: str
    seq: int
    due_at: datetime
    state: Literal['held', 'released', 'cancelled', 'unknown']
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Inspections:
    tenant_id: UUID
    mission_id: str
    read_id: str
    account: str
    tool: str
    args: Any
    purpose: str
    result: Any
    row_count: int
    data_version: str
    read_at: datetime


@dataclass(frozen=True, slots=True)
class KillSwitches:
    id: str
    number: int
    tenant_id: UUID
    scope: Literal['mission', 'toolkit', 'tenant', 'system']
    mission_id: str | None
    toolkit: str
    reason: str
    pulled_by: UUID
    pulled_at: datetime
    lifted_by: UUID | None
    lifted_at: datetime | None
    lift_reason: str


@dataclass(frozen=True, slots=True)
class MissionStages:
    tenant_id: UUID
    mission_id: str
    stage: Literal['Home', 'Define', 'Prepare', 'Plan', 'Approve', 'Execute', 'Reflect']
    status: Literal['pending', 'in_progress', 'ready', 'blocked', 'completed']
    blocking_reason: str
    output: Any
    started_at: datetime | None
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Missions:
    id: str
    tenant_id: UUID
    title: str
    intent: str
    owner_id: UUID
    status: Literal['draft', 'in_progress', 'ready', 'blocked', 'completed', 'archived']
    current_stage: Literal['Home', 'Define', 'Prepare', 'Plan', 'Approve', 'Execute', 'Reflect']
    readiness: Literal['unknown', 'needs_auth', 'needs_data', 'blocked', 'degraded', 'ready']
    run_state: Literal['idle', 'running', 'paused', 'stopped', 'failed', 'held', 'finished', 'undoing', 'undone', 'undone_partly', 'undo_stopped']
    blocking_reason: str
    priority: int
    correlation_id: str
    bd_issue: str
    brain: str
    brief: Any
    brief_version: int
    brief_locked_at: datetime | None
    coverage_percent: Decimal | None
    plan_digest: str | None
    cursor_seq: int
    step_count: int
    undo_until: datetime | None
    stumbles: int
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    driver: Literal['self', 'agent']
    offered: Any
    tightenings: int


@dataclass(frozen=True, slots=True)
class NamedValues:
    tenant_id: UUID
    mission_id: str
    value_digest: str
    value: str
    person_id: UUID
    named_at: datetime


@dataclass(frozen=True, slots=True)
class People:
    id: UUID
    tenant_id: UUID
    email: str
    display_name: str
    roles: list[str]
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Plans:
    digest: str
    tenant_id: UUID
    mission_id: str
    plan: Any
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PlayPrecedents:
    tenant_id: UUID | None
    play_id: str | None
    finished: int | None
    rating: float | None


@dataclass(frozen=True, slots=True)
class Plays:
    tenant_id: UUID
    mission_id: str
    rank: int
    play: Any
    rehearsal: Any
    selected_at: datetime | None


@dataclass(frozen=True, slots=True)
class SafeguardAcks:
    tenant_id: UUID
    mission_id: str
    brief_version: int
    person_id: UUID
    capacity: Literal['owner', 'governance']
    acknowledged_at: datetime


@dataclass(frozen=True, slots=True)
class Secrets:
    id: str
    tenant_id: UUID
    name: str
    sealed: bytes | None
    fingerprint: str
    created_at: datetime
    destroyed_at: datetime | None


@dataclass(frozen=True, slots=True)
class TelemetryEvents:
    id: int
    tenant_id: UUID
    event_id: UUID
    mission_id: str | None
    event_type: str
    stage: str
    status: Literal['info', 'success', 'warning', 'error']
    toolkit: str
    duration_ms: float | None
    context: Any
    payload_sha: str
    person_id: UUID | None
    agent_name: str
    correlation_id: str
    trace_id: str
    span_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TelemetryLogs:
    tenant_id: UUID
    log_id: UUID
    severity: int
    severity_text: str
    event_name: str
    service: str
    body: Any
    trace_id: str
    span_id: str
    mission_id: str
    correlation_id: str
    attributes: Any
    resource: Any
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TelemetryRollup1h:
    tenant_id: UUID
    bucket: datetime
    event_type: str
    toolkit: str
    stage: str
    status: str
    value_bucket: int
    n: int
    sum_ms: float


@dataclass(frozen=True, slots=True)
class TelemetryRollup5m:
    tenant_id: UUID
    bucket: datetime
    event_type: str
    toolkit: str
    stage: str
    status: str
    value_bucket: int
    n: int
    sum_ms: float


@dataclass(frozen=True, slots=True)
class TelemetrySpans:
    tenant_id: UUID
    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: Literal['internal', 'server', 'client', 'producer', 'consumer', 'unspecified']
    service: str
    status: Literal['unset', 'ok', 'error']
    duration_ms: float
    mission_id: str
    correlation_id: str
    attributes: Any
    events: Any
    links: Any
    resource: Any
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Tenants:
    id: UUID
    slug: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Tightenings:
    number: int
    tenant_id: UUID
    mission_id: str
    approval_id: str
    safeguard_id: str
    guard: Any
    reason: str
    person_id: UUID
    tightened_at: datetime


@dataclass(frozen=True, slots=True)
class ToolCalls:
    id: int
    tenant_id: UUID
    mission_id: str
    seq: int
    purpose: Literal['step', 'release', 'read']
    key: str
    tool: str
    account: str
    args: Any
    args_digest: str
    mutates: bool
    approval_id: str | None
    before: Any
    state: Literal['intent', 'done', 'failed', 'unknown']
    outcome: Any
    verdicts: Any
    error: str
    reconciled: bool
    worker: str
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ToolDeclarations:
    tenant_id: UUID
    ref: str
    name: str
    spec: Any
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class UndoRuns:
    id: str
    number: int
    tenant_id: UUID
    mission_id: str
    reason: str
    requested_by: UUID
    to_step: int
    dry_run: bool
    state: Literal['running', 'done', 'stopped']
    requested_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class UndoSteps:
    tenant_id: UUID
    undo_id: str
    seq: int
    status: Literal['restored', 'already', 'conflict', 'impossible', 'failed']
    difference: Any
    residue: str
    why: str
    undone_at: datetime
