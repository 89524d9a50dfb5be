"""One real system for the whole suite: database, server, worker, mail server; commands run in process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aicp.cli.main import main
from aicp.cli.supervise import Supervisor
from aicp.client import Client, find, running

OWNER, DELEGATE = "riley@home.example", "gabriela@home.example"
PEOPLE = (
    (OWNER, "Riley Chen", ("operator", "admin", "oncall")),
    (DELEGATE, "Gabriela Ortiz", ("governance",)),
)
PHONES = "Normalise the phone numbers of all accounts"
WIN_BACK = (
    "Win back our 3 best manufacturing accounts over $50k ARR; warm advisory e-mails,"
    " skip the do-not-contact list."
)
TABLE = """\
id,company,contact,email,phone,industry,arr,last_activity,timezone,do_not_contact,owner,country
A-1,Acme Castings,Kim Lee,kim@acme.example,(030) 901820,Manufacturing,90000,2026-05-02,Europe/Berlin,no,Ana,DE
A-2,Bolt Works,Lee Ray,lee@bolt.example,030 901821,Manufacturing,80000,2026-05-03,Europe/Berlin,no,Ana,DE
A-3,Cogs Ltd,Joe Poe,joe@cogs.example,020 7946 0958,Manufacturing,70000,2026-05-04,Europe/London,yes,Bo,GB
A-4,Dyna GmbH,Eva Mai,eva@dyna.example,030 901823,Manufacturing,60000,2026-05-05,Europe/Berlin,no,Bo,DE
A-5,Ente AG,Udo Zahn,udo@ente.example,030 901824,Retail,95000,2026-05-06,Europe/Berlin,no,Bo,DE
"""


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class System:
    """A running system and a folder that missions may use."""

    data: Path
    files: Path
    smtp: str
    inbox: Path
    supervisor: Supervisor

    def run(self, *words: str, as_email: str = "") -> Said:
        """One command in this process, piped: it must neither ask nor colour."""
        who = ("--as", as_email) if as_email else ()
        return typed("--data-dir", str(self.data), *who, *words)

    def client(self, email: str = OWNER) -> Client:
        return Client(find(self.data, as_email=email))

    def table(self, name: str, text: str = TABLE) -> Path:
        path = self.files / name
        path.write_text(text)
        return path

    def give(self, table: Path, intent: str = PHONES, *more: str) -> str:
        """A mission whose brief is there; its id."""
        said = self.run("mission", "new", intent, "--data", str(table), "--json", *more)
        assert said.code == 0, said
        return said.json["id"]

    def acknowledge(self, mission: str) -> None:
        assert self.run("mission", "ack", mission).code == 0
        assert self.run("mission", "ack", mission, as_email=DELEGATE).code == 0

    def choose(self, mission: str) -> str:
        """Acknowledged, planned, the first play chosen; the digest to approve."""
        self.acknowledge(mission)
        said = self.run("mission", "plan", mission, "--select", "1", "--json")
        assert said.code == 0, said
        return said.json["digest"]

    def fly(self, mission: str) -> None:
        """To the end of the run."""
        digest = self.choose(mission)
        assert self.run("mission", "approve", mission, "--digest", digest).code == 0
        assert self.run("mission", "watch", mission).code == 0


def typed(*words: str) -> Said:
    """A command line, run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(words))
        except SystemExit as end:
            code = end.code
    told = out.getvalue() + err.getvalue()
    assert "\x1b" not in told
    assert "Traceback" not in told
    assert isinstance(code, int)
    return Said(code, out.getvalue(), err.getvalue())


def kill_server(system: System) -> None:
    """kill -9; the supervisor starts it again."""
    os.kill(running(system.data)["children"]["server"], signal.SIGKILL)
