"""What every governed call must pass besides the gate and its safeguards, in this order.

Each check runs in the transaction that would write the intent, under the mission's row lock. It
returns None, or the objection; whatever it raises denies the call (TR-11).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aicp.kernel.db import Connection
from aicp.toolkits.model import Call
from aicp.trust import operator_rules, traffic
from aicp.trust.objection import Objection
from aicp.trust.plan import Step

if TYPE_CHECKING:
    from aicp.trust.calls import Run


__all__ = ["CHECKS", "Check", "Objection", "objection"]

Check = Callable[[Connection, "Run", Step, Call], Objection | None]
# The last one may take the probe of a breaker for the call: whatever comes after it must not object.
CHECKS: tuple[Check, ...] = (
    operator_rules.policy,
    operator_rules.labelled,
    operator_rules.sequence,
    traffic.turn,
)


def objection(conn: Connection, run: Run, step: Step, call: Call) -> Objection | None:
    """The first objection, or None."""
    found = (check(conn, run, step, call) for check in CHECKS)
    return next((one for one in found if one is not None), None)
