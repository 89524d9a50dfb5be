"""Options that choose issues, as a `Filter`."""

from __future__ import annotations

from aicp.issues.errors import BadInput
from aicp.issues.model import DONE, STATUSES, Issue, check_labels, check_priority
from aicp.issues.query import ORDERS, Filter
from aicp.issues.stamps import parse_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aicp.issues.cli.context import Context
    from aicp.issues.snapshot import Snapshot

PLAIN = tuple(ORDERS)
_TIMES = ("updated_after", "updated_before", "created_after", "created_before")


def wishes(context: Context, snapshot: Snapshot) -> Filter:
    """What the options ask for."""
    o = context.option
    wanted = Filter(
        statuses=_words(o("status"), snapshot),
        priorities={check_priority(n) for one in o("priority", []) for n in one.split(",")},
        kinds={kind.strip() for one in o("type", []) for kind in one.split(",")},
        labels=check_labels(o("labels", [])),
        labels_any=check_labels(o("labels_any", [])),
        assignee=o("assignee"),
        unassigned=o("unassigned"),
        text=o("text"),
        ids={one.strip() for given in o("ids", []) for one in given.split(",")},
        parent=snapshot.find(o("parent")).id if o("parent") else None,
    )
    for name in _TIMES:
        if o(name):
            setattr(wanted, name, moment(o(name), name))
    return wanted


def moment(text: str, name: str) -> int:
    """A time option in nanoseconds."""
    try:
        return parse_user(text)
    except (ValueError, IndexError):
        raise BadInput(
            f"--{name.replace('_', '-')} {text!r} is not a time",
            hint="write 2026-01-31 or 2026-01-31T12:00:00Z",
        ) from None


def limited(issues: list[Issue], limit: int) -> tuple[list[Issue], int]:
    """The first so many (0: all), and how many were left out."""
    return (issues[:limit], max(len(issues) - limit, 0)) if limit else (issues, 0)


def _words(given: list[str] | None, snapshot: Snapshot) -> set[str] | None:
    """Statuses; one that is not known but is in the file is taken too."""
    if not given:
        return None
    words = {w.strip().lower().replace("-", "_") for one in given for w in one.split(",")}
    if words == {"all"}:
        return None
    unknown = words - {*STATUSES, *DONE}
    if unknown and unknown - {issue.status for issue in snapshot.issues}:
        from aicp.issues.model import check_status

        check_status(min(unknown))
    return words
