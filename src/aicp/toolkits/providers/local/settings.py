"""Secrets by the name of their setting: connections carry the name, never the value."""

from __future__ import annotations

import os
from pathlib import Path

from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.files import read_bytes


def secret(name: str) -> str:
    """The value of a setting: the environment variable, or the file that <name>_FILE names."""
    if os.environ.get(name):
        return os.environ[name]
    if os.environ.get(f"{name}_FILE"):
        return read_bytes(Path(os.environ[f"{name}_FILE"])).decode().strip()
    raise ProviderError(f"the setting {name} is not set", hint=f"set {name} or {name}_FILE")
