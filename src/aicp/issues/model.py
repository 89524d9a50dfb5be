"""The words of the graph, and `Issue`: what the engine needs to know of one line."""

from __future__ import annotations

from _operator import itemgetter

from aicp.issues.errors import BadInput
from aicp.issues.jsontext import quote
from aicp.issues.stamps import to_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STATUSES = ("open", "in_progress", "blocked", "deferred", "closed", "pinned", "hooked")
KINDS = ("bug", "feature", "task", "epic", "chore", "incident", "decision", "message", "milestone",
         "spike", "story", "event", "gate", "molecule")  # fmt: skip
EDGES = ("blocks", "related", "parent-child", "discovered-from", "relates-to", "duplicates",
         "supersedes", "tracks", "caused-by", "validates", "replies-to", "conditional-blocks",
         "waits-for", "until")  # fmt: skip
ACTIVE = ("open", "in_progress")  # what `ready` shows: a deploy being worked on is still found
DONE = frozenset({"closed", "tombstone"})
UNHEARD = frozenset({"tombstone"})  # kept in the file, shown to nobody

TOMBSTONE_KEYS = ("deleted_at", "deleted_by", "delete_reason", "original_status")

# The order of keys in a line: the SQLite era's, with the three keys that era's readers ignore.
KEY_ORDER = (
    "_type", "id", "title", "description", "design", "acceptance_criteria", "notes", "status",
    "priority", "issue_type", "assignee", "estimated_minutes", "created_at", "created_by",
    "updated_at", "started_at", "closed_at", "close_reason", "external_ref", "due_at",
    "defer_until", "metadata", "compaction_level", "compacted_at", "compacted_at_commit",
    "original_size", "labels", "dependencies", "comments",
)  # fmt: skip

DEFAULTS = (
    ("description", ""),
    ("status", "open"),
    ("priority", 0),  # a missing priority is P0: that is how every real reader takes it
    ("issue_type", "task"),
    ("labels", []),
    ("dependencies", []),
    ("comments", []),
)


def _field(at: int) -> Any:
    return property(itemgetter(at))


class Issue(tuple):
    """One issue as the engine sees it; times in nanoseconds, 0 when there is none.

    `edges` are (type, target) pairs: this issue depends on the target; for parent-child the target
    is the parent. `tail` is the JSON a reader expects and the line leaves out; `size` is the
    line's length in bytes with its newline. A tuple, so that the cache is one C call away.
    """

    __slots__ = ()
    id: str = _field(0)
    status: str = _field(1)
    priority: int = _field(2)
    kind: str = _field(3)
    created: int = _field(4)
    updated: int = _field(5)
    closed: int = _field(6)
    title: str = _field(7)
    assignee: str = _field(8)
    labels: tuple[str, ...] = _field(9)
    edges: tuple[tuple[str, str], ...] = _field(10)
    tail: str = _field(11)
    size: int = _field(12)

    @property
    def done(self) -> bool:
        return self[1] in DONE

    def targets(self, kind: str) -> list[str]:
        """The issues this one points at with edges of one type."""
        return [target for edge, target in self.edges if edge == kind]


def issue_of(record: dict[str, Any], size: int) -> Issue:
    """The engine's view of one parsed line.

    Raises:
        ValueError: a field is not of its type; says which.
    """
    status = _text(record, "status") or "open"
    updated = _time(record, "updated_at") or _time(record, "created_at")
    closed = (_time(record, "closed_at") or updated) if status in DONE else 0
    return Issue((
        _text(record, "id"), status, _priority(record), _text(record, "issue_type") or "task",
        _time(record, "created_at"), updated, closed, _text(record, "title"),
        _text(record, "assignee"), _labels(record), _edges(record), _tail(record, status), size,
    ))  # fmt: skip


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key} is not text")
    return value or ""


def _time(record: dict[str, Any], key: str) -> int:
    text = _text(record, key)
    try:
        return to_ns(text) if text else 0
    except (ValueError, IndexError):
        raise ValueError(f"{key} is not a time: {text[:40]!r}") from None


def _priority(record: dict[str, Any]) -> int:
    value = record.get("priority") or 0
    if not isinstance(value, int):
        raise ValueError("priority is not a number")  # noqa: TRY004 - one error for a bad line
    return value


def _labels(record: dict[str, Any]) -> tuple[str, ...]:
    labels = record.get("labels") or ()
    if not isinstance(labels, (list, tuple)) or not all(isinstance(one, str) for one in labels):
        raise ValueError("labels is not a list of texts")
    return tuple(labels)


def _edges(record: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    links = record.get("dependencies")
    if not links:
        return ()
    try:
        edges = tuple((link.get("type") or "blocks", link["depends_on_id"]) for link in links)
    except (TypeError, KeyError, AttributeError):
        raise ValueError("dependencies is not a list of links") from None
    if not all(isinstance(kind, str) and isinstance(target, str) for kind, target in edges):
        raise ValueError("a dependency's type or target is not text")
    return edges


def _tail(record: dict[str, Any], status: str) -> str:
    parts = [f',"{k}":{_literal(v)}' for k, v in DEFAULTS if record.get(k) is None]
    if status in DONE and not record.get("closed_at") and record.get("updated_at"):
        parts.append(f',"closed_at":{quote(record["updated_at"])}')
    return "".join(parts)


def _literal(value: Any) -> str:
    return quote(value) if isinstance(value, str) else str(value)


def check_status(text: str) -> str:
    """A status as stored; `in-progress` is taken for `in_progress`."""
    word = text.strip().lower().replace("-", "_")
    return word if word in STATUSES else _unknown("status", text, STATUSES)


def check_kind(text: str, extra: tuple[str, ...] = ()) -> str:
    """An issue type as stored; `extra` are the types this repository has added."""
    word = {"feat": "feature", "enhancement": "feature", "adr": "decision"}.get(text, text)
    return word if word in KINDS or word in extra else _unknown("type", text, KINDS + extra)


def check_edge(text: str) -> str:
    """A dependency type as stored."""
    return text if text in EDGES else _unknown("dependency type", text, EDGES)


def check_priority(text: str) -> int:
    """`0`…`4` or `P0`…`P4`, 0 the most urgent."""
    digit = text.strip().upper().removeprefix("P")
    if digit in {"0", "1", "2", "3", "4"}:
        return int(digit)
    raise BadInput(f"priority {text!r} is not one of 0 1 2 3 4", hint="0 is the most urgent")


def check_title(text: str) -> str:
    """A title: one line of 1 to 500 characters."""
    title = text.strip()
    if not title:
        raise BadInput("the title is empty", hint='give one: bd create "What is wrong"')
    if len(title) > 500:
        raise BadInput(f"the title has {len(title)} characters; 500 is the most")
    if "\n" in title:
        raise BadInput("the title has more than one line", hint="put the rest into --description")
    return title


def check_labels(texts: list[str]) -> list[str]:
    """Labels from repeated and comma-separated options, in order, each once."""
    labels = [label.strip() for text in texts for label in text.split(",")]
    if texts and not all(labels):
        raise BadInput("a label is empty", hint="write them as -l ops,deployment")
    return list(dict.fromkeys(labels))


def check_id(text: str) -> str:
    """An id of any of the known shapes: `ops-1`, `BD-4521`, `ops-k3f9a2x`, `ops-a1b2.3`."""
    prefix, dash, rest = text.rpartition("-")
    name = (prefix + rest).replace(".", "").replace("_", "").replace("-", "")
    if dash and prefix[:1].isalpha() and rest and name.isalnum() and name.isascii():
        return text
    raise BadInput(f"{text!r} is not an issue id", hint="ids look like ops-1 or BD-4521")


def _unknown(what: str, text: str, known: tuple[str, ...]) -> Any:
    from aicp.issues.nearest import did_you_mean

    raise BadInput(f"unknown {what} {text!r}", hint=did_you_mean(text, known), known=list(known))
