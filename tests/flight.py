"""A flight: one tenant, two people, a sandbox, and a driver that runs the queue's jobs by hand.

The driver is a worker without threads and on a clock that stands still, so tests are exact and fast; real
workers are tested in chaos/ and e2e/.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox

from aicp.app import App, build
from aicp.cli.supervise import free_port
from aicp.kernel.clock import FixedClock
from aicp.kernel.db import Actor
from aicp.missions import approve, define, execute, plan, store, undo, view
from aicp.missions.jobs import tasks
from aicp.missions.sources import Sources
from aicp.people import tenants
from aicp.settings import Settings
from aicp.toolkits.sandbox import create, state_hash
from aicp.tracker import Tracker
from aicp.trust.calls import Run
from aicp.worker.followups import reactions

WIN_BACK = (
    "Win back our 3 best manufacturing accounts (over $50k ARR) that went quiet in Q2; warm advisory"
    " e-mails, no promotion, send only Tue–Thu 9–17 recipient time, skip the do-not-contact list."
)
ANY_TIME = "Win back our 3 best manufacturing accounts (over $50k ARR) that went quiet in Q2."
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # a Monday


def settings_for(folder: Path, **given: str) -> Settings:
    own = {
        "data": str(folder / "data"),
        "file_roots": str(folder),
        "issues_dir": str(folder / "ops"),
    }
    return Settings(**(own | given))


@dataclass
class Flight:
    """Everything a test of missions needs; `app` may be rebuilt after a crash."""

    folder: Path
    url: str
    clock: FixedClock
    people: dict[str, Actor]
    smtp: Controller
    app: App
    owner_url: str = ""
    given: dict[str, str] = field(default_factory=dict)

    @property
    def sandbox(self) -> Path:
        return self.folder / "sandbox"

    def state(self) -> str:
        return state_hash(self.sandbox)

    def delivered(self) -> list[Path]:
        return [p for p in (self.sandbox / "inbox").rglob("*") if p.is_file()]

    def sources(self, **given: Any) -> Sources:
        full = {
            "data": (str(self.sandbox / "accounts.csv"),),
            "smtp": f"127.0.0.1:{self.smtp.port}",
            "sender": "Riley Chen <riley@ourside.example>",
            "mail_folder": str(self.sandbox / "mail"),
            "delivered": str(self.sandbox / "inbox"),
            "calendar": str(self.sandbox / "calendar.ics"),
        }
        return Sources(**(full | given))

    def edit_cell(self, where: str, column: str, value: str) -> bytes:
        """Somebody else edits one cell of the row whose line holds `where`; returns their line."""
        path = self.sandbox / "accounts.csv"
        lines = path.read_bytes().splitlines(keepends=True)
        at = next(n for n, line in enumerate(lines) if where.encode() in line)
        header = next(csv.reader([lines[0].decode()]))
        cells = next(csv.reader([lines[at].decode()]))
        cells[header.index(column)] = value
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerow(cells)
        lines[at] = out.getvalue().encode()
        path.write_bytes(b"".join(lines))
        return lines[at]

    def restart_smtp(self) -> None:
        """The mail server comes back on its old port."""
        inbox = Mailbox(str(self.sandbox / "inbox"))
        self.smtp = Controller(inbox, hostname="127.0.0.1", port=self.smtp.port)
        self.smtp.start()

    # What people do ------------------------------------------------------------------------

    def new(
        self, intent: str = WIN_BACK, *, by: str = "riley", issue: str = "", **given: Any
    ) -> str:
        actor = self.people[by]
        with self.app.transaction(actor) as conn:
            new = define.NewMission(intent, self.sources(**given), issue=issue)
            return define.create(conn, actor, self.app.services, new)

    def ack(self, mission: str, by: str) -> dict[str, Any]:
        with self.app.transaction(self.people[by]) as conn:
            return define.acknowledge(conn, self.people[by], self.app.services, mission)

    def select(self, mission: str, rank: int = 1, by: str = "riley") -> dict[str, Any]:
        with self.app.transaction(self.people[by]) as conn:
            return plan.select(conn, self.people[by], self.app.services, mission, rank)

    def approve(
        self, mission: str, by: str = "riley", digest: str | None = None, *, naming: bool = False
    ) -> dict[str, Any]:
        """Approve what is shown, or another digest; `naming` stands by every value of a stranger."""
        sheet = self.doc(mission)["approval"]
        named = [one["value"] for one in sheet["unnamed"]] if naming else []
        meant = digest if digest is not None else sheet["approval"]["digest"]
        with self.app.transaction(self.people[by]) as conn:
            return approve.approve(
                conn, self.people[by], self.app.services, mission, digest=meant, named=named
            )

    def doc(self, mission: str, by: str = "riley") -> dict[str, Any]:
        with self.app.transaction(self.people[by]) as conn:
            return json.loads(
                json.dumps(view.document(conn, store.get(conn, mission)), default=str)
            )

    # The way there ---------------------------------------------------------------------------

    def to_plan(self, intent: str = WIN_BACK, **given: Any) -> str:
        mission = self.new(intent, **given)
        self.work()
        self.ack(mission, "riley")
        self.ack(mission, "gabriela")
        self.work()
        return mission

    def to_approve(self, intent: str = WIN_BACK, rank: int = 1, **given: Any) -> str:
        mission = self.to_plan(intent, **given)
        self.select(mission, rank)
        return mission

    def to_execute(self, intent: str = WIN_BACK, rank: int = 1, **given: Any) -> str:
        """Approved, its run waiting in the queue."""
        mission = self.to_approve(intent, rank, **given)
        self.approve(mission)
        return mission

    # The worker ------------------------------------------------------------------------------

    def work(self, most: int = 200) -> int:
        """Run every job of this tenant that is due by the clock; returns how many ran."""
        tracker = Tracker(self.app.settings.issues_dir)
        handlers = tasks(self.app.services) | reactions(self.app.services, tracker)
        for done in range(most):
            job = self._take()
            if job is None:
                return done
            handlers[job[1]](**job[2])
            self._drop(job[0])
        raise AssertionError(f"more than {most} jobs: {job}")

    def fly(self, steps: int, intent: str = WIN_BACK) -> tuple[str, Run]:
        """A mission whose run was begun and made its first steps, and then stands still."""
        mission = self.to_execute(intent)
        with self.app.transaction(self.people["riley"]) as conn:
            row = store.get(conn, mission)
        run = execute.begin(self.app.services, row, row.agent("executor"))
        assert run is not None
        for step in run.plan.play.steps[:steps]:
            execute.caller(run)(step)
        return mission, run

    def undo(self, mission: str, by: str = "riley") -> dict[str, Any]:
        """Undo and wait for it; returns the document."""
        with self.app.transaction(self.people[by]) as conn:
            undo.request(conn, self.people[by], self.app.services, mission, "a test")
        self.work()
        return self.doc(mission)

    def call(
        self, verb: Callable[..., Any], mission: str, *args: Any, by: str = "riley", **given: Any
    ) -> Any:
        """Any verb of the shape verb(conn, actor, services, mission, ...) in its own transaction."""
        with self.app.transaction(self.people[by]) as conn:
            return verb(conn, self.people[by], self.app.services, mission, *args, **given)

    def waiting(self) -> list[tuple[str, dict[str, Any], datetime | None]]:
        """Queued jobs of this tenant: task, args, due."""
        with closing(
            psycopg.connect(self.app.db.direct, autocommit=True, options="-c search_path=queue")
        ) as conn:
            return conn.execute(
                "select task_name, args, scheduled_at from queue.procrastinate_jobs"
                " where args ->> 'tenant_id' = %s and status = 'todo' order by id",
                (self._tenant,),
            ).fetchall()

    @property
    def _tenant(self) -> str:
        return str(self.people["riley"].tenant_id)

    def _take(self) -> tuple[int, str, dict[str, Any]] | None:
        with closing(
            psycopg.connect(self.app.db.direct, autocommit=True, options="-c search_path=queue")
        ) as conn:
            return conn.execute(
                "update queue.procrastinate_jobs set status = 'doing' where id = (select id"
                " from queue.procrastinate_jobs where args ->> 'tenant_id' = %s and status = 'todo'"
                " and (scheduled_at is null or scheduled_at <= %s) order by priority desc, id limit 1)"
                " returning id, task_name, args",
                (self._tenant, self.clock()),
            ).fetchone()  # type: ignore[return-value]

    def _drop(self, job: int) -> None:
        with closing(
            psycopg.connect(self.app.db.direct, autocommit=True, options="-c search_path=queue")
        ) as conn:
            conn.execute("delete from queue.procrastinate_jobs where id = %s", (job,))


def take_off(folder: Path, url: str, owner_url: str = "", **given: str) -> Flight:
    """A fresh tenant with Riley (owner), Gabriela (governance) and Lee (engineering lead)."""
    clock = FixedClock(NOW)
    (folder / "sandbox").mkdir(parents=True)
    inbox = Mailbox(str(folder / "sandbox" / "inbox"))
    port = free_port("127.0.0.1", 0)
    smtp = Controller(inbox, hostname="127.0.0.1", port=port)
    smtp.start()
    shutil.rmtree(folder / "sandbox")
    create(folder / "sandbox", today=NOW.date(), smtp_port=port)
    app = build(settings_for(folder, **given), name="test", url=url, clock=clock)
    return Flight(folder, url, clock, _people(app, _slug(folder)), smtp, app, owner_url, given)


def land(flight: Flight) -> None:
    flight.app.close()
    flight.smtp.stop()


def _slug(folder: Path) -> str:
    """A tenant's name: of its own, for the databases of a test process are shared."""
    return f"{folder.name[:24]}-{uuid4().hex[:8]}"


def _people(app: App, slug: str) -> dict[str, Actor]:
    who = {
        "riley": ("Riley Chen", ("operator", "admin")),
        "gabriela": ("Gabriela Ortiz", ("governance",)),
        "lee": ("Lee Park", ("engineering_lead",)),
        "sam": ("Sam Field", ("analytics",)),
    }
    with app.db.service() as conn:
        tenant = tenants.ensure_tenant(
            conn, f"t-{slug.lower().replace('_', '-')[:40]}", slug, at=NOW
        )
        return {
            name: tenants.add_person(
                conn, tenant, email=f"{name}@home.example", name=full, roles=roles, at=NOW
            ).actor
            for name, (full, roles) in who.items()
        }
