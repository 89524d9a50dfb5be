"""Intake: an intent becomes a brief, and people correct it."""

from __future__ import annotations

from aicp.brain.edits import accept, answer, revise
from aicp.brain.understanding import LEAVE_OUT, understand

__all__ = ["LEAVE_OUT", "accept", "answer", "revise", "understand"]
