"""A worker that is killed, for real, at a given boundary. Runs in a process of its own.

A boundary is the moment before or after a commit that wrote something, before or after an effect, and
before or after a write to the issue graph. Each has a number, and a name: "after create".
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from aicp.app import build
from aicp.errors import AicpError
from aicp.issues import store as issue_store
from aicp.issues.book import Book
from aicp.kernel.clock import FixedClock
from aicp.kernel.db import Actor, Database
from aicp.toolkits.providers.base import Connection
from aicp.toolkits.providers.local.calendar import LocalCalendar
from aicp.toolkits.providers.local.mail import LocalMail
from aicp.toolkits.providers.local.table import open_table
from flight import Flight, settings_for

PRELOAD = [  # what a mission imports on its way; each forked worker would import it again
    "killer",
    "pytest",
    "aicp.missions.jobs",
    "aicp.brain.agents",
    "aicp.brain.models.rules",
    "aicp.toolkits.providers.local.csv_sheet",
    "google.adk.agents",
    "google.adk.agents._agent_router",
    "google.adk.apps.app",
    "google.adk.artifacts.in_memory_artifact_service",
    "google.adk.flows.llm_flows.single_flow",
    "google.adk.memory.in_memory_memory_service",
    "google.adk.models.google_llm",
    "google.adk.plugins.base_plugin",
    "google.adk.runners",
    "google.adk.sessions.in_memory_session_service",
    "google.adk.tools.function_tool",
    "google.adk.workflow._llm_agent_wrapper",
    "google.adk.workflow._workflow",
]


REACHED = 4  # exit code of a worker that killed the database at its boundary and lived on


def fly(
    folder: str, url: str, people: dict[str, Actor], now: datetime, boundary: int | str,
    victim: int = 0,
) -> None:  # fmt: skip
    """Work the queue until nothing is due, or until the boundary.

    Args:
        boundary: the number of one, or the name of one: its first time.
        victim: the process killed there; 0 is this worker itself.
    """
    reached = _arm(boundary, victim or os.getpid())
    clock = FixedClock(now)
    app = build(settings_for(Path(folder), hold_seconds="0"), name="chaos", url=url, clock=clock)
    app.db.pool.timeout = 1
    try:
        Flight(Path(folder), url, clock, people, None, app).work()  # type: ignore[arg-type]
    except (AicpError, psycopg.Error):
        if not reached:
            raise
    os._exit(REACHED if reached else 0)


def _arm(boundary: int | str, victim: int) -> list[str]:
    """Count boundaries in this process and kill at the given one; the list is filled when it did."""
    passed = 0
    reached: list[str] = []

    def here(name: str) -> None:
        nonlocal passed
        passed += 1
        if boundary in (passed, name) and not reached:
            reached.append(name)
            os.kill(victim, signal.SIGKILL)

    _watch_commits(here)
    table = type(open_table(Connection("table", "t", {"path": "/nonexistent.csv"})))
    for kind in (table, LocalMail, LocalCalendar):
        for verb in ("execute", "release"):
            setattr(kind, verb, _around(getattr(kind, verb), here))
    for verb in ("create", "link", "comment"):
        setattr(Book, verb, _around(getattr(Book, verb), here))
    issue_store.os = _Os(here)  # type: ignore[assignment]
    return reached


class _Os:
    """`os` for the store of issues, with a boundary on both sides of putting a file in place."""

    def __init__(self, here: Callable[[str], None]) -> None:
        self.replace = _around(os.replace, here)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


def _watch_commits(here: Callable[[str], None]) -> None:
    original = Database._open

    @contextmanager
    def watched(self: Database, role: str, claims: str) -> Iterator[Any]:
        wrote = False
        with original(self, role, claims) as conn:
            yield conn
            row = conn.execute("select pg_current_xact_id_if_assigned() is not null").fetchone()
            wrote = bool(row and row[0])
            if wrote:
                here("before commit")
        if wrote:
            here("after commit")

    Database._open = watched  # type: ignore[method-assign]


def _around(method: Callable[..., Any], here: Callable[[str], None]) -> Callable[..., Any]:
    name = method.__name__

    def around(*args: Any, **given: Any) -> Any:
        here(f"before {name}")
        result = method(*args, **given)
        here(f"after {name}")
        return result

    return around
