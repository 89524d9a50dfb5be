"""Three-way merge of issue files, field by field; what only one side changed is never lost.

Lists (labels, dependencies, comments) are merged as sets. Where both sides moved an issue on, the
further status wins and the newest update. Any other field that both sides set differently is a
conflict: both lines are shown between git's markers, already merged in everything else.
"""

from __future__ import annotations

from aicp.issues.jsontext import dumps, loads, members
from aicp.issues.lines import parse, verdict
from aicp.issues.model import TOMBSTONE_KEYS
from aicp.issues.record import Record
from aicp.issues.stamps import to_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PROGRESS = (
    "open",
    "deferred",
    "blocked",
    "pinned",
    "hooked",
    "in_progress",
    "closed",
    "tombstone",
)


class Merged:
    """The outcome: the file, and one sentence for every conflict left in it."""

    __slots__ = ("conflicts", "data")

    def __init__(self, data: bytes, conflicts: list[str]) -> None:
        self.data, self.conflicts = data, conflicts


def merge_files(base: bytes, left: bytes, right: bytes) -> Merged:
    """Merge two files that came from one.

    Raises:
        Damaged, Conflict: one of them cannot be read.
    """
    olds, ours, theirs = _lines("base", base), _lines("ours", left), _lines("theirs", right)
    blocks: list[bytes] = []
    conflicts: list[str] = []
    for issue_id in sorted({*ours, *theirs}):
        old, mine, other = olds.get(issue_id), ours.get(issue_id), theirs.get(issue_id)
        if mine in (other, old) or other == old:
            blocks.append((other if mine == old else mine) or b"")
            continue
        block, clashes = _merge_lines(old, mine, other)
        blocks.append(block)
        conflicts += [f"{issue_id}: both sides changed {key}" for key in clashes]
    rest = _three(parse(base).others, parse(left).others, parse(right).others)
    return Merged(b"".join([*blocks, *(line + b"\n" for line in rest)]), conflicts)


def _merge_lines(
    old: bytes | None, mine: bytes | None, other: bytes | None
) -> tuple[bytes, list[str]]:
    """A line both sides changed. One that a side deleted and the other changed is kept."""
    if mine is None or other is None:
        return mine or other or b"", []
    left, right = Record(mine.decode()), Record(other.decode())
    stamps = left.raw.get("updated_at", ""), right.raw.get("updated_at", "")
    clashes = merge_records(Record(old.decode()) if old else None, left, right)
    if not clashes:
        return left.bytes(), []
    for record, stamp in zip((left, right), stamps, strict=True):
        _assign("updated_at", stamp, record)  # says which of the two is newer
    return _shown(left, right), clashes


def merge_records(base: Record | None, left: Record, right: Record) -> list[str]:
    """Merge into both `left` and `right`; afterwards they differ only in the keys returned."""
    if left.raw == right.raw:
        return []
    old = base or Record("{}")
    if base is None and left.get("created_at") != right.get("created_at"):
        return ["id"]  # two different issues were given one id
    _first_deletion(left, right)
    clashes = []
    for key in dict.fromkeys([*left.raw, *right.raw, *old.raw]):
        texts = _pick(key, old, left, right)
        if texts is None:
            clashes.append(key)
        else:
            _assign(key, texts, left)
            _assign(key, texts, right)
    _agree(left, right)
    return clashes


def newest(records: list[Record]) -> Record:
    """One record of several with the same id: newest fields win, lists are united."""
    *older, last = sorted(records, key=lambda record: record.issue().updated)
    for record in reversed(older):
        for key in record.raw:
            if key in _LISTS and key in last.raw:
                last.set_items(key, _three([], last.items(key), record.items(key), _LISTS[key]))
            elif key not in last.raw and key not in _OF_STATUS:
                last.put(key, record.raw[key])
    return last


def _pick(key: str, old: Record, left: Record, right: Record) -> str | None:
    """The text of one member: "" for none, None when the sides disagree."""
    was, mine, other = (record.raw.get(key, "") for record in (old, left, right))
    if other in (mine, was):
        return mine
    if mine == was and key not in _LISTS:
        return other
    rule = _RULES.get(key)
    return rule(old, left, right) if rule else None


def _assign(key: str, text: str, record: Record) -> None:
    if not text:
        record.raw.pop(key, None)
    elif key in record.raw:
        record.raw[key] = text
    else:
        record.put(key, text)


def _first_deletion(left: Record, right: Record) -> None:
    """Both sides deleted it: what the first of them said of it."""
    at = [_moment(record.raw.get("deleted_at", "")) for record in (left, right)]
    if all(at) and left.get("status") == right.get("status") == "tombstone":
        first, second = (left, right) if at[0] <= at[1] else (right, left)
        for key in TOMBSTONE_KEYS:
            _assign(key, first.raw.get(key, ""), second)


def _agree(left: Record, right: Record) -> None:
    """A merged status takes its closing fields along."""
    for record in (left, right):
        if record.get("status") not in ("closed", "tombstone"):
            record.set("closed_at", None)
            record.set("close_reason", None)


def _latest(key: str) -> Callable[[Record, Record, Record], str]:
    def rule(_old: Record, left: Record, right: Record) -> str:
        return max(left.raw.get(key, ""), right.raw.get(key, ""), key=_moment)

    return rule


def _earliest(key: str) -> Callable[[Record, Record, Record], str]:
    def rule(_old: Record, left: Record, right: Record) -> str:
        there = [text for text in (left.raw.get(key, ""), right.raw.get(key, "")) if text]
        return min(there, key=_moment)

    return rule


def _moment(text: str) -> int:
    try:
        return to_ns(loads(text))
    except (ValueError, IndexError, TypeError):
        return 0


def _furthest(_old: Record, left: Record, right: Record) -> str | None:
    texts = [record.raw.get("status", '"open"') for record in (left, right)]
    known = all(loads(text) in _PROGRESS for text in texts)
    return max(texts, key=lambda text: _PROGRESS.index(loads(text))) if known else None


def _both_reasons(_old: Record, left: Record, right: Record) -> str:
    reasons = [record.get("close_reason", "") for record in (left, right)]
    return dumps(" | ".join(dict.fromkeys(reason for reason in reasons if reason)))


def _list(key: str) -> Callable[[Record, Record, Record], str | None]:
    def rule(old: Record, left: Record, right: Record) -> str | None:
        try:
            texts = _three(old.items(key), left.items(key), right.items(key), _LISTS[key])
        except (ValueError, TypeError):
            return None  # not a list of what it should be: let a person look
        if key == "labels":
            texts.sort(key=loads)
        if key == "comments":
            texts.sort(key=lambda text: _moment(members(text).get("created_at", "")))
        return f"[{','.join(texts)}]" if texts else ""

    return rule


def _inside(key: str) -> Callable[[Record, Record, Record], str | None]:
    """Merge an object by its own members; None when the same one was set twice."""

    def rule(old: Record, left: Record, right: Record) -> str | None:
        try:
            was, mine, other = (members(r.raw.get(key, "{}")) for r in (old, left, right))
        except ValueError:
            return None
        out: dict[str, str] = {}
        for name in dict.fromkeys([*mine, *other]):
            a, b, c = was.get(name, ""), mine.get(name, ""), other.get(name, "")
            if a not in (b, c) and b != c:
                return None
            out[name] = c if b == a else b
        return "{" + ",".join(f"{dumps(k)}:{v}" for k, v in out.items() if v) + "}"

    return rule


def _three(
    base: list[Any], left: list[Any], right: list[Any], name: Callable[[Any], Any] | None = None
) -> list[Any]:
    """Merge lists as sets of named elements; of one that both sides rewrote, both are kept."""
    was, mine, other = ({name(x) if name else x: x for x in xs} for xs in (base, left, right))
    out: list[Any] = []
    for key in dict.fromkeys([*mine, *other]):
        there = [side[key] for side in (mine, other) if key in side]
        changed = [x for x in there if x != was.get(key)]
        if len(there) == 2 or key not in was or changed:
            out += dict.fromkeys(changed or there[:1])
    return out


def _link(text: str) -> tuple[Any, ...]:
    link = loads(text)
    return link["depends_on_id"], link.get("type") or "blocks"


def _remark(text: str) -> tuple[Any, ...]:
    remark = loads(text)
    if not isinstance(remark, dict) or "id" not in remark:
        return (text,)
    return remark["id"], remark.get("created_at"), remark.get("author")


def _shown(mine: Record, other: Record) -> bytes:
    return b"<<<<<<< ours\n%s=======\n%s>>>>>>> theirs\n" % (mine.bytes(), other.bytes())


def _lines(name: str, data: bytes) -> dict[str, bytes]:
    parsed = parse(data)
    if parsed.problems:
        raise verdict(name, data, parsed.problems)
    spans = zip(parsed.issues, parsed.offsets, strict=True)
    return {i.id: data[at : at + i.size].rstrip(b"\r\n") + b"\n" for i, at in spans}


_OF_STATUS = ("closed_at", "close_reason", *TOMBSTONE_KEYS)  # go with the status, never alone
_LISTS: dict[str, Callable[[str], Any]] = {
    "labels": loads,
    "dependencies": _link,
    "comments": _remark,
}
_RULES: dict[str, Callable[[Record, Record, Record], str | None]] = {
    "status": _furthest,
    "updated_at": _latest("updated_at"),
    "closed_at": _latest("closed_at"),
    "started_at": _earliest("started_at"),
    "close_reason": _both_reasons,
    "metadata": _inside("metadata"),
    **{key: _list(key) for key in _LISTS},
}
