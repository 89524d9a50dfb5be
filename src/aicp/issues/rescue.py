"""Make a file that can be trusted out of one that cannot, losing no issue and no field."""

from __future__ import annotations

from aicp.issues.jsontext import loads
from aicp.issues.lines import MARKERS, parse
from aicp.issues.merge import merge_files, newest
from aicp.issues.record import Record


class Rescue:
    """The repaired file; `notes` say what was done, `lost` are lines nothing could be made of."""

    __slots__ = ("data", "lost", "notes")

    def __init__(self, data: bytes, notes: list[str], lost: list[bytes]) -> None:
        self.data, self.notes, self.lost = data, notes, lost


def rescue(damaged: bytes, committed: bytes | None, sides: list[bytes] | None = None) -> Rescue:
    """Repair a file.

    Args:
        damaged: what is on disk.
        committed: the last version git has, if any; it fills in for lines that are torn or gone.
        sides: base, ours and theirs, when git is in the middle of a merge.
    """
    if sides and not any(parse(side).problems for side in sides):
        merged = merge_files(*sides)
        notes = ["merged both sides of the git merge, field by field"]
        return _resolve(merged.data, committed, notes, chosen=merged.conflicts)
    return _resolve(damaged, committed, [], chosen=[])


def _resolve(data: bytes, committed: bytes | None, notes: list[str], chosen: list[str]) -> Rescue:
    groups: dict[str, list[Record]] = {}
    others: list[bytes] = []
    lost: list[bytes] = []
    for line in data.split(b"\n"):
        record = _record(line)
        if record is not None:
            groups.setdefault(record.id, []).append(record)
        elif _is_other(line):
            others.append(line)
        elif line.strip() and not line.startswith(MARKERS):
            lost.append(line)
    records = {issue_id: newest(group) for issue_id, group in groups.items()}
    twice = [issue_id for issue_id, group in groups.items() if len(group) > 1]
    notes += [f"{one}; the newest was taken" for one in chosen]
    notes += [f"made one issue of {len(groups[one])} lines of {one}" for one in twice]
    notes += _refill(records, others, committed)
    notes += [f"set aside a line that is not an issue: {_shown(line)}" for line in lost]
    body = b"".join(records[one].bytes() for one in sorted(records))
    return Rescue(body + b"".join(line + b"\n" for line in others), notes, lost)


def _refill(records: dict[str, Record], others: list[bytes], committed: bytes | None) -> list[str]:
    """Take from git what the damage took away: a deleted issue leaves a tombstone, never nothing."""
    back = [r for line in (committed or b"").split(b"\n") if (r := _record(line))]
    missing = [record for record in back if record.id not in records]
    records.update((record.id, record) for record in missing)
    rest = [line for line in (committed or b"").split(b"\n") if _is_other(line)]
    others += [line for line in rest if line not in others]
    return [f"brought {record.id} back from git" for record in missing]


def _record(line: bytes) -> Record | None:
    parsed = parse(line + b"\n")
    return Record(line.decode()) if parsed.issues and not parsed.problems else None


def _is_other(line: bytes) -> bool:
    parsed = parse(line + b"\n")
    return bool(parsed.others) and not parsed.problems


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    return text[:60] + ("…" if len(text) > 60 else "")


def restored(committed: bytes, issue_id: str) -> Record | None:
    """The line of one issue in an older version of the file."""
    for line in committed.split(b"\n"):
        if issue_id.encode() in line and (record := _record(line)) and record.id == issue_id:
            return record
    return None


def ids_in(data: bytes) -> set[str]:
    """Every id in a file, sound or not."""
    return {record.id for line in data.split(b"\n") if (record := _record(line))}


def invariant_broken(line: bytes) -> bool:
    """closed_at has to be there if and only if the issue is closed."""
    value = loads(line.decode())
    return (value.get("status") in ("closed", "tombstone")) != bool(value.get("closed_at"))
