"""Which model thinks: the rules brain that always works, or one that a person configured."""

from __future__ import annotations

from typing import Any

RULES = "rules"
GEMINI = "gemini-3.5-flash"  # when there is a key and no model was named


def pick(*, google_api_key: str = "", model: str = "") -> str:
    """The model's name from settings: AICP_MODEL wins, a Google key means Gemini, else the rules."""
    return model.strip() or (GEMINI if google_api_key.strip() else RULES)


def resolve(model: Any) -> Any:
    """What an ADK agent takes as its model: a name it knows, or an instance.

    Args:
        model: None or "rules", any ADK model string, or an instance of `BaseLlm`.
    """
    if model is None or model == RULES:
        from aicp.brain.models.rules import RulesModel

        return RulesModel()
    return model


def name_of(model: Any) -> str:
    """The badge shown to people."""
    return RULES if model is None else model if isinstance(model, str) else str(model.model)
