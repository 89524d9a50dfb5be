"""New ids. Random by default, so that two clones never give out the same one."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from aicp.issues.snapshot import Snapshot

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
LENGTH = 7  # 36**7: a thousand new issues in each of two clones meet with a chance of 1 in 78,000


def random_id(snapshot: Snapshot, prefix: str, randomness: Callable[[int], bytes]) -> str:
    """`prefix-k3f9a2x`, not taken here."""
    while True:
        number = int.from_bytes(randomness(8), "big") % 36**LENGTH
        issue_id = f"{prefix}-{_base36(number)}"
        # A tail of digits alone would read as a counter, and counters are never abbreviated.
        if not issue_id[-LENGTH:].isdigit() and snapshot.line(issue_id) is None:
            return issue_id


def next_id(snapshot: Snapshot, prefix: str) -> str:
    """`prefix-8` after `prefix-7`: the shape of older repositories."""
    start = len(prefix) + 1
    tails = (i.id[start:] for i in snapshot.issues if i.id.startswith(prefix + "-"))
    return f"{prefix}-{max((int(t) for t in tails if t.isdigit()), default=0) + 1}"


def common_prefix(snapshot: Snapshot, otherwise: str) -> str:
    """The prefix most issues have, or `otherwise` when there is none."""
    counts: dict[str, int] = {}
    for issue in snapshot.issues:
        prefix = issue.id.rpartition("-")[0]
        counts[prefix] = counts.get(prefix, 0) + 1
    if counts:
        return max(counts, key=lambda prefix: (counts[prefix], prefix))
    return otherwise


def default_prefix(path: str) -> str:
    """The prefix of a new store: the name of the folder that holds `.beads/` or the file."""
    folder = os.path.dirname(path)
    home = os.path.dirname(folder) if os.path.basename(folder) == ".beads" else folder
    return prefix_from(os.path.basename(home))


def prefix_from(name: str) -> str:
    """A prefix of lower-case letters, digits and dashes, starting with a letter."""
    letters = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
    letters = "-".join(part for part in letters.split("-") if part).lstrip("-0123456789")
    return letters[:20].rstrip("-") or "bd"


def _base36(number: int) -> str:
    out = ""
    for _ in range(LENGTH):
        number, digit = divmod(number, 36)
        out = _DIGITS[digit] + out
    return out
