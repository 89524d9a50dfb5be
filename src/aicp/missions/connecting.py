"""The Inspector's jobs: start a Connect Link after a consent, and see what becomes of it (TR-2 to TR-5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from aicp.kernel.db import Actor, Connection
from aicp.kernel.ids import new_id
from aicp.kernel.jobs import enqueue
from aicp.missions import flow, reauthorise, store
from aicp.missions.consent import LASTS, may_connect, open_link
from aicp.missions.opening import open_one
from aicp.missions.services import Services
from aicp.missions.store import ConnectionRow, Mission
from aicp.telemetry.record import record
from aicp.toolkits.providers.base import Grant, NeedsConsent, Probe, ProviderError
from aicp.trust import journal

TASK = "mission.link"
LOOK = timedelta(seconds=2)  # between two looks at an open link


@dataclass(frozen=True, slots=True)
class OpenLink:
    """A link that nobody has answered yet."""

    id: str
    account: str
    ref: str
    requested_scopes: list[str]
    expires_at: datetime


def start(services: Services, mission: Mission, consent_id: str) -> None:
    """The job of a consent: use it up, then ask the other side for a link.

    Killed in between, the consent is gone and no link exists: the person is asked once more.
    """
    actor, at = mission.agent("inspector"), services.clock()
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission.id, lock=True)
        used = conn.execute(
            "update consents set used_at = %s where id = %s and used_at is null and expires_at > %s"
            " returning account, scopes",
            (at, consent_id, at),
        ).fetchone()
        if used is None:
            return
        account, scopes = str(used[0]), [str(s) for s in used[1]]  # type: ignore[union-attr]
        if open_link(conn, mission.id, account):
            return  # two consents at once: the first has its link
        row = _row(conn, mission, account)
        if not may_connect(mission, row) or sorted(row.wanted_scopes) != scopes:
            _find(conn, actor, mission, "TR-2", f"a consent for {account} came too late", at)
            return
    try:
        provider = open_one(services, row, actor)
        if not isinstance(provider, NeedsConsent):
            raise ProviderError(f"{account} needs no sign-in")  # noqa: TRY301 (told like any other)
        link = provider.start_link(
            tuple(scopes), metadata={"mission": mission.id, "tenant": str(mission.tenant_id)}
        )
    except ProviderError as error:
        _failed(services, mission, actor, row, f"{error.message} {error.hint}".strip())
        return
    expires = min(link.expires_at, at + LASTS)
    with services.db.transaction(actor) as conn:
        link_id = new_id("l")
        conn.execute(
            "insert into connect_links (id, tenant_id, mission_id, account, consent_id, url, ref,"
            " requested_scopes, status, created_at, expires_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, 'initiated', %s, %s)",
            (link_id, mission.tenant_id, mission.id, account, consent_id, link.url, link.ref, scopes,
             at, expires),
        )  # fmt: skip
        _auth(conn, mission, account, "linking", ref=link.ref)
        _told(conn, actor, mission, row, link_id, "initiated", scopes, at)
        _look_again(conn, mission, link_id, at + LOOK)


def look(services: Services, mission: Mission, link_id: str) -> None:
    """The job of an open link: approved, refused, expired, or look again in a moment."""
    actor, at = mission.agent("inspector"), services.clock()
    with services.db.transaction(actor) as conn:
        link = (
            conn.cursor(row_factory=class_row(OpenLink))
            .execute(
                "select id, account, ref, requested_scopes, expires_at from connect_links"
                " where id = %s and status = 'initiated'",
                (link_id,),
            )
            .fetchone()
        )
        row = _row(conn, mission, link.account) if link else None
    if link is None or row is None:
        return
    try:
        provider = open_one(services, row, actor)
        assert isinstance(provider, NeedsConsent)  # noqa: S101 (it started this link)
        grant = provider.grant(link.ref)
        probe = provider.probe(link.ref) if grant.state == "approved" else Probe()
    except ProviderError as error:
        grant, probe = Grant("initiated", why=error.message), Probe()
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission.id, lock=True)
        if grant.state == "initiated" and at < link.expires_at:
            _look_again(conn, mission, link.id, at + LOOK)
            return
        if grant.state == "initiated":
            grant = Grant("expired", why="nobody signed in within 30 minutes")
        _settle(conn, actor, mission, row, link, grant, probe, at)


def _settle(
    conn: Connection, actor: Actor, mission: Mission, row: ConnectionRow, link: OpenLink, grant: Grant,
    probe: Probe, at: datetime,
) -> None:  # fmt: skip
    """Write down what became of a link; an approved one lets the mission go on."""
    conn.execute(
        "update connect_links set status = %s, why = %s, granted_scopes = %s, settled_at = %s where id = %s",
        (grant.state, grant.why[:300], sorted(grant.scopes), at, link.id),
    )
    _told(conn, actor, mission, row, link.id, grant.state, link.requested_scopes, at)
    if grant.state != "approved":
        _auth(conn, mission, row.account, "failed" if grant.state == "failed" else "needed")
        why = grant.why or f"the link is {grant.state}"
        _block(conn, mission, f"{row.account} was not connected: {why}", at)
        return
    conn.execute(
        "update connections set auth = 'active', granted_scopes = %s, failed_scopes = %s"
        " where mission_id = %s and account = %s",
        (sorted(grant.scopes), sorted(probe.fails), mission.id, row.account),
    )
    _compare(conn, actor, mission, row, link, grant, probe, at)
    if mission.run_state == "undo_stopped":
        store.change(
            conn, mission.id, at, readiness="ready",
            blocking_reason="signed in again; undo again to take back what is left",
        )  # fmt: skip
        return
    if mission.current_stage == "Execute":
        reauthorise.ask_again(conn, mission, at=at)
        return
    store.mark_stage(conn, mission.id, "Prepare", "in_progress", at=at)
    store.change(
        conn, mission.id, at, status="in_progress", blocking_reason="", readiness="unknown"
    )
    flow.enqueue_stage(conn, mission, "Prepare")


def _compare(
    conn: Connection, actor: Actor, mission: Mission, row: ConnectionRow, link: OpenLink, grant: Grant,
    probe: Probe, at: datetime,
) -> None:  # fmt: skip
    """Requested against granted against what really works (TR-5): every difference is a finding."""
    asked, given = set(link.requested_scopes), set(grant.scopes)
    record(
        conn, actor, "validator_scope_check",
        {"required": sorted(asked), "granted": sorted(given), "missing": sorted(asked - given),
         "alignment_status": "missing" if asked - given else "broader" if given - asked else "aligned"},
        at=at, mission_id=mission.id, correlation_id=mission.correlation_id, stage="Prepare",
        status="warning" if asked != given else "success",
    )  # fmt: skip
    for rule, scopes, what in (
        ("scope-missing", asked - given, "was asked for and not granted"),
        ("least-privilege", given - asked, "was granted although nobody asked for it"),
        ("scope-probe", set(probe.fails), "was granted, yet it does not work"),
    ):
        if scopes:
            _find(
                conn, actor, mission, rule, f"{row.account}: {', '.join(sorted(scopes))} {what}", at
            )


def _failed(
    services: Services, mission: Mission, actor: Actor, row: ConnectionRow, why: str
) -> None:
    at = services.clock()
    with services.db.transaction(actor) as conn:
        mission = store.get(conn, mission.id, lock=True)
        _auth(conn, mission, row.account, "failed")
        _told(conn, actor, mission, row, "", "failed", sorted(row.wanted_scopes), at)
        _block(conn, mission, f"{row.account} was not connected: {why}", at)


def _block(conn: Connection, mission: Mission, why: str, at: datetime) -> None:
    store.change(
        conn, mission.id, at, status="blocked", readiness="needs_auth",
        blocking_reason=f"{why} (ask again with `aicp mission connect {mission.id}`)",
    )  # fmt: skip


def _auth(conn: Connection, mission: Mission, account: str, auth: str, *, ref: str = "") -> None:
    conn.execute(
        "update connections set auth = %s, auth_ref = case when %s = '' then auth_ref else %s end"
        " where mission_id = %s and account = %s",
        (auth, ref, ref, mission.id, account),
    )


def _row(conn: Connection, mission: Mission, account: str) -> ConnectionRow:
    return next(row for row in store.connections(conn, mission.id) if row.account == account)


def _look_again(conn: Connection, mission: Mission, link_id: str, due: datetime) -> None:
    enqueue(
        conn, TASK,
        {"tenant_id": str(mission.tenant_id), "mission_id": mission.id, "link_id": link_id},
        lock=flow.lock_name(mission.id), unique=f"{link_id}:look", at=due, priority=5,
    )  # fmt: skip


def _told(
    conn: Connection, actor: Actor, mission: Mission, row: ConnectionRow, link_id: str, status: str,
    scopes: list[str], at: datetime,
) -> None:  # fmt: skip
    record(
        conn, actor, "composio_auth_flow",
        {"toolkit": row.toolkit, "status": status, "scopes_requested": scopes, "connect_link_id": link_id},
        at=at, mission_id=mission.id,
        correlation_id=mission.correlation_id, stage=mission.current_stage,
        status="success" if status == "approved" else "info" if status == "initiated" else "warning",
    )  # fmt: skip


def _find(
    conn: Connection, actor: Actor, mission: Mission, rule: str, why: str, at: datetime
) -> None:
    journal.find(conn, actor, mission.id, rule=rule, message=why, facts={}, at=at)
