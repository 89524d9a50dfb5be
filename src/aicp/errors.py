"""What can go wrong, as one tree; each class is one row of the exit-code table.

AicpError             1   500   anything without a better name
├─ BadInput           2   422   the request itself is wrong
├─ NotFound           3   404   no such thing, or not yours to see
├─ Forbidden          4   403   your role may not do this
│  └─ SignInNeeded    4   401   nobody is signed in
├─ GateBlocked        5   409   a gate is shut: approval, acknowledgement, coverage, state
├─ Conflict           6   409   somebody or something changed it first
├─ UpstreamDown       7   502   a thing outside did not answer
│  └─ DatabaseDown    7   503   our own database is away
├─ TimedOut           8   504   it took too long
└─ SafeguardViolation 9   422   a safeguard says no
"""

from __future__ import annotations

from typing import Any, ClassVar, Self


class AicpError(Exception):
    """One sentence: what, why; `hint` says how to fix it.

    Args:
        message: what happened and why, for a person.
        hint: the next thing to do.
        code: a stable machine name; the class default serves when none is given.
        facts: JSON-able details (reasons, differences) for `--json` and the API.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str | None = None,
        facts: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.reason_code = code or self.code
        self.facts = facts or {}
        self.finding: tuple[str, str] | None = None  # (mission, rule): recorded after the rollback

    def on(self, mission_id: str, rule: str) -> Self:
        """The same refusal, to be recorded as a finding on a mission by the edge."""
        self.finding = (mission_id, rule)
        self.facts = {"rule": rule, **self.facts}
        return self

    def as_dict(self) -> dict[str, Any]:
        """The wire form: {code, message, hint, exit_code, facts}."""
        return {
            "code": self.reason_code,
            "message": self.message,
            "hint": self.hint,
            "exit_code": self.exit_code,
            "facts": self.facts,
        }


class BadInput(AicpError):
    code, status, exit_code = "bad_input", 422, 2


class NotFound(AicpError):
    code, status, exit_code = "not_found", 404, 3


class Forbidden(AicpError):
    code, status, exit_code = "forbidden", 403, 4


class SignInNeeded(Forbidden):
    code, status = "sign_in_needed", 401


class GateBlocked(AicpError):
    code, status, exit_code = "gate_blocked", 409, 5


class Conflict(AicpError):
    code, status, exit_code = "conflict", 409, 6


class UpstreamDown(AicpError):
    code, status, exit_code = "upstream_down", 502, 7


class DatabaseDown(UpstreamDown):
    """The database is away: nothing was decided, and the same request may be made again."""

    code, status = "database_down", 503


class TimedOut(AicpError):
    code, status, exit_code = "timed_out", 504, 8


class SafeguardViolation(AicpError):
    code, status, exit_code = "safeguard_violation", 422, 9
