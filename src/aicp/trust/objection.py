"""What a check may answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a call may not happen: for good, or (with `retry_at`) not yet."""

    rule: str
    why: str
    hint: str = ""
    retry_at: datetime | None = None
    facts: dict[str, Any] = field(default_factory=dict)  # for the finding; ids and codes only
