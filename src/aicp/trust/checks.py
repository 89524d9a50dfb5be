"""What every governed call must pass besides the gate and its safeguards, in this order.

Each check runs in the transaction that would write the intent, under the mission's row lock. It
returns None, or the objection; whatever it raises denies the call (TR-11).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from aicp.kernel.db import Connection
from aicp.toolkits.model import Call
from aicp.trust.plan import Step

if TYPE_CHECKING:
    from aicp.trust.calls import Run


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a call may not happen: for good, or (with `retry_at`) not yet."""

    rule: str
    why: str
    hint: str = ""
    retry_at: datetime | None = None


Check = Callable[[Connection, "Run", Step, Call], Objection | None]
CHECKS: tuple[Check, ...] = ()


def objection(conn: Connection, run: Run, step: Step, call: Call) -> Objection | None:
    """The first objection, or None."""
    found = (check(conn, run, step, call) for check in CHECKS)
    return next((one for one in found if one is not None), None)
