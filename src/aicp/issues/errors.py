"""What can go wrong with the graph; each class is one exit code of `bd`.

BadInput   2  the request itself is wrong
NotFound   3  no such issue, no such file, no store here
Conflict   6  the graph or the file says otherwise: a cycle, a taken id, conflict markers
TimedOut   8  another process kept the lock
Damaged    1  the file cannot be trusted; nothing was read from it and nothing written
Unanswered 1  stdout cannot be written; whatever was to change has been changed
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar


class IssueError(Exception):
    """One sentence: what, why. `hint` says how to fix it; `facts` are details for `--json`."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = facts

    def as_dict(self) -> dict[str, Any]:
        """The wire form on stderr: {schema_version, error, code, hint, exit_code, facts}."""
        return {
            "schema_version": 1,
            "error": self.message,
            "code": self.code,
            "hint": self.hint,
            "exit_code": self.exit_code,
            "facts": self.facts,
        }


class BadInput(IssueError):
    code, exit_code = "bad_input", 2


class NotFound(IssueError):
    code, exit_code = "not_found", 3


class Conflict(IssueError):
    code, exit_code = "conflict", 6


class TimedOut(IssueError):
    code, exit_code = "timed_out", 8


class Damaged(IssueError):
    code, exit_code = "damaged", 1


class Unanswered(IssueError):
    code, exit_code = "unanswered", 1

    def __init__(self, why: str | None) -> None:
        super().__init__(
            f"the answer cannot be written: {why}",
            hint="what was to be changed is changed; look with bd list before repeating it",
        )
