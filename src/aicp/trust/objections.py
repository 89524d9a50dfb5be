"""What a check says against a call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a call may not happen: for good, or (with `retry_at`) not yet."""

    rule: str
    why: str
    hint: str = ""
    retry_at: datetime | None = None
