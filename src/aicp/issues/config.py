"""`.beads/config.json`: the few things one repository may decide. Works without it."""

from __future__ import annotations

import os

from aicp.issues.errors import BadInput, Damaged
from aicp.issues.jsontext import loads

KEYS = {
    "prefix": "what new ids start with (ops gives ops-k3f9a2x)",
    "ids": "hash (never collide between clones) or sequential (ops-1, ops-2, …)",
    "types": "more issue types, separated by commas",
}


def read(folder: str) -> dict[str, str]:
    """The settings; {} without a file.

    Raises:
        Damaged: the file is not a JSON object of texts.
    """
    path = os.path.join(folder, "config.json")
    try:
        with open(path, encoding="utf-8") as file:
            values = loads(file.read())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Damaged(f"{path} is not JSON: {error}", hint="mend it, or delete it") from None
    if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
        raise Damaged(f"{path} is not an object of texts", hint="mend it, or delete it")
    return values


def write(folder: str, values: dict[str, str]) -> None:
    """Replace the settings, whole or not at all."""
    import json

    path = os.path.join(folder, "config.json")
    with open(f"{path}.tmp", "w", encoding="utf-8") as file:
        file.write(json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.tmp", path)


def check(key: str, value: str) -> str:
    """A value that may be stored under a key."""
    from aicp.issues.ids import prefix_from
    from aicp.issues.nearest import did_you_mean

    if key not in KEYS:
        raise BadInput(f"there is no setting {key}", hint=did_you_mean(key, KEYS))
    if key == "ids" and value not in {"hash", "sequential"}:
        raise BadInput(f"ids is hash or sequential, not {value!r}")
    if key == "prefix" and prefix_from(value) != value.lower():
        raise BadInput(f"{value!r} cannot start an id", hint=f"try {prefix_from(value)}")
    return value


def extra_types(values: dict[str, str]) -> tuple[str, ...]:
    """The issue types this repository has added."""
    return tuple(one.strip() for one in values.get("types", "").split(",") if one.strip())
