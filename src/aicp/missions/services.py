"""What the mission verbs work with, handed in by the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aicp.evidence.stores.base import EvidenceStore
from aicp.kernel.clock import Clock
from aicp.kernel.db import Database
from aicp.kernel.vault import Vault
from aicp.trust.limits import Limits
from aicp.trust.rulebook import RuleBook


@dataclass(frozen=True)
class Services:
    db: Database
    clock: Clock
    evidence: EvidenceStore
    work_dir: Path  # locks and holds of the local toolkits
    roots: tuple[Path, ...]  # folders that missions may use
    private: Path  # the data folder: no mission may touch it, a root of its own inside excepted
    rulebook: RuleBook  # the operator's policies and sequence rules
    model: str | None = None  # ADK model string; None is the rules planner
    hold_seconds: int = 900
    approval_hours: int = 24
    worker: str = "worker"
    providers: Mapping[str, str] = field(default_factory=dict)  # a user's own, by name
    toolkits: Mapping[str, str] = field(default_factory=dict)  # settings that connections look up
    vault: Vault | None = None  # secrets of connections; None: there are none
    limits: Limits = field(default_factory=Limits)  # of calls to toolkits
    executor_model: Any = None  # drives the approved calls; None is the plan itself
